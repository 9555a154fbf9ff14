# shellcheck shell=bash
# The lab's network: four namespaces, and no way out of them.
#
#   phone 1 ─┐ wlan0        br-lan          wan0   eth0
#            ├──────────────── router ─────────────────── internet
#   phone 2 ─┘    198.18.1.0/24        198.19.0.0/16
#                 2001:2:0:1::/64      2001:2:0:ff::/64
#
# Every name carries the process id of the script that made it: labs run side by side, and clean.sh
# can tell a dead one's remains from a living one.

readonly LAB_ROUTER=imgate-$$-router
readonly LAB_INTERNET=imgate-$$-internet
readonly LAB_PHONE_PREFIX=imgate-$$-phone
readonly LAB_NAMESPACES=("$LAB_ROUTER" "$LAB_INTERNET" "${LAB_PHONE_PREFIX}1" "${LAB_PHONE_PREFIX}2")

# Addresses by family, 4 or 6.
declare -rA ROUTER_LAN=([4]=198.18.1.1 [6]=2001:2:0:1::1)
declare -rA ROUTER_WAN=([4]=198.19.0.1 [6]=2001:2:0:ff::1)
declare -rA LAN_PREFIX=([4]=198.18.1.0/24 [6]=2001:2:0:1::/64)
declare -rA PHONE1=([4]=198.18.1.11 [6]=2001:2:0:1::11 [mac]=02:00:5e:10:00:01)
declare -rA PHONE2=([4]=198.18.1.12 [6]=2001:2:0:1::12 [mac]=02:00:5e:10:00:02)

# The lab's directory, once lab_up has made it.
LAB=

on_router() { ip netns exec "$LAB_ROUTER" "$@"; }
on_internet() { ip netns exec "$LAB_INTERNET" "$@"; }
# on_phone NUMBER COMMAND...
on_phone() { ip netns exec "$LAB_PHONE_PREFIX$1" "${@:2}"; }

# phone NUMBER 4|6|mac
phone() {
  case $1 in
    1) printf '%s' "${PHONE1[$2]}" ;;
    2) printf '%s' "${PHONE2[$2]}" ;;
  esac
}

# lab_up [nat=on|off]: the whole lab without a gateway; everything is reachable. Registers the
# clean-up first, so that whatever fails later leaves nothing behind.
lab_up() {
  local nat=on argument
  for argument; do
    case $argument in
      nat=on | nat=off) nat=${argument#nat=} ;;
      *) die "lab_up: unknown argument $argument" ;;
    esac
  done
  lab_require
  trap lab_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  LAB=$(mktemp -d "/tmp/imgate-$$-XXXXXX")
  chmod 755 "$LAB"
  mkdir "$LAB"/{bin,log,pids,run}
  process_start $$ >"$LAB/owner"
  make_tools
  make_namespaces
  make_links
  [[ $nat == off ]] || masquerade
  start_servers
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 3
}

# When a process started, in clock ticks: with its id it names one process for ever.
process_start() { awk '{ sub(/.*\) /, ""); print $20 }' "/proc/$1/stat"; }

lab_require() {
  local tool missing=()
  ((EUID == 0)) || die "the lab needs root: it makes network namespaces"
  for tool in ip curl openssl nginx dnsmasq python3 iptables-"$LAB_IPTABLES"; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]} == 0)) || die "missing: ${missing[*]}; deploy/packages.sh installs them"
}

# The firewall tools that the router has: those of one iptables variant, under the plain names.
# This directory is the gateway's whole PATH.
LAB_IPTABLES=${LAB_IPTABLES:-nft}
make_tools() {
  local family suffix
  for family in iptables ip6tables; do
    for suffix in '' -save -restore; do
      ln -s "$(command -v "$family-$LAB_IPTABLES$suffix")" "$LAB/bin/$family$suffix"
    done
  done
  ! command -v nft >/dev/null || ln -s "$(command -v nft)" "$LAB/bin/nft"
}

# router_iptables ARGUMENT..., router_ip6tables ARGUMENT...: the router's own firewall tool, as
# somebody else than the gateway would use it.
router_iptables() { router_xtables iptables "$@"; }
router_ip6tables() { router_xtables ip6tables "$@"; }
router_xtables() { on_router env XTABLES_LOCKFILE="$LAB/run/xtables.lock" "$LAB/bin/$1" "${@:2}"; }

make_namespaces() {
  local namespace
  for namespace in "${LAB_NAMESPACES[@]}"; do
    # `ip netns exec` lays these over /etc: only the lab's resolver is ever asked.
    mkdir -p "/etc/netns/$namespace"
    printf 'hosts: files dns\n' >"/etc/netns/$namespace/nsswitch.conf"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"/etc/netns/$namespace/hosts"
    printf 'nameserver %s\n' "${ROUTER_LAN[4]}" >"/etc/netns/$namespace/resolv.conf"
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
    # Addresses are usable at once, and nobody waits for a router that says more than we do.
    ip netns exec "$namespace" sysctl -qw \
      net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
      net.ipv6.conf.default.dad_transmits=0 net.ipv6.conf.default.router_solicitations=0 \
      net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
  done
  printf 'nameserver 127.0.0.1\n' >"/etc/netns/$LAB_ROUTER/resolv.conf"
}

