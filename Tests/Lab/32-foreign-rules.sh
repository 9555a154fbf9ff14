#!/usr/bin/env bash
# Somebody else works on the firewall while the gateway runs: an ACCEPT in front of everything lets
# nothing forbidden through, and rules that are flushed are put back within 15 s.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway
make_file 64M 64M

forbidden_stays_out() {
  local text=$1 family
  for family in 4 6; do
    fetch 1 $family https://www.example.com/
    expect_refused "$text: IPv$family: TLS"
    fetch 1 $family http://www.example.com/
    expect_refused "$text: IPv$family: HTTP"
    try_probe 1 udp "$(address $family sink.example.com)" 443
    expect_refused "$text: IPv$family: a datagram"
    try_probe 1 ping "$(address $family www.example.com)"
    expect_refused "$text: IPv$family: ping"
    try_probe 1 tcp "$(address $family sink.example.com)" 443 --hello sink.example.com
    expect_refused "$text: IPv$family: to the sink"
    fetch 1 $family https://short.weixin.qq.com/
    expect_ok "$text: IPv$family: allowed"
  done
  is "$text: bytes at the sink" "$(sink_bytes sink.example.com)" 0
}

# What docker, ufw and friends do. Refusals may be silent here: what must hold is that nothing gets
# through.
passes_nothing() {
  local text=$1 family
  for family in 4 6; do
    fetch 1 $family https://www.example.com/ --max-time 1
    check_not "$text: IPv$family: TLS ($OUTCOME)" test "$OUTCOME" = ok
    fetch 1 $family http://www.example.com/ --max-time 1
    check_not "$text: IPv$family: HTTP ($OUTCOME)" test "$OUTCOME" = ok
    try_probe 1 udp "$(address $family sink.example.com)" 443 --timeout 0.5
    check_not "$text: IPv$family: a datagram ($OUTCOME)" test "$OUTCOME" = ok
    try_probe 1 ping "$(address $family www.example.com)" --timeout 0.5
    check_not "$text: IPv$family: ping ($OUTCOME)" test "$OUTCOME" = ok
    try_probe 1 tcp "$(address $family sink.example.com)" 443 --hello sink.example.com --timeout 0.5
    check_not "$text: IPv$family: to the sink ($OUTCOME)" test "$OUTCOME" = ok
    try_probe 1 tcp "$(address $family sink.example.com)" 22 --timeout 0.5
    check_not "$text: IPv$family: a closed port ($OUTCOME)" test "$OUTCOME" = ok
    fetch 1 $family https://short.weixin.qq.com/
    expect_ok "$text: IPv$family: allowed"
  done
  is "$text: bytes at the sink" "$(sink_bytes sink.example.com)" 0
}

router_iptables -I FORWARD -j ACCEPT
router_ip6tables -I FORWARD -j ACCEPT
passes_nothing "iptables -I FORWARD -j ACCEPT"
check "the position is put right within 15 s" wait_until 15 ask firewall verify
forbidden_stays_out "then"
is "the foreign rule is left alone" "$(router_iptables -S FORWARD | grep -c -x -e '-A FORWARD -j ACCEPT')" 1

# Everything flushed, as a restart of another firewall does. What slips through meanwhile is cut.
for table in mangle filter security; do
  router_iptables -t $table -F
  router_ip6tables -t $table -F
done
start=$(microseconds)
mapfile -t known < <(pinned 4 v.qq.com 443)
spawn slipped "${LAB_PHONE_PREFIX}2" curl -q --silent --show-error -4 --insecure \
  "${known[@]}" --output /dev/null https://v.qq.com/slow/64M
check "flushed rules are back within 15 s" wait_until 15 ask firewall verify
note "after $((($(microseconds) - start) / 1000)) ms"
check "what slipped through meanwhile is cut" wait_until 3 finished slipped
forbidden_stays_out "after the flush"

summary
