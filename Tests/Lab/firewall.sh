#!/bin/sh
# The firewall's rules on the real kernel: installed, damaged, repaired, removed, and real packets
# through them, in network namespaces. Needs root, iproute2, iptables, nftables, conntrack, python3.
# Usage: sudo Tests/Lab/firewall.sh [iptables-nft|iptables-legacy|nftables ...]
#
# There is no daemon here: packets for the queue pass or not as the plan says, and are counted.
set -eu
cd "$(dirname "$0")/../.."
here=Tests/Lab
[ "$(id -u)" = 0 ] || { echo "firewall.sh: needs root" >&2; exit 3; }
for tool in ip iptables ip6tables nft conntrack python3; do
  command -v $tool >/dev/null || { echo "firewall.sh: $tool is missing" >&2; exit 3; }
done
[ $# -gt 0 ] || set -- iptables-nft iptables-legacy nftables

# The unit tests' own binary has the hook (Tests/FirewallTests/FirewallKernelTests.swift).
# With the flags of Tests/run.sh: with others everything would be built again.
swift build --build-tests --quiet --explicit-target-dependency-import-check error \
  -Xswiftc -warnings-as-errors
IMGATE_TESTS=$(swift build --build-tests --show-bin-path)/imgatePackageTests.xctest
export IMGATE_TESTS IMGATE_LAB=1

state=$(mktemp -d /tmp/fwt-XXXXXX)
# Namespaces share the machine's lock file and would wait for each other.
export XTABLES_LOCKFILE="$state/xtables.lock" IMGATE_LAB_RECORD="$state/settings"

namespaces="fwt-phone fwt-tablet fwt-router fwt-server"
cleanup() {
  for name in $namespaces; do ip netns del "$name" 2>/dev/null || :; done
}
trap 'cleanup; rm -rf "$state"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

inside() { name=$1; shift; ip netns exec "fwt-$name" "$@"; }

# link HOST INTERFACE ROUTER-INTERFACE NETWORK: 198.<NETWORK>.0/24 and 2001:2:0:<n>::/64
link() {
  ip link add "$2" netns "fwt-$1" type veth peer name "$3" netns fwt-router
  inside "$1" ip addr add "$4.2/24" dev "$2"
  inside router ip addr add "$4.1/24" dev "$3"
  inside "$1" ip addr add "2001:2:0:$5::2/64" dev "$2" nodad
  inside router ip addr add "2001:2:0:$5::1/64" dev "$3" nodad
  inside "$1" ip link set "$2" up
  inside router ip link set "$3" up
  inside "$1" ip route add default via "$4.1"
  inside "$1" ip route add default via "2001:2:0:$5::1"
}

build() {
  cleanup
  for name in $namespaces; do
    ip netns add "$name"
    ip -n "$name" link set lo up
  done
  link phone eth0 lan0 198.18.1 1
  link tablet eth0 lan1 198.18.2 2
  link server eth0 wan0 198.19.1 9
  inside router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

failed=0
for firewall in "$@"; do
  export IMGATE_LAB_FIREWALL="$firewall"
  echo "== $firewall"
  if [ "$firewall" = nftables ]; then
    echo "   with 'counter accept' in place of 'queue': the queue statement itself was not tried" \
      "unless the next line says so"
    ip netns add fwt-router 2>/dev/null || :
    if printf 'add table inet t\nadd chain inet t c\nadd rule inet t c queue num 40-41 bypass\n' |
      inside router nft -c -f - 2>/dev/null; then
      echo "   nft -c takes the queue statement on this kernel"
    else
      echo "   this kernel has no nftables queue expression"
    fi
  fi
  build
  if ! inside router "$IMGATE_TESTS" --testing-library swift-testing \
    --filter FirewallKernelTests >"$state/log" 2>&1; then
    cat "$state/log"
    failed=1
  else
    tail -n 1 "$state/log"
  fi
  if [ "$firewall" = iptables-legacy ] && [ ! -e "$XTABLES_LOCKFILE" ]; then
    echo "not ok: XTABLES_LOCKFILE was not passed on to iptables"
    failed=1
  fi
  build
  python3 $here/firewall-packets.py || failed=1
done
if [ $failed = 0 ]; then echo "firewall.sh: all passed"; else echo "firewall.sh: FAILED" >&2; fi
exit $failed
