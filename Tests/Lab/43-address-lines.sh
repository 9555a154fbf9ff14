#!/usr/bin/env bash
# An address line allows whatever is spoken there: a server that speaks first, a protocol that
# nobody knows, datagrams. At other addresses, ports and transports it allows nothing.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
lab_rules - <<END | set_rules
  - {address: $(address 4 sink.example.com), ports: [22], protocol: tcp, note: a printer}
  - {address: $(address 6 sink.example.com)/128, ports: [22], protocol: tcp}
  - {address: $(address 4 sink.example.com), ports: [8000], protocol: udp}
  - {address: $(address 6 sink.example.com)/128, ports: [8000], protocol: udp}
END
start_gateway

for family in 4 6; do
  sink=$(address $family sink.example.com)
  try_probe 1 tcp "$sink" 22 --text 'no protocol that we know'
  expect_ok "IPv$family: TCP"
  is "IPv$family: ten datagrams" "$(probe 1 udp "$sink" 8000 --count 10 | cut -d ' ' -f 1,2)" \
    'answered 10'
  try_probe 1 tcp "$sink" 8080 --text 'no protocol that we know'
  expect_refused "IPv$family: another port"
  try_probe 1 udp "$sink" 443
  expect_refused "IPv$family: datagrams to another port"
  try_probe 1 tcp "$(address $family sink.example.org)" 22
  expect_refused "IPv$family: another address"
  try_probe 1 udp "$(address $family sink.example.org)" 8000
  expect_refused "IPv$family: datagrams to another address"
done
is "connections in the report" "$(report_sum connections verdict=allow reason=address-allowed)" 22

# Datagrams are judged one by one: a flow that is no longer allowed ends with the next one.
lab_rules | set_rules
check "reload" ask reload
try_probe 1 udp "$(address 4 sink.example.com)" 8000
expect_refused "no longer allowed"

summary