make_links() {
  local n family
  ip -n "$LAB_ROUTER" link add br-lan address 02:00:5e:10:00:fe type bridge stp_state 0
  ip -n "$LAB_ROUTER" link add wan0 type veth peer name eth0 netns "$LAB_INTERNET"
  for n in 1 2; do
    ip -n "$LAB_ROUTER" link add "phone$n" type veth peer name wlan0 netns "$LAB_PHONE_PREFIX$n"
    ip -n "$LAB_ROUTER" link set "phone$n" master br-lan up
    ip -n "$LAB_PHONE_PREFIX$n" link set wlan0 address "$(phone "$n" mac)" up
  done
  ip -n "$LAB_ROUTER" link set br-lan up
  ip -n "$LAB_ROUTER" link set wan0 up
  ip -n "$LAB_INTERNET" link set eth0 up
  # What the bridge carries from phone to phone is no business of the router's IP filter.
  on_router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  on_router sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 \
    2>/dev/null || note "no bridge netfilter here"
  for family in 4 6; do
    add_address "$LAB_ROUTER" br-lan "${ROUTER_LAN[$family]}/${LAN_PREFIX[$family]#*/}"
    for n in 1 2; do
      add_address "$LAB_PHONE_PREFIX$n" wlan0 "$(phone "$n" "$family")/${LAN_PREFIX[$family]#*/}"
      ip -n "$LAB_PHONE_PREFIX$n" "-$family" route add default via "${ROUTER_LAN[$family]}"
    done
  done
  add_address "$LAB_ROUTER" wan0 "${ROUTER_WAN[4]}/16"
  add_address "$LAB_ROUTER" wan0 "${ROUTER_WAN[6]}/64"
  add_address "$LAB_INTERNET" eth0 198.19.0.2/16
  add_address "$LAB_INTERNET" eth0 2001:2:0:ff::2/64
  for family in 4 6; do
    # The way back for IPv6, for the lab without NAT, and for connections opened from outside.
    ip -n "$LAB_INTERNET" "-$family" route add "${LAN_PREFIX[$family]}" via "${ROUTER_WAN[$family]}"
  done
}

# add_address NAMESPACE INTERFACE ADDRESS/LENGTH
add_address() {
  if [[ $3 == *:* ]]; then
    ip -n "$1" -6 address add "$3" dev "$2" nodad
  else
    ip -n "$1" address add "$3" dev "$2"
  fi
}

masquerade() { router_iptables -t nat -A POSTROUTING -o wan0 -j MASQUERADE; }

# spawn NAME NAMESPACE COMMAND...: in the background, its process id recorded, its output in
# $LAB/log/NAME.
spawn() {
  local name=$1 namespace=$2
  shift 2
  # `ip netns exec` becomes the command, so $! is its process id.
  ip netns exec "$namespace" "$@" >>"$LAB/log/$name" 2>&1 </dev/null &
  printf '%d\n' $! >"$LAB/pids/$name"
  # Not the shell's job: it would remark on its end.
  disown
}

# end NAME [SIGNAL]: ends what spawn started, and waits for it (5 s, then with SIGKILL).
end() {
  local file=$LAB/pids/$1 pid
  [[ -f $file ]] || return 0
  pid=$(<"$file")
  rm "$file"
  kill -s "${2:-TERM}" "$pid" 2>/dev/null || true
  wait_until 5 gone "$pid" || kill -s KILL "$pid" 2>/dev/null || true
  wait_until 1 gone "$pid"
}

# gone PID: it ended (a zombie has).
gone() { [[ ! -e /proc/$1/stat || $(awk '{ sub(/.*\) /, ""); print $1 }' "/proc/$1/stat") == Z ]]; }

# running NAME
running() { [[ -f $LAB/pids/$1 ]] && ! gone "$(<"$LAB/pids/$1")"; }

# The EXIT trap: a script that stopped before its summary has failed; then takes everything down.
lab_exit() {
  local status=$?
  trap '' INT TERM HUP
  trap - EXIT
  set +e
  if [[ -z ${CHECKS_SUMMARISED:-} ]] && ((status != 0)); then
    fail "the script runs to its end" "it stopped with status $status"
    [[ ! -s $LAB/log/gateway ]] || tail -n 5 "$LAB/log/gateway" | sed 's/^/#   gateway: /'
    summary
  fi
  if [[ -n ${LAB_KEEP:-} ]]; then
    note "the lab stays: namespaces imgate-$$-*, files in $LAB; Tests/Lab/clean.sh removes it"
  else
    lab_down
  fi
  exit "$status"
}

# Takes down what lab_up made, in the order that lets each step succeed.
lab_down() {
  local file
  for file in "$LAB"/pids/*; do
    [[ ! -f $file ]] || end "${file##*/}"
  done
  "$LAB_SCRIPTS/clean.sh" --lab "$$"
}

# finished NAME: what spawn started has ended by itself.
finished() { ! running "$1"; }
