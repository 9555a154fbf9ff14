#!/usr/bin/env bash
# QQ sessions: MSF of phones and QQNT on its four ports, classic QQ over UDP 8000 and TCP.
# The checks name the rows of docs/field-notes.md.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

lab_up
chat_up
chat_gateway

for family in 4 6; do
  msf=$(address $family msfxg.3g.qq.com)
  for port in 8080 443 80 14000; do
    try_chat 1 msf "$msf" $port --messages 3 --uin $CHAT_UIN
    expect_ok "F2, F21: IPv$family: MSF on $port: login, message, heartbeats"
  done
  try_chat 1 msf "$msf" 8080 --cuts 3,1,6,4
  expect_ok "F2: IPv$family: MSF, a login in pieces"
  try_chat 1 msf "$(address $family msfxgv6.3g.qq.com)" 8080,443,80,14000
  expect_ok "F21: IPv$family: a server with nothing open but 14000"
  has "F21: IPv$family: that was the last port" "$DETAIL" port=14000

  oicq=$(address $family sz.tencent.com)
  try_chat 1 oicq "$oicq" 8000 --messages 5 --uin $CHAT_UIN
  expect_ok "F2: IPv$family: text over UDP, each datagram answered"
  is "F2: IPv$family: twenty datagrams, each from a port of its own" \
    "$(chat 1 oicq "$oicq" 8000 --count 20 | cut -d ' ' -f 1,2)" 'answered 20'
  try_chat 2 oicq "$oicq" 8000 --then 000200400000000000000003
  expect_refused "IPv$family: every datagram is judged: another one on the same flow"
  has "IPv$family: the first had passed" "$DETAIL" after-answers=1
  refused_unseen "IPv$family: QQ PC manager on the same port" 1 datagram "$oicq" 8000 \
    --hex 000200400000000000000003
  refused_unseen "IPv$family: something else that begins with 02 and ends with 03" \
    1 datagram "$oicq" 8000 --hex 020101020304050607080900ff03
  refused_unseen "IPv$family: OICQ on another port" 1 oicq "$oicq" 8001

  pc=$(address $family tcpconn.tencent.com)
  try_chat 1 oicq "$(address $family sz2.tencent.com)" 8000
  is "F4: IPv$family: the server's UDP 8000 is closed" "$OUTCOME" icmp
  for port in 80 443 8000; do
    try_chat 1 pcqq "$pc" $port --messages 5 --uin $CHAT_UIN
    expect_ok "F4: IPv$family: then TCP $port, which is enough"
  done
  refused_unseen "F4: IPv$family: UDP 8000 of a server that nobody named: an error, no silence" \
    1 oicq "$(bare $family stranger)" 8000
  refused_unseen "IPv$family: WeGame's framing, at a server that nobody named" \
    1 pcqq "$(bare $family stranger)" 80

  try_chat 1 get "$(address $family msfhttp.3g.qq.com)" 80 --host msfhttp.3g.qq.com --path /
  expect_ok "F5: IPv$family: login over HTTP, by its Host"
  try_chat 1 msf "$(address $family msfhttp.3g.qq.com)" 80
  expect_ok "F5: IPv$family: or MSF there"

  try_chat 1 get "$(address $family 3gimg.qq.com)" 80 --host 3gimg.qq.com --path /
  expect_ok "F20: IPv$family: 3gimg.qq.com"
  fetch 1 $family https://msfwifi.3g.qq.com/
  expect_ok "F20: IPv$family: msfwifi.3g.qq.com"
  for name in monitor.uu.qq.com kiss.3g.qq.com; do
    refused_unseen "F20: IPv$family: $name" 1 get "$(address $family $name)" 80 --host $name --path /
  done

  refused_unseen "F11: IPv$family: 14000 is QQ's: WeChat's long link there" \
    1 long "$(address $family szlong.weixin.qq.com)" 14000
  refused_unseen "F11: IPv$family: a voice file of no known form there" \
    1 raw "$msf" 14000 --hex 23215349 --text LK_V3
done

effective=$(imgate check --config "$LAB/imgate.yaml" --rules "$LAB/rules.yaml" --packs "$LAB_PACKS" --effective)
has "F6: built-in servers are listed" "$effective" "known   $(bare 4 built-in-msf) "
check_not "F6: the server of an old note is none of them" grep -q '124\.115\.11\.81' <<<"$effective"
at_least "the report has it under qq.messaging" "$(report_sum connections verdict=allow rule=qq.messaging)" 40
is "nobody else's server has had a byte" \
  "$(($(chat_bytes "$(bare 4 stranger)") + $(chat_bytes "$(bare 6 stranger)")))" 0

summary
