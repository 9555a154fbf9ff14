#!/usr/bin/env bash
# A pause lets everything pass, counted, for all or for one device, and ends by itself.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway
make_file 64M 64M

fetch 1 4 https://www.example.com/
expect_refused "before"

check "pause" ask pause --for 30m
for family in 4 6; do
  fetch 1 $family https://www.example.com/
  expect_ok "paused: IPv$family: TLS"
  fetch 2 $family http://v.qq.com/
  expect_ok "paused: IPv$family: HTTP, the other phone"
  try_probe 1 udp "$(address $family sink.example.com)" 443
  expect_ok "paused: IPv$family: a datagram"
done
has "status says so" "$(ask status)" paused
mapfile -t known < <(pinned 4 www.example.com 443)
spawn during "${LAB_PHONE_PREFIX}1" curl -q --silent --show-error -4 --insecure \
  "${known[@]}" --output "$LAB/during" https://www.example.com/slow/64M
wait_until 5 test -s "$LAB/during"
check "resume" ask resume
fetch 1 4 https://www.example.com/
expect_refused "after"
check "what the rules do not allow is cut at the end of the pause" wait_until 2 finished during
at_least "the report counts what passed, with its reason" \
  "$(report_sum connections verdict=allow reason=paused)" 6

check "a pause for one device" ask pause --for 30m --device "$(phone 2 mac)"
fetch 2 6 https://www.example.com/
expect_ok "that one passes"
fetch 1 6 https://www.example.com/
expect_refused "the other does not"
check "over a restart" eval 'kill_gateway; start_gateway'
fetch 2 6 https://www.example.com/
expect_ok "the pause holds"
check "resume ends it too" ask resume
fetch 2 6 https://www.example.com/
expect_refused "after"

check "a pause of two seconds" ask pause --for 2s
fetch 1 4 https://www.example.com/
expect_ok "holds"
sleep 2.5
fetch 1 4 https://www.example.com/
expect_refused "and ends by itself"
check_not "a device that nobody knows" ask pause --device 'No such phone'

summary
