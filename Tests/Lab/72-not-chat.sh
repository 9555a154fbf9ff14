#!/usr/bin/env bash
# Staff may use WeChat, and no web, no video, no games: Channels, Moments, articles, games and pages
# are refused, at the addresses of chat as anywhere, and so are names and ports that merely look
# right. F12, F13, F33 of docs/field-notes.md.
# Variant: any
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

# page TEXT NAME ADDRESS: refused over HTTP and TLS.
page() {
  refused_unseen "$1: http" 1 get "$3" 80 --host "$2" --path /
  refused_unseen "$1: https" 1 get "$3" 443 --host "$2" --path / --tls "$2" --ca "$LAB/tls/ca.crt"
}

lab_up
chat_up
chat_gateway

for family in 4 6; do
  chat=$(address $family szshort.weixin.qq.com)
  for name in findershort.weixin.qq.com mmsns.qpic.cn game.weixin.qq.com; do
    page "F33: IPv$family: $name" $name "$(address $family $name)"
    page "F33: IPv$family: $name at an address of chat" $name "$chat"
  done
  refused_unseen "F33: IPv$family: a short link of Channels, at an address of chat" \
    1 short "$chat" 80 --host findershort.weixin.qq.com
  for name in www.example.com v.qq.com finder.video.qq.com mp.weixin.qq.com; do
    fetch 1 $family "https://$name/" --resolve "$name:443:$(bracketed "$(address $family $name)")"
    expect_refused "F33: IPv$family: https://$name"
  done

  # What the field notes' patterns would have let in.
  for name in short.weixin.qq.com.evil.example short-weixin.qq.com shortxweixinxqq.com \
    mmbiz.qpic.cn.evil.example mmbizaqpic.cn wxaqq.com wx-qq.com weixin-qq.com resxwx.qq.com; do
    refused_unseen "F13: IPv$family: $name" 1 get "$chat" 80 --host $name --path /
  done
  refused_unseen "F13: IPv$family: the same as a short link" \
    1 short "$chat" 80 --host short.weixin.qq.com.evil.example
  try_chat 1 short "$chat" 80 --host SZSHORT.weixin.qq.com
  expect_ok "F13: IPv$family: upper case is the same name"

  for port in 5222 5223 5228; do
    refused_unseen "F12: IPv$family: $port is not WeChat's" 1 long "$(address $family szlong.weixin.qq.com)" $port
  done
  refused_unseen "F12: IPv$family: 5222 at a server of notices" 1 raw "$(address $family mtalk.google.com)" 5222
  try_chat 1 get "$(address $family courier.push.apple.com)" 5223 --tls courier.push.apple.com \
    --ca "$LAB/tls/ca.crt" --host courier.push.apple.com --path /
  expect_ok "F12: IPv$family: 5223 is Apple's, for notices"
  try_chat 1 get "$(address $family mtalk.google.com)" 5228 --tls mtalk.google.com \
    --ca "$LAB/tls/ca.crt" --host mtalk.google.com --path /
  expect_ok "F12: IPv$family: 5228 is Google's, for notices"

  # Other programs of the same house, at addresses of chat.
  refused_unseen "IPv$family: Qzone's wns" 1 raw "$chat" 443 --hex 776e730000000000000000000000000000000000
  refused_unseen "IPv$family: a game, 64 bytes" 1 raw "$chat" 443 --hex "33660009$(printf '00%.0s' {1..60})"
  refused_unseen "IPv$family: a game, d8 5c" 1 raw "$chat" 8080 --hex "d85c0010$(printf '00%.0s' {1..12})"
  refused_unseen "IPv$family: a game's launcher" 1 raw "$chat" 443 --hex "550e0300$(printf '00%.0s' {1..48})"
  refused_unseen "IPv$family: its datagram" 1 datagram "$(address $family sz.tencent.com)" 8000 \
    --hex "75720010$(printf '00%.0s' {1..12})"
done
at_least "F33: the report names the features that are off" \
  "$(report_sum connections verdict=deny rule=wechat.channels reason=feature-off)" 10
at_least "F33: Moments" "$(report_sum connections verdict=deny rule=wechat.moments reason=feature-off)" 8
at_least "F33: games" "$(report_sum connections verdict=deny rule=wechat.mini-games reason=feature-off)" 8

summary
