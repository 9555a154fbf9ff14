#!/usr/bin/env bash
# Every test of imgate in one command. Needs root, for the lab's namespaces.
set -euo pipefail

help() {
  cat <<'END'
usage: sudo Tests/run.sh [--unit] [--lab] [--only NAME]

Installs what is missing with apt-get; builds the full and the release variant, warnings being
errors; checks format and scripts; runs the unit tests; checks the release binary's size and
libraries; runs the lab tests in network namespaces, under both iptables variants; prints a table,
and as its last line what passed and failed.

  --unit        all but the lab
  --lab         the release build and the lab only
  --long        lab tests that have a long form in that form: a heartbeat that sleeps for ten
                minutes, a poll of 27 seconds; 25 minutes more
  --only NAME   only the steps whose name contains NAME: a lab test, "unit", "lint", "demo", ...
  --help        this

A lab test can also be run by itself: sudo Tests/Lab/10-allowed-and-refused.sh, with
LAB_IPTABLES=legacy for the other variant, LAB_LONG=1 for the long form. IMGATE names another binary
to test.
Tests/VM/nft-queue.sh, a virtual machine for the nftables backend, is a command of its own.
Exit status: 0 when nothing failed, 1 when something did, 2 wrong usage, 3 the machine lacks
something.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
PROJECT=$PWD
# shellcheck source=../deploy/toolchain.sh
source deploy/toolchain.sh

what=all only=
while (($#)); do
  case $1 in
    --unit | --lab) what=${1#--} ;;
    --long) export LAB_LONG=1 ;;
    --only)
      only=${2:?--only needs a name}
      shift
      ;;
    --help | -h)
      help
      exit 0
      ;;
    *)
      help >&2
      exit 2
      ;;
  esac
  shift
done
((EUID == 0)) || {
  echo "run.sh: needs root: sudo Tests/run.sh" >&2
  exit 3
}

readonly BUILD_CHECKS=(--explicit-target-dependency-import-check error -Xswiftc -warnings-as-errors)
readonly SIZE_LIMIT=1500000
# The C libraries that every distribution has in its feed, and the loader.
readonly LIBRARIES='^(libc|libm|libmnl|libnetfilter_queue|libyaml-0|libsqlite3|libpcre2-8|libz|libnettle|libcap|libseccomp|ld-linux-[a-z0-9-]+)\.so'

logs=$PROJECT/.build/test-logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
table=()

# step NAME COMMAND...: runs it with its output in a log. Its counts are the last line of the form
# `N passed, N failed[, N skipped]`; without one the exit status counts as one check.
step() {
  local name=$1 log=$logs/${1//[^A-Za-z0-9.-]/_}.log start=$SECONDS status=0 p=0 f=0 s=0 line
  shift
  [[ -z $only || $name == *"$only"* ]] || return 0
  printf '== %s\n' "$name"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1 || true)
  if [[ -n $line ]]; then
    read -r p _ f _ s _ <<<"$line"
    s=${s:-0}
    # A script that says that all is well and fails all the same has not done well.
    ((status == 0 || f > 0)) || f=1
  elif ((status == 0)); then
    p=1
  else
    f=1
  fi
  if ((f > 0)); then
    if grep -q '^not ok' "$log"; then
      awk '/^not ok/ { show = 1 } /^ok/ { show = 0 } show' "$log"
    else
      tail -n 40 "$log"
    fi
    printf '   (all of it: %s)\n' "$log"
  fi
  # What could not be tried here is said, not only logged.
  grep -E 'not tried|^➜ Suite .* skipped' "$log" | sed 's/^ */   /' || true
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  table+=("$(printf '%-46s %6d %6d %7d %7d' "$name" "$p" "$f" "$s" $((SECONDS - start)))")
}

unit_tests() {
  local status=0 count bad skipped
  swift test --skip-build "${BUILD_CHECKS[@]}" 2>&1 | tee "$logs/unit.out" || status=$?
  # `Test run with 12 tests in 3 suites passed after ...`; a failing test has its own line.
  count=$(sed -n 's/.*Test run with \([0-9]*\) tests\{0,1\}.*/\1/p' "$logs/unit.out" | tail -n 1)
  bad=$(grep -c '^✘ Test .* failed after' "$logs/unit.out" || true)
  bad=$((bad - $(grep -c '^✘ Test run with' "$logs/unit.out" || true)))
  ((status == 0 || bad > 0)) || bad=1
  skipped=$(grep -c '^➜ Test .* skipped' "$logs/unit.out" || true)
  count=$((${count:-0} - bad - skipped))
  printf '%d passed, %d failed, %d skipped\n' $((count > 0 ? count : 0)) $((bad > 0 ? bad : 0)) "$skipped"
  return $status
}

