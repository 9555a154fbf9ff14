#!/bin/sh
# Runs NetfilterKernelTests against the running kernel: a client, a router and a server in network
# namespaces of their own (nfk-*), the tests inside the router. Needs root.
# Usage: Tests/Lab/netfilter-kernel.sh [IPTABLES-VARIANT...]    (default: nft legacy)
# SKIP_BUILD=1 takes the tests as they were built last.
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "netfilter-kernel.sh: needs root" >&2; exit 3; }

work=$(mktemp -d /tmp/nfk-XXXXXX)
# iptables-legacy locks a file that all namespaces share.
export XTABLES_LOCKFILE="$work/xtables.lock"

clean() {
  for ns in nfk-client nfk-router nfk-server; do ip netns delete "$ns" 2>/dev/null || true; done
}
trap 'clean; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

router() { ip netns exec nfk-router "$@"; }

network() {
  clean
  for ns in client router server; do
    ip netns add "nfk-$ns"
    ip -n "nfk-$ns" link set lo up
    # Addresses that are usable at once, and no other IPv6 traffic.
    ip netns exec "nfk-$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
      net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
  done
  ip -n nfk-client link add eth0 type veth peer name lan netns nfk-router
  ip -n nfk-server link add eth0 type veth peer name wan netns nfk-router
  ip -n nfk-client link set eth0 address 02:00:5e:10:00:01
  ip -n nfk-server link set eth0 address 02:00:5e:10:00:02
  ip -n nfk-router link set lan address 02:00:5e:10:00:03
  ip -n nfk-router link set wan address 02:00:5e:10:00:04
  ip -n nfk-client addr add 198.18.0.2/24 dev eth0
  ip -n nfk-client addr add 2001:2:0:a::2/64 dev eth0 nodad
  ip -n nfk-server addr add 198.18.1.2/24 dev eth0
  ip -n nfk-server addr add 2001:2:0:b::2/64 dev eth0 nodad
  ip -n nfk-router addr add 198.18.0.1/24 dev lan
  ip -n nfk-router addr add 2001:2:0:a::1/64 dev lan nodad
  ip -n nfk-router addr add 198.18.1.1/24 dev wan
  ip -n nfk-router addr add 2001:2:0:b::1/64 dev wan nodad
  ip -n nfk-client link set eth0 up
  ip -n nfk-server link set eth0 up
  ip -n nfk-router link set lan up
  ip -n nfk-router link set wan up
  ip -n nfk-client route add default via 198.18.0.1
  ip -n nfk-client route add default via 2001:2:0:a::1
  ip -n nfk-server route add 198.18.0.0/24 via 198.18.1.1
  ip -n nfk-server route add default via 2001:2:0:b::1
  # Neighbours that are known: no packet waits for ARP or neighbour discovery.
  for address in 198.18.0.1 2001:2:0:a::1; do
    ip -n nfk-client neigh replace $address lladdr 02:00:5e:10:00:03 dev eth0 nud permanent
  done
  for address in 198.18.1.1 2001:2:0:b::1; do
    ip -n nfk-server neigh replace $address lladdr 02:00:5e:10:00:04 dev eth0 nud permanent
  done
  for address in 198.18.0.2 2001:2:0:a::2; do
    ip -n nfk-router neigh replace $address lladdr 02:00:5e:10:00:01 dev lan nud permanent
  done
  for address in 198.18.1.2 2001:2:0:b::2; do
    ip -n nfk-router neigh replace $address lladdr 02:00:5e:10:00:02 dev wan nud permanent
  done
  router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
    net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
}

# Ports: 5000-5009 visit queue 40, 5001 with other bits in the mark; 5100-5199 are masqueraded and
# don't visit; the router's 5107 leads to the client's 5102.
rules() {
  for command in "$1" "$2"; do
    router "$command" -w -t mangle -A FORWARD -p udp --dport 5001 -j MARK --set-mark 0xf0
    for protocol in udp tcp; do
      router "$command" -w -t mangle -A FORWARD -i lan -p "$protocol" --dport 5000:5009 \
        -j NFQUEUE --queue-num 40
    done
    # Counters without a target, for the tests to read: what a verdict's mark looks like later.
    router "$command" -w -A FORWARD -m mark --mark 0x010000f0 -p udp --dport 5001
    router "$command" -w -A OUTPUT -m mark --mark 0x02000000 -p tcp
    # Every packet is tracked: a rule that asks conntrack turns it on in the namespace.
    router "$command" -w -A FORWARD -m conntrack --ctstate INVALID -j DROP
    router "$command" -w -t nat -A POSTROUTING -o wan -p udp --dport 5100:5199 -j MASQUERADE
    router "$command" -w -t nat -A POSTROUTING -o wan -p tcp --dport 5100:5199 -j MASQUERADE
  done
  router "$1" -w -t nat -A PREROUTING -i wan -p udp --dport 5107 \
    -j DNAT --to-destination 198.18.0.2:5102
}

# With the flags of Tests/run.sh: with others everything would be built again.
if [ "${SKIP_BUILD:-0}" = 0 ]; then
  swift build --build-tests --explicit-target-dependency-import-check error \
    -Xswiftc -warnings-as-errors
fi
[ $# -gt 0 ] || set -- nft legacy
for variant in "$@"; do
  echo "== netfilter-kernel: iptables-$variant on Linux $(uname -r)"
  network
  rules "iptables-$variant" "ip6tables-$variant"
  router env IMGATE_LAB=1 IMGATE_LAB_IPTABLES="iptables-$variant" \
    swift test --skip-build --disable-xctest --filter NetfilterKernelTests
done
echo "== netfilter-kernel: passed"
