#!/usr/bin/env bash
# A device with policy: unrestricted is not judged, and still counted.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
{
  lab_rules
  printf 'devices:\n  - {mac: %s, name: Owner laptop, policy: unrestricted}\n' "'$(phone 2 mac)'"
} | set_rules
start_gateway

for family in 4 6; do
  fetch 2 $family https://www.example.com/
  expect_ok "IPv$family: the owner's laptop: TLS"
  fetch 2 $family http://v.qq.com:8080/
  expect_ok "IPv$family: HTTP"
  try_probe 2 udp "$(address $family sink.example.com)" 443
  expect_ok "IPv$family: a datagram"
  try_probe 2 tcp "$(address $family sink.example.com)" 22
  expect_ok "IPv$family: any port"
  fetch 1 $family https://www.example.com/
  expect_refused "IPv$family: a phone is judged as ever"
done
at_least "the laptop is counted" "$(report_sum connections "mac=$(phone 2 mac)")" 8
has "the report calls it by its name" "$(ask report --day today)" 'Owner laptop'

summary
