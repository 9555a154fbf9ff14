#!/usr/bin/env bash
# Installs, with apt-get, the packages that are missing. The only list of what imgate needs.
#   packages.sh GROUP...          installs what is missing of these groups
#   packages.sh --list GROUP...   prints it instead, one a line
# Groups: run (the release binary), build, lab (deploy/demo.sh), tests (Tests/run.sh), vm
# (Tests/VM/nft-queue.sh).
set -euo pipefail

group() {
  case $1 in
    run) echo iptables nftables libnetfilter-queue1 libmnl0 libyaml-0-2 libsqlite3-0 libpcre2-8-0 \
      zlib1g libnettle8 ;;
    build) echo libnetfilter-queue-dev libmnl-dev libyaml-dev libsqlite3-dev libpcre2-dev \
      zlib1g-dev nettle-dev ;;
    lab) echo iproute2 iptables procps nginx-light dnsmasq-base curl openssl python3-minimal \
      libpython3-stdlib ;;
    tests) echo shellcheck mandoc binutils nftables conntrack util-linux ;;
    vm) echo qemu-system-x86 cpio kmod ;;
    *)
      echo "packages.sh: no group '$1'; there are run, build, lab, tests, vm" >&2
      exit 2
      ;;
  esac
}

# Prints those of its arguments that are not installed.
missing() {
  local package
  for package; do
    # shellcheck disable=SC1083  # dpkg-query's own braces
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] \
      || printf '%s\n' "$package"
  done | sort -u
}

list=no
if [[ ${1:-} == --list ]]; then
  list=yes
  shift
fi
wanted=()
for name; do read -ra packages <<<"$(group "$name")" && wanted+=("${packages[@]}"); done
((${#wanted[@]})) || {
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
command -v dpkg-query >/dev/null || {
  echo "packages.sh: no dpkg here; install what corresponds to: ${wanted[*]}" >&2
  exit 3
}
mapfile -t wanted < <(missing "${wanted[@]}")
((${#wanted[@]})) || exit 0
if [[ $list == yes ]]; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi
((EUID == 0)) || {
  echo "packages.sh: needs root to install: ${wanted[*]}" >&2
  exit 3
}

# Nothing is to be started by being installed: the lab's servers run in its own namespaces.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
had_nginx=$(command -v nginx || true)
export DEBIAN_FRONTEND=noninteractive
# Package lists may be absent or old on a fresh machine.
apt-get -qq install --no-install-recommends -y "${wanted[@]}" >/dev/null 2>&1 || {
  apt-get -qq update
  apt-get -qq install --no-install-recommends -y "${wanted[@]}" >/dev/null
}
# Nor at the next start of the machine.
if [[ -z $had_nginx && -d /run/systemd/system ]]; then
  systemctl -q disable nginx.service 2>/dev/null || true
fi
