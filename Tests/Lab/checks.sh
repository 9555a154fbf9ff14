# shellcheck shell=bash
# Checks, printed one a line as `ok 3 - text`, and the summary that run.sh adds up.

CHECKS_PASSED=0
CHECKS_FAILED=0
CHECKS_SKIPPED=0
CHECKS_SUMMARISED=

# A line for the reader, between checks.
note() { printf '# %s\n' "$*"; }

# pass TEXT
pass() {
  CHECKS_PASSED=$((CHECKS_PASSED + 1))
  printf 'ok %d - %s\n' "$((CHECKS_PASSED + CHECKS_FAILED + CHECKS_SKIPPED))" "$1"
}

# fail TEXT [WHY...]
fail() {
  local text=$1 line
  shift
  CHECKS_FAILED=$((CHECKS_FAILED + 1))
  printf 'not ok %d - %s\n' "$((CHECKS_PASSED + CHECKS_FAILED + CHECKS_SKIPPED))" "$text"
  (($#)) || return 0
  while IFS= read -r line; do note "  $line"; done <<<"$(printf '%s\n' "$@")"
}

# skip TEXT WHY: for what this machine cannot try.
skip() {
  CHECKS_SKIPPED=$((CHECKS_SKIPPED + 1))
  printf 'ok %d - %s # skip %s\n' \
    "$((CHECKS_PASSED + CHECKS_FAILED + CHECKS_SKIPPED))" "$1" "$2"
}

# check TEXT COMMAND...: passes when the command succeeds; its output is shown only when not.
check() {
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then
    pass "$text"
  else
    fail "$text" "$* ended with $?" "$output"
  fi
}

# check_not TEXT COMMAND...: passes when the command fails.
check_not() {
  local text=$1
  shift
  if "$@" >/dev/null 2>&1; then fail "$text" "$* succeeded"; else pass "$text"; fi
}

# is TEXT ACTUAL EXPECTED
is() { if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1" "expected: $3" "found:    $2"; fi; }

# has TEXT WHOLE PART: passes when PART occurs in WHOLE.
has() {
  if [[ $2 == *"$3"* ]]; then pass "$1"; else fail "$1" "expected to find: $3" "in: $2"; fi
}

# at_most TEXT ACTUAL LIMIT, at_least TEXT ACTUAL LIMIT: whole numbers.
at_most() {
  if [[ $2 =~ ^[0-9]+$ ]] && (($2 <= $3)); then
    pass "$1 ($2)"
  else
    fail "$1" "expected at most $3, found ${2:-nothing}"
  fi
}
at_least() {
  if [[ $2 =~ ^[0-9]+$ ]] && (($2 >= $3)); then
    pass "$1 ($2)"
  else
    fail "$1" "expected at least $3, found ${2:-nothing}"
  fi
}

# wait_until SECONDS COMMAND...: asks every 50 ms until the command succeeds; fails when it never does.
wait_until() {
  local deadline=$(($(microseconds) + $1 * 1000000))
  shift
  until "$@" >/dev/null 2>&1; do
    (($(microseconds) < deadline)) || return 1
    sleep 0.05
  done
}

# The time now, in microseconds.
microseconds() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }

# summary: the last line of a test, and its exit status.
summary() {
  CHECKS_SUMMARISED=yes
  printf '%d passed, %d failed' "$CHECKS_PASSED" "$CHECKS_FAILED"
  ((CHECKS_SKIPPED == 0)) || printf ', %d skipped' "$CHECKS_SKIPPED"
  printf '\n'
  ((CHECKS_FAILED == 0))
}
