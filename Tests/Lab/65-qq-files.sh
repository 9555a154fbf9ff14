#!/usr/bin/env bash
# QQ's pictures and files: uploads to bare addresses while MSF lives, the relay by its name on 443,
# and no peers. F7, F8, F9 of docs/field-notes.md.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

lab_up
chat_up
chat_gateway

# A peer on the other phone: what stays in the LAN is not the gateway's business.
: >"$LAB/log/peer-bytes"
spawn peer "${LAB_PHONE_PREFIX}2" python3 -I "$LAB_SCRIPTS/sink.py" \
  --log "$LAB/log/peer-bytes" --ready "$LAB/run/peer.ready" --tcp 443 --udp 8000 \
  "$(phone 2 4)" "$(phone 2 6)"
wait_until 5 test -e "$LAB/run/peer.ready"

for family in 4 6; do
  refused_unseen "IPv$family: an upload without MSF" 1 highway "$(bare $family qq-media)" 443 --size 1000
done
for family in 4 6; do
  media=$(bare $family qq-media)
  check "IPv$family: MSF" hold msf 1 msf "$(address $family msfxg.3g.qq.com)" 8080
  for port in 80 443 8080; do
    try_chat 1 highway "$media" $port --size 200000 --messages 3
    expect_ok "F7: IPv$family: a picture, or an emoji of one's own, port $port"
  done
  refused_unseen "IPv$family: from another device" 2 highway "$media" 443
  refused_unseen "IPv$family: media of WeChat with QQ's MSF" 1 media "$(bare $family wechat-media)" 443
  before=$(chat_count "$media" raw)
  try_chat 1 highway "$media" 443 --size 1000 --messages 2 --then 5353482d322e302d6f70656e
  expect_refused "IPv$family: something else after two frames"
  is "IPv$family: nothing of it has passed" $(($(chat_count "$media" raw) - before)) 0
  let_go msf
  expect_ok "IPv$family: MSF has lived through it all"

  try_chat 1 get "$(address $family lab.ftn.qq.com)" 443 --tls lab.ftn.qq.com --ca "$LAB/tls/ca.crt" \
    --host lab.ftn.qq.com --path / --messages 3
  expect_ok "F7: IPv$family: a file through the relay, by name on 443"
  try_chat 1 get "$(address $family htdata3.qq.com)" 80 --host htdata3.qq.com --path /
  expect_ok "F7: IPv$family: a picture over HTTP, by name"

  refused_unseen "F7: IPv$family: a file to a peer's address" 1 raw "$(bare $family stranger)" 443 --text file
  is "F8: IPv$family: thirty tries to reach a peer by UDP" \
    "$(chat 1 datagram "$(bare $family stranger)" 8001 --hex 28000000000000000000 --count 30 --timeout 0.5 \
      | cut -d ' ' -f 1,2)" 'refused 30'
  try_outside udp "$(phone 1 $family)" 8001
  expect_refused "F8: IPv$family: and the peer's own try from outside"

  before=$(visits)
  is "F9: IPv$family: a peer behind the same router, UDP" \
    "$(chat 1 datagram "$(phone 2 $family)" 8000 --hex 2800000000 --messages 5 | cut -d ' ' -f 1)" answered
  is "F9: IPv$family: and TCP" "$(chat 1 raw "$(phone 2 $family)" 443 --text file | cut -d ' ' -f 1)" answered
  is "F9: IPv$family: none of it crosses the gateway" $(($(visits) - before)) 0
done
is "F8: bytes that reached the peer" \
  "$(($(chat_bytes "$(bare 4 stranger)") + $(chat_bytes "$(bare 6 stranger)")))" 0

summary