format_lint() { swift format lint --strict --recursive --parallel Sources Tests Package.swift; }

script_lint() {
  local python
  shellcheck --check-sourced deploy/*.sh Tests/run.sh Tests/Lab/[0-9]*.sh Tests/Lab/clean.sh Tests/VM/*.sh .ci/run
  for python in Tests/Lab/*.py; do
    python3 -I -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$python"
  done
}

manual_lint() { mandoc -T lint -W warning docs/*.8; }

release_binary() {
  local binary=$PROJECT/.build-embedded/release/imgate stripped size needed strange
  stripped=$(mktemp)
  strip -o "$stripped" "$binary"
  size=$(stat -c %s "$stripped")
  rm "$stripped"
  needed=$(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  printf 'stripped: %d bytes\nNEEDED: %s\n' "$size" "$(xargs <<<"$needed")"
  strange=$(grep -vE "$LIBRARIES" <<<"$needed" || true)
  ((size <= SIZE_LIMIT)) || printf 'not ok - the release binary is over %d bytes\n' $SIZE_LIMIT
  [[ -z $strange ]] || printf 'not ok - it links more than it may: %s\n' "$(xargs <<<"$strange")"
  ((size <= SIZE_LIMIT)) && [[ -z $strange ]]
}

# Whether this kernel and machine have an iptables variant, tried in a namespace of its own.
has_variant() {
  command -v "iptables-$1" >/dev/null || return 1
  unshare --net env XTABLES_LOCKFILE="$logs/xtables.lock" "iptables-$1" -t security -S
}

lab() {
  local script name variant variants=() other
  for variant in nft legacy; do
    if has_variant $variant >/dev/null 2>&1; then
      variants+=("$variant")
    else
      table+=("iptables-$variant: not on this machine, not tried")
    fi
  done
  for script in Tests/Lab/[0-9]*.sh; do
    name=$(basename "$script" .sh)
    for variant in "${variants[@]}"; do
      LAB_IPTABLES=$variant step "lab $name, iptables-$variant" "$script"
      # Some have nothing to do with the variant, and say so.
      ! grep -q '^# Variant: any' "$script" || break
    done
  done
  # What single modules try on the kernel, without the program.
  for other in Tests/Lab/netfilter-kernel.sh Tests/Lab/firewall.sh; do
    [[ ! -e $other ]] || step "lab $(basename "$other" .sh)" bash "$other"
  done
  step "demo" deploy/demo.sh
  step "nothing is left behind" nothing_left
}

# Labs that are standing without their script; what others run on the machine meanwhile is theirs.
nothing_left() {
  local left
  left=$(Tests/Lab/clean.sh --list)
  Tests/Lab/clean.sh
  [[ -z $left ]]
}

Tests/Lab/clean.sh
deploy/packages.sh build lab tests
find_swift
if [[ $what != lab ]]; then
  step "build, full, warnings are errors" swift build --build-tests "${BUILD_CHECKS[@]}"
fi
if [[ -z ${IMGATE:-} ]]; then
  step "build, release (Embedded Swift)" deploy/build.sh
  step "release binary: size and libraries" release_binary
  # What was not asked for has still to be there.
  [[ -x .build-embedded/release/imgate ]] || [[ $what == unit ]] || deploy/build.sh
  export IMGATE=$PROJECT/.build-embedded/release/imgate
fi
if [[ $what != lab ]]; then
  step "lint: swift format" format_lint
  step "lint: scripts" script_lint
  step "lint: man pages" manual_lint
  step "unit tests" unit_tests
fi
[[ $what == unit ]] || lab

printf '\n%-46s %6s %6s %7s %7s\n' what passed failed skipped seconds
((${#table[@]} == 0)) || printf '%s\n' "${table[@]}"
printf '\n'
if ((passed + failed == 0)); then
  echo "run.sh: no step is called '$only'" >&2
  exit 2
fi
printf '%d passed, %d failed' $passed $failed
((skipped == 0)) || printf ', %d skipped' $skipped
printf '\n'
((failed == 0))
