#!/usr/bin/env bash
# Connections that do not begin as a phone's do: from their middle, from outside, from a source that
# is not in the LAN.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway

# A server on phone 1, for what comes from outside.
: >"$LAB/log/phone-bytes"
spawn phone-server "${LAB_PHONE_PREFIX}1" python3 -I "$LAB_SCRIPTS/sink.py" \
  --log "$LAB/log/phone-bytes" --ready "$LAB/run/phone.ready" --tcp 80,443,8080 --udp 8000 \
  "$(phone 1 4)" "$(phone 1 6)"
wait_until 5 test -e "$LAB/run/phone.ready"

for family in 4 6; do
  server=$(address $family short.weixin.qq.com)
  own=$(phone 1 $family)
  try_probe 1 forge "$server" 443 midstream "$own"
  expect_refused "IPv$family: a connection to an allowed server from its middle: reset, to begin anew"

  for port in 80 443 8080; do
    try_outside tcp "$own" $port
    expect_refused "IPv$family: TCP from outside to port $port of a phone"
  done
  try_outside udp "$own" 8000
  expect_refused "IPv$family: a datagram from outside"
  try_outside ping "$own"
  expect_refused "IPv$family: a ping from outside"
done
is "bytes from outside that reached the phone" "$(wc -c <"$LAB/log/phone-bytes")" 0

for family in 4 6; do
  tool=router_iptables stranger=203.0.113.7
  ((family == 4)) || tool=router_ip6tables stranger=2001:db8::7
  # The router's own count, before its address translation.
  $tool -t mangle -A POSTROUTING -o wan0 -s "$stranger"
  for kind in syn midstream udp; do
    probe 1 forge "$(address $family sink.example.org)" 443 $kind "$stranger" --timeout 0.1 >/dev/null
  done
  is "IPv$family: packets with a source outside the LAN that left" \
    "$($tool -t mangle -nvxL POSTROUTING | awk -v source="$stranger" '$0 ~ source { print $1 }')" 0
done

at_least "reason midstream in the report" "$(report_sum connections verdict=deny reason=midstream)" 2
at_least "reason inbound" "$(report_sum connections verdict=deny reason=inbound)" 8
at_least "reason spoofed-source" "$(report_sum connections verdict=deny reason=spoofed-source)" 2

summary
