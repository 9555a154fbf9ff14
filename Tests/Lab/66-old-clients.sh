#!/usr/bin/env bash
# The long link of old clients, whose header is in clear, and what one dissector took it for.
# F27, F28 of docs/field-notes.md.
# Variant: any
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

lab_up
chat_up
chat_gateway

for family in 4 6; do
  server=$(address $family szlong.weixin.qq.com)
  for port in 8080 80 443; do
    try_chat 1 old-long "$server" $port --messages 3
    expect_ok "F27: IPv$family: a heartbeat and a packet of 0xca bytes in one segment, port $port"
  done
  try_chat 1 old-long "$server" 8080 --cuts 1,9,4,6,30
  expect_ok "F27: IPv$family: the same in pieces"
  refused_unseen "F27: IPv$family: the same at a server that nobody named" \
    1 old-long "$(bare $family stranger)" 8080
  refused_unseen "F27: IPv$family: the 20-byte header of the open library" 1 raw "$server" 8080 \
    --hex 0000001400000014000000060000000100000000

  refused_unseen "F28: IPv$family: a ping behind the header: a newline makes no packet" 1 raw "$server" 8080 \
    --hex 000000100010000100000006000000010a68656c6c6f
  refused_unseen "F28: IPv$family: a line of text on 8080 is no HTTP" 1 raw "$server" 8080 --text 'ping\n'
  for port in 81 3128 8000; do
    refused_unseen "F28: IPv$family: port $port" 1 long "$server" $port
  done
done
at_least "F28: reason malformed-frame" "$(report_sum connections verdict=deny reason=malformed-frame)" 2
reasons "F28: reason of the ports" port-not-allowed 6

summary
