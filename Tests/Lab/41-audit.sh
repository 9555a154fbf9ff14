#!/usr/bin/env bash
# mode: audit lets everything pass, holds nothing, and records what would have been refused.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
lab_rules | sed '1a mode: audit' | set_rules
start_gateway

for family in 4 6; do
  fetch 1 $family https://short.weixin.qq.com/
  expect_ok "IPv$family: allowed"
  fetch 1 $family https://www.example.com/
  expect_ok "IPv$family: what would be refused passes: TLS"
  fetch 1 $family http://www.example.com/
  expect_ok "IPv$family: HTTP"
  try_probe 1 udp "$(address $family sink.example.com)" 443
  expect_ok "IPv$family: a datagram"
  try_probe 1 tcp "$(address $family sink.example.com)" 22
  expect_ok "IPv$family: another port"
  try_probe 1 ping "$(address $family www.example.com)"
  expect_ok "IPv$family: ping"
done
is "the report has what would have been refused" \
  "$(report_sum connections verdict=deny host=www.example.com)" 4

# The last rule of the chain that comes after every filter.
closes() {
  if [[ $LAB_FIREWALL == nftables ]]; then
    grep -q '^[[:space:]]*drop ' <(on_router nft list chain inet imgate last)
  else
    grep -qxe '-A IMGATE-LAST -j DROP' <(own_rules)
  fi
}
check_not "the last chain lets pass what is not marked" closes
lab_rules | set_rules
check "reload to mode: enforce" ask reload
check "the last chain closes" closes
check "the rules are in place" ask firewall verify
fetch 1 4 https://www.example.com/
expect_refused "then it is refused"
fetch 1 4 https://short.weixin.qq.com/
expect_ok "and chat works"
lab_rules | sed '1a mode: audit' | set_rules
check "and back" ask reload
check_not "the last chain opens again" closes
fetch 1 6 https://www.example.com/
expect_ok "it passes again"

summary
