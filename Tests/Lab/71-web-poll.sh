#!/usr/bin/env bash
# WeChat in a browser: off as delivered; with `web: on` its poll, for which the server is silent for
# 27 s, survives. The short form polls for 3 s; LAB_LONG=1 for 27. F29 of docs/field-notes.md.
# Variant: any
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

poll_for=3
[[ -z ${LAB_LONG:-} ]] || poll_for=27
readonly POLL=$poll_for

lab_up
chat_up
chat_gateway

synccheck="/cgi-bin/mmwebwx-bin/synccheck?wait=$POLL"

for family in 4 6; do
  for name in webpush.weixin.qq.com wx.qq.com; do
    refused_unseen "F29: IPv$family: off as delivered: http://$name" \
      1 get "$(address $family $name)" 80 --host $name --path "$synccheck"
    refused_unseen "F29: IPv$family: https://$name" 1 get "$(address $family $name)" 443 --host $name \
      --path "$synccheck" --tls $name --ca "$LAB/tls/ca.crt"
  done
done
reasons "F29: their reason" feature-off 8 rule=wechat.web

printf 'version: 1\nservices:\n  wechat: {web: on}\n  qq: on\n' | set_rules
check "web: on" ask reload
polls=()
for family in 4 6; do
  here=$(address $family webpush.weixin.qq.com)
  polls+=("IPv$family-http" "IPv$family-https")
  spawn "IPv$family-http" "${LAB_PHONE_PREFIX}1" python3 -E -s -B "$LAB_SCRIPTS/chat-client.py" get "$here" 80 \
    --host webpush.weixin.qq.com --path "$synccheck" --messages 2 --timeout 40
  spawn "IPv$family-https" "${LAB_PHONE_PREFIX}1" python3 -E -s -B "$LAB_SCRIPTS/chat-client.py" get "$here" 443 \
    --host webpush.weixin.qq.com --path "$synccheck" --messages 2 --timeout 40 \
    --tls webpush.weixin.qq.com --ca "$LAB/tls/ca.crt"
done
for name in "${polls[@]}"; do
  wait_until 90 finished "$name" || true
  is "F29: $name: two polls of $POLL s on one connection" "$(cut -d ' ' -f 1 "$LAB/log/$name")" answered
done
for family in 4 6; do
  for path in webwxsync webwxsendmsg; do
    try_chat 1 get "$(address $family wx.qq.com)" 443 --host wx.qq.com --path "/cgi-bin/mmwebwx-bin/$path" \
      --tls wx.qq.com --ca "$LAB/tls/ca.crt"
    expect_ok "F29: IPv$family: $path"
  done
done

summary
