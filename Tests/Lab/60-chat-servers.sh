#!/usr/bin/env bash
# The chat servers and sessions by themselves, without a gateway: everything that later tests let
# through or refuse works here, and what arrives is counted.
# Variant: any
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

lab_up
check "sizes and test values of the bytes" python3 -E -s -B "$LAB_SCRIPTS/chatbytes.py"
chat_up

# served TEXT WHAT SCRIPT ADDRESS PORTS [OPTION...]
served_as() {
  local text=$1 what=$2 before
  shift 2
  before=$(chat_count "$2" "$what")
  try_chat 1 "$@"
  expect_ok "$text"
  at_least "$text: the server understood" $(($(chat_count "$2" "$what") - before)) 1
}

for family in 4 6; do
  here=$(bare $family stranger)
  for port in 8080 443 80; do
    served_as "IPv$family: long link, port $port" mmtls-message long "$here" $port --messages 3
  done
  served_as "IPv$family: long link, first contact" mmtls-hello long "$here" 8080 --first
  served_as "IPv$family: long link of 2020" mmtls-hello long "$here" 8080 --version f103
  served_as "IPv$family: long link inside TLS" tls long "$(address $family szlong.weixin.qq.com)" 443 \
    --tls szlong.weixin.qq.com --ca "$LAB/tls/ca.crt"
  served_as "IPv$family: long link of old clients" clear-packet old-long "$here" 8080
  served_as "IPv$family: short link" short-link short "$here" 80 --host szshort.weixin.qq.com --messages 2
  served_as "IPv$family: request of old clients" cgi cgi "$here" 80 --host szshort.weixin.qq.com --path getprofile
  served_as "IPv$family: newgetdns" newgetdns newgetdns "$here" 8080 --host dns.weixin.qq.com
  has "IPv$family: newgetdns: and the client can read it" "$DETAIL" 4-names
  served_as "IPv$family: media frames" media-frame media "$here" 443 --messages 3 --size 65536
  served_as "IPv$family: media form" media-form form "$here" 80 --size 65536
  served_as "IPv$family: MSF" msf-heartbeat msf "$here" 14000 --messages 3
  served_as "IPv$family: OICQ" oicq oicq "$here" 8000 --messages 2
  served_as "IPv$family: OICQ over TCP" pc-qq pcqq "$here" 80 --messages 2
  served_as "IPv$family: Highway" highway-frame highway "$here" 443 --messages 2 --size 65536
  served_as "IPv$family: Google's QUIC" gquic gquic "$here" 443 --host szquic.weixin.qq.com
  served_as "IPv$family: QUIC" quic quic "$here" 443 --host www.example.com --version 1
  served_as "IPv$family: QUIC 2" quic quic "$here" 443 --host www.example.com --version 2
  served_as "IPv$family: time" ntp ntp "$here" 123
  served_as "IPv$family: a page" page get "$here" 80 --host game.weixin.qq.com --path /
  served_as "IPv$family: the same over TLS" tls get "$(address $family game.weixin.qq.com)" 443 \
    --host game.weixin.qq.com --path / --tls game.weixin.qq.com --ca "$LAB/tls/ca.crt"
  served_as "IPv$family: a reply in chunks" chunked get "$here" 80 --host support.weixin.qq.com \
    --path /cgi-bin/micromsg-bin/reportdevice
  served_as "IPv$family: the poll of the web version" web-poll get "$here" 80 --host webpush.weixin.qq.com \
    --path '/cgi-bin/mmwebwx-bin/synccheck?wait=0.5'
  served_as "IPv$family: nothing that anybody knows" raw raw "$here" 5222 --text 'what is this?'
  served_as "IPv$family: something after media frames" raw media "$here" 443 --then 474554202f
  try_chat 1 long "$(address $family hklong.weixin.qq.com)" 8080,80
  expect_ok "IPv$family: closed on 8080, then 80"
  has "IPv$family: that was port 80" "$DETAIL" port=80
  try_chat 1 msf "$(address $family msfxgv6.3g.qq.com)" 8080,443,80
  is "IPv$family: nothing open but 14000" "$OUTCOME" reset
  try_chat 1 oicq "$(address $family sz2.tencent.com)" 8000
  is "IPv$family: nothing open at all" "$OUTCOME" icmp
done
check "a session that stays" hold staying 1 long "$(bare 4 stranger)" 8080
let_go staying
expect_ok "and ends"
at_least "all that arrived was counted" "$(chat_bytes "$(bare 4 stranger)")" 400000
is "the other phone has said nothing" "$(chat 2 get "$(bare 4 stranger)" 82 --host x --path / | cut -d ' ' -f 1)" refused

summary
