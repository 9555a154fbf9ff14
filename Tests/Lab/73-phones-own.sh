#!/usr/bin/env bash
# What phones do by themselves: the probe that tells them that the Wi-Fi leads somewhere, which passes
# by method, host and exact path; and the time, when it is switched on, ten datagrams a minute.
# Variant: any
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

# probed FAMILY HOST PATH: over plain HTTP, at the host's own address.
probed() { try_chat 1 get "$(address "$1" "$2")" 80 --host "$2" --path "$3"; }

lab_up
chat_up
chat_gateway

for family in 4 6; do
  apple=$(address $family captive.apple.com) android=$(address $family connectivitycheck.gstatic.com)
  probed $family captive.apple.com /hotspot-detect.html
  expect_ok "IPv$family: Apple's probe"
  probed $family connectivitycheck.gstatic.com /generate_204
  expect_ok "IPv$family: Android's probe"
  for path in / /hotspot-detect.html/ '/hotspot-detect.html?a=b' /HOTSPOT-DETECT.HTML /generate_204; do
    refused_unseen "IPv$family: Apple's host, path $path" 1 get "$apple" 80 --host captive.apple.com --path "$path"
  done
  refused_unseen "IPv$family: another method" 1 raw "$android" 80 \
    --text 'POST /generate_204 HTTP/1.1\r\nHost: connectivitycheck.gstatic.com\r\nContent-Length: 0\r\n\r\n'
  refused_unseen "IPv$family: the probe over TLS" 1 get "$android" 443 --tls connectivitycheck.gstatic.com \
    --ca "$LAB/tls/ca.crt" --host connectivitycheck.gstatic.com --path /generate_204
  refused_unseen "IPv$family: the probe on another port" 1 get "$android" 8080 \
    --host connectivitycheck.gstatic.com --path /generate_204
  refused_unseen "IPv$family: the probe at a stranger's address" 1 get "$(bare $family stranger)" 80 \
    --host captive.apple.com --path /hotspot-detect.html
  # Two requests in one segment: the first alone is a probe.
  refused_unseen "IPv$family: a page behind the probe" 1 raw "$apple" 80 \
    --text 'GET /hotspot-detect.html HTTP/1.1\r\nHost: captive.apple.com\r\n\r\nGET / HTTP/1.1\r\nHost: captive.apple.com\r\n\r\n'
  before=$(chat_count "$apple" page)
  try_chat 1 get "$apple" 80 --host captive.apple.com --path /hotspot-detect.html --messages 2 \
    --then 474554202f20485454502f312e310d0a486f73743a20636170746976652e6170706c652e636f6d0d0a0d0a
  expect_refused "IPv$family: a page after two probes on one connection"
  has "IPv$family: the probes had passed" "$DETAIL" after-answers=2
  is "IPv$family: the page has not" $(($(chat_count "$apple" page) - before)) 0

  refused_unseen "IPv$family: the time, which is off as delivered" 1 ntp "$(address $family time.apple.com)" 123
done
at_least "the probes are in the report by their reason" \
  "$(report_sum connections verdict=allow reason=request-allowed)" 6

chat_rules '  time: on' | set_rules
check "time: on" ask reload
wait_until 5 eval 'ask status --addresses | grep -q time.apple.com' || true
for family in 4 6; do
  time=$(address $family time.apple.com)
  try_chat 1 ntp "$time" 123
  expect_ok "IPv$family: the time"
  refused_unseen "IPv$family: at a stranger's address" 1 ntp "$(bare $family stranger)" 123
  refused_unseen "IPv$family: 47 bytes" 1 datagram "$time" 123 --hex "23$(printf '00%.0s' {1..46})"
  refused_unseen "IPv$family: a server's answer, sent by a phone" 1 datagram "$time" 123 \
    --hex "24$(printf '00%.0s' {1..47})"
done
mapfile -t rate < <(chat 2 ntp "$(address 4 time.apple.com)" 123 --count 20 --timeout 0.5 | cut -d ' ' -f 1,2)
is "twenty datagrams in a second: ten" "${rate[*]}" 'answered 10 refused 10'
at_least "the others' reason" "$(report_sum connections verdict=deny reason=rate-limit)" 1

summary
