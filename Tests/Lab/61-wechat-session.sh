#!/usr/bin/env bash
# A WeChat session as the field notes describe it: names, HTTP DNS, long link, short links, avatars.
# The checks name the rows of docs/field-notes.md.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

# session SCRIPT TEXT NAME PORT [OPTION...]: phone 1, over `family`, at the name's own address.
session() {
  try_chat 1 "$1" "$(address "$family" "$3")" "${@:4}"
  expect_ok "$2"
}

lab_up
chat_up
chat_gateway

# What only WeChat's own name service can tell is not known yet.
for family in 4 6; do
  refused_unseen "F22: IPv$family: before newgetdns: the server that it will name" \
    1 short "$(bare $family taught)" 80 --host tjshort.weixin.qq.com
  refused_unseen "F22: IPv$family: the same without a name" 1 short "$(bare $family taught)" 80
  refused_unseen "F22: IPv$family: newgetdns at an address that nobody named" \
    1 newgetdns "$(bare $family stranger)" 8080 --host dns.weixin.qq.com
done
reasons "F22: their reason" address-not-learned 6

for family in 4 6; do
  for name in dns.weixin.qq.com szlong.weixin.qq.com szshort.weixin.qq.com support.weixin.qq.com \
    wx.qlogo.cn; do
    check "F14: IPv$family: DNS answers for $name" on_phone 1 getent ahostsv$family $name
  done
  session newgetdns "F14, F22: IPv$family: newgetdns on 8080" dns.weixin.qq.com 8080 \
    --host dns.weixin.qq.com --uin $CHAT_UIN
  has "F22: IPv$family: it is read whole" "$DETAIL" 4-names
  session newgetdns "F22: IPv$family: newgetdns on 80, as in 2014" dns.weixin.qq.com 80 \
    --host dns.weixin.qq.com
  # At once: the answer was learned before the phone had it.
  try_chat 1 short "$(bare $family taught)" 80 --host tjshort.weixin.qq.com
  expect_ok "F22: IPv$family: the server that it named, at once"
  try_chat 1 short "$(bare $family taught)" 80
  expect_ok "F22: IPv$family: the same with an address for a Host"

  for port in 8080 443 80; do
    session long "F1, F10, F14, F23: IPv$family: long link on $port: login, two messages" \
      szlong.weixin.qq.com $port --messages 3
    session short "F10, F17: IPv$family: short link on $port" szshort.weixin.qq.com $port \
      --host szshort.weixin.qq.com
  done
  session long "F1: IPv$family: first contact, without a ticket" szlong.weixin.qq.com 8080 --first
  session long "F1: IPv$family: an mmtls of 2020" szlong.weixin.qq.com 8080 --version f103
  session long "F1: IPv$family: a hello in three pieces" szlong.weixin.qq.com 8080 --cuts 1,4,60
  session short "F14: IPv$family: three requests on one short link" szshort.weixin.qq.com 80 \
    --host szshort.weixin.qq.com --messages 3
  session short "F14: IPv$family: a request in pieces" szshort.weixin.qq.com 80 \
    --host szshort.weixin.qq.com --cuts 10,200,100
  session long "F32: IPv$family: the long link inside TLS" szlong.weixin.qq.com 443 \
    --tls szlong.weixin.qq.com --ca "$LAB/tls/ca.crt" --messages 3
  fetch 1 $family https://long.weixin.qq.com/
  expect_ok "F32: IPv$family: HTTPS at a long link's name"
  fetch 1 $family https://short.weixin.qq.com/
  expect_ok "F16: IPv$family: HTTPS, as at registration"
  for name in getprofile whatsnews downloadpackage reportstrategy kvreport; do
    session cgi "F24: IPv$family: POST $name, as old clients do" szshort.weixin.qq.com 80 \
      --host szshort.weixin.qq.com --path $name
  done
  fetch 1 $family http://wx.qlogo.cn/
  expect_ok "F25: IPv$family: an avatar"
  session get "F25: IPv$family: reportdevice, with a reply in chunks" support.weixin.qq.com 80 \
    --host support.weixin.qq.com --path /cgi-bin/micromsg-bin/reportdevice
done

# F1: a program on a computer that logs in: a burst of names, then many connections at once.
for number in {1..20}; do
  chat 2 long "$(address $((number % 2 ? 4 : 6)) szlong.weixin.qq.com)" 8080,80 >"$LAB/run/burst-$number" &
done
for number in {1..20}; do
  wait_until 20 test -s "$LAB/run/burst-$number" || true
done
is "F1: twenty long links at once" "$(cut -d ' ' -f 1 "$LAB"/run/burst-* | sort | uniq -c | xargs)" '20 answered'

learned=$(ask status --addresses)
has "F22: what newgetdns named is listed" "$learned" "$(bare 4 taught)"
check_not "F22: what no rule allows was not learned from it" grep -q "$(bare 4 stranger)" <<<"$learned"
at_least "the report has it under wechat.messaging" "$(report_sum connections rule=wechat.messaging)" 40
is "nobody else's server has had a byte" "$(chat_bytes "$(bare 4 stranger)")" 0

summary
