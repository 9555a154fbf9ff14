#!/usr/bin/env bash
# Pictures, files and voice of WeChat at addresses that nobody names: while the device has a live
# long link, in valid frames only, within a budget. F31 of docs/field-notes.md.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

# new_rules LINE...: in force.
new_rules() {
  chat_rules "$@" | set_rules
  ask reload >/dev/null
}

lab_up
chat_up
chat_gateway

for family in 4 6; do
  media=$(bare $family wechat-media)
  refused_unseen "IPv$family: a picture without a long link" 1 media "$media" 443 --size 1000
  refused_unseen "IPv$family: the same as a form" 1 form "$media" 80 --size 1000
done
reasons "their reason" no-companion 4

for family in 4 6; do
  media=$(bare $family wechat-media)
  check "IPv$family: a long link" hold link 1 long "$(address $family szlong.weixin.qq.com)" 8080
  for port in 443 80 8080; do
    try_chat 1 media "$media" $port --size 65536 --messages 3
    expect_ok "IPv$family: three pieces of a picture, port $port"
    try_chat 1 form "$media" $port --size 65536 --messages 3
    expect_ok "F31: IPv$family: a picture as POST, port $port"
  done
  for number in 1 2 3 4; do
    rm -f "$LAB/run/part-$number"
    chat 1 form "$media" 80 --size 65536 --messages 2 >"$LAB/run/part-$number" &
  done
  for number in 1 2 3 4; do
    wait_until 20 test -s "$LAB/run/part-$number" || true
  done
  is "F31: IPv$family: a picture as parallel POSTs" \
    "$(cut -d ' ' -f 1 "$LAB"/run/part-* | sort | uniq -c | xargs)" '4 answered'
  try_chat 1 media "$media" 443 --size 9000 --cuts 1500,1500,1500,1500,1500
  expect_ok "F31: IPv$family: voice on a connection of its own, in pieces of 1.5 KB"

  refused_unseen "IPv$family: from another device, without a long link" 2 media "$media" 443
  refused_unseen "IPv$family: on a port that is not media's" 1 media "$media" 14000
  refused_unseen "IPv$family: an upload of QQ with WeChat's long link" 1 highway "$(bare $family qq-media)" 443
  refused_unseen "IPv$family: something else at that address" 1 raw "$media" 443 --text 'tunnel'
  refused_unseen "IPv$family: a page there" 1 get "$media" 80 --host www.example.com --path /

  # A tunnel that begins as a picture.
  before=$(chat_count "$media" raw)
  try_chat 1 media "$media" 443 --messages 2 --then 5353482d322e302d6f70656e
  expect_refused "IPv$family: something else after two frames"
  has "IPv$family: the frames had passed" "$DETAIL" after-answers=2
  is "IPv$family: nothing of the rest has" $(($(chat_count "$media" raw) - before)) 0

  let_go link
  expect_ok "IPv$family: the long link has lived through it all"
  # The gateway looks once a minute which connections have been closed, or when it is told to.
  kill -s USR1 "$(<"$LAB/pids/gateway")"
  sleep 0.5
  refused_unseen "IPv$family: a picture after the long link's end" 1 media "$media" 443
done
at_least "reason media-companion in the report" "$(report_sum connections verdict=allow reason=media-companion)" 24
at_least "reason malformed-frame" "$(report_sum connections verdict=deny reason=malformed-frame)" 2

check "a long link" hold link 1 long "$(address 4 szlong.weixin.qq.com)" 8080
media=$(bare 4 wechat-media)
check "and a picture that stays" hold picture 1 media "$media" 443
new_rules 'media: bound'
refused_unseen "media: bound: a picture to an unknown address" 1 media "$media" 443
at_least "media: bound: its reason" \
  "$(report_sum connections verdict=deny reason=address-not-learned)" 1
wait_until 2 finished picture || true
let_go picture
is "media: bound: the one that stayed has ended" "$OUTCOME" reset
new_rules 'media: off'
refused_unseen "media: off" 1 media "$media" 443
at_least "media: off: its reason" "$(report_sum connections verdict=deny reason=media-off)" 1

new_rules 'mediaBudget: 20MB'
try_chat 1 media "$media" 443 --size 65536 --messages 4
expect_ok "mediaBudget: a small picture"
check "a long link of the other phone" hold other 2 long "$(address 4 szlong.weixin.qq.com)" 8080
before=$(chat_bytes "$media")
try_chat 1 media "$media" 443 --size 65536 --messages 600
is "mediaBudget: 39 MB when 20 MB are left are ended" "$OUTCOME" reset
at_most "mediaBudget: bytes of it at the server" $(($(chat_bytes "$media") - before)) 20000000
before=$(chat_bytes "$media")
try_chat 1 media "$media" 443
expect_refused "mediaBudget: the next one is refused"
is "mediaBudget: bytes of it at the server" $(($(chat_bytes "$media") - before)) 0
at_least "mediaBudget: its reason" "$(report_sum connections verdict=deny reason=media-budget)" 1
try_chat 2 media "$media" 443 --size 1000
expect_ok "mediaBudget: the other phone has its own"
let_go other
let_go link
expect_ok "the long link has lived through it all"

summary
