#!/usr/bin/env bash
# Variant: any
# The lab itself, without a gateway: everything is reachable, and the expectations can fail. What
# later tests see refused is refused by the gateway and by nothing else.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up

for family in 4 6; do
  for name in short.weixin.qq.com msfwifi.3g.qq.com files.example.org www.example.com v.qq.com; do
    fetch 1 $family "https://$name/"
    expect_ok "IPv$family: https://$name"
  done
  fetch 2 $family http://www.example.com/
  expect_ok "IPv$family: phone 2, http"
  fetch 2 $family http://www.example.com:8080/
  expect_ok "IPv$family: phone 2, http on 8080"
  handshake 1 $family mp.weixin.qq.com
  expect_ok "IPv$family: openssl s_client"
  handshake 1 $family twice.example.org
  expect_ok "IPv$family: a hello that must be said twice"
  try_probe 1 udp "$(address $family sink.example.com)" 8000
  expect_ok "IPv$family: a datagram is echoed"
  try_probe 1 tcp "$(address $family sink.example.com)" 5223
  expect_ok "IPv$family: TCP bytes are echoed"
  try_probe 1 ping "$(address $family www.example.com)"
  expect_ok "IPv$family: ping"
  try_probe 1 tls "$(address $family v.qq.com)" 443 v.qq.com --ca "$LAB/tls/ca.crt" --cuts 1,1,1,1,1,40
  expect_ok "IPv$family: a hello in seven segments"
  is "IPv$family: three requests on one plain connection" \
    "$(probe 1 keepalive "$(address $family v.qq.com)" 80 v.qq.com,www.example.com,v.qq.com \
      | cut -d ' ' -f 1 | tr '\n' ' ')" 'answered answered answered '
  is "IPv$family: many in a row" \
    "$(probe 1 tcp "$(address $family sink.example.com)" 443 --count 100 | cut -d ' ' -f 1,2)" \
    'answered 100'
  try_probe 1 forge "$(address $family www.example.com)" 443 midstream "$(phone 1 $family)"
  is "IPv$family: a connection from its middle reaches the server, which resets it" "$OUTCOME" reset
  # The phone's own address: what the internet sees behind NAT is the router's.
  is "IPv$family: the server sees the right client" \
    "$(awk -v address="$(address $family v.qq.com)" '$5 == address { print $2; exit }' "$LAB/log/access")" \
    "$(if ((family == 4)); then echo "${ROUTER_WAN[4]}"; else phone 1 6; fi)"
done

before=$(sink_bytes sink.example.com)
try_probe 2 udp "$(address 4 sink.example.com)" 443 --text 12345
is "the sink counts payload bytes" $(($(sink_bytes sink.example.com) - before)) 5
try_probe 1 forge "$(address 4 sink.example.com)" 443 udp 203.0.113.7 --text 1234567 --timeout 0.1
is "a forged source gets through" $(($(sink_bytes sink.example.com) - before)) 12

make_file 3M 3M
fetch 1 4 https://files.example.org/3M
expect_ok "a download of 3 MB"
at_least "nginx counts what it sends" "$(served files.example.org sent)" 3145728
fetch 1 6 https://files.example.org/upload/3M --upload-file "$LAB/www/3M"
expect_ok "an upload of 3 MB"
check "which arrives whole" cmp "$LAB/www/3M" "$LAB/www/upload/3M"
at_least "nginx counts what it gets" "$(served files.example.org received)" 3145728

# The expectations: each must fail where it should.
expectation() {
  local text=$1 wanted=$2 CHECKS_PASSED=0 CHECKS_FAILED=0
  "${@:3}" "$text" >/dev/null
  [[ $CHECKS_PASSED:$CHECKS_FAILED == "$wanted" ]]
}
fetch 1 4 https://www.example.com/
check "success is no refusal" expectation success 0:1 expect_refused
for family in 4 6; do
  tool=router_iptables reject=icmp-admin-prohibited
  ((family == 4)) || tool=router_ip6tables reject=icmp6-adm-prohibited
  sink=$(address $family sink.example.com)
  $tool -A FORWARD -d "$sink" -p tcp --dport 80 -j REJECT --reject-with tcp-reset
  $tool -A FORWARD -d "$sink" -p tcp --dport 443 -j DROP
  $tool -A FORWARD -d "$sink" -p udp --dport 443 -j REJECT --reject-with "$reject"
  fetch 1 $family http://sink.example.com/
  check "IPv$family: a reset is a refusal" expectation reset 1:0 expect_refused
  check "IPv$family: and no success" expectation reset 0:1 expect_ok
  try_probe 1 udp "$sink" 443
  check "IPv$family: an ICMP error is a refusal" expectation icmp 1:0 expect_refused
  try_probe 1 tcp "$sink" 443 --timeout 0.3
  check "IPv$family: silence is no refusal" expectation silence 0:1 expect_refused
  check "IPv$family: silence is no success" expectation silence 0:1 expect_ok
  check "IPv$family: a refusal that comes late is none" \
    eval "OUTCOME=reset MILLISECONDS=50.1; expectation late 0:1 expect_refused"
done

summary
