#!/usr/bin/env bash
# A switch of the rules file cuts exactly what it names, on live connections too.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

lab_up
chat_up
chat_gateway

# What runs meanwhile, by the feature that allows it.
declare -rA RUNNING=(
  [long-link]=wechat.messaging
  [pictures-by-name]=wechat.pictures
  [pictures-without-a-name]=wechat.pictures
  [avatars]=wechat.messaging
  [msf]=qq.messaging
  [qq-pictures]=qq.pictures
)

# everything FAMILY: starts all of it.
everything() {
  local family=$1
  check "IPv$family: long link" hold long-link 1 long "$(address "$family" szlong.weixin.qq.com)" 8080
  check "IPv$family: pictures by name" hold pictures-by-name 1 get "$(address "$family" emoji.qpic.cn)" 443 \
    --tls emoji.qpic.cn --ca "$LAB/tls/ca.crt" --host emoji.qpic.cn --path /
  check "IPv$family: pictures without a name" hold pictures-without-a-name 1 \
    media "$(bare "$family" wechat-media)" 443
  check "IPv$family: avatars" hold avatars 1 get "$(address "$family" support.weixin.qq.com)" 80 \
    --host support.weixin.qq.com --path /
  check "IPv$family: MSF" hold msf 1 msf "$(address "$family" msfxg.3g.qq.com)" 8080
  check "IPv$family: QQ's pictures" hold qq-pictures 1 highway "$(bare "$family" qq-media)" 443
}

# cut FAMILY LINE FEATURE...: with these rules exactly what those features allow ends.
cut() {
  local family=$1 line=$2 name expected
  shift 2
  everything "$family"
  printf 'version: 1\nservices:\n%s\n' "$line" | set_rules
  check "IPv$family: reload" ask reload
  # Up to a second, and a few messages.
  sleep 1.2
  for name in "${!RUNNING[@]}"; do
    expected=ok
    [[ " $* " != *" ${RUNNING[$name]} "* ]] || expected=reset
    let_go "$name"
    is "IPv$family: $line: $name" "$OUTCOME" $expected
  done
  chat_rules | set_rules
  ask reload >/dev/null
}

for family in 4 6; do
  cut $family '  wechat: {pictures: off}' wechat.pictures
  cut $family '  qq: {pictures: off}' qq.pictures
  cut $family '  qq: off' qq.messaging qq.pictures
  cut $family '  push: off'
done

# And nothing new of it begins.
printf 'version: 1\nservices:\n  wechat: {pictures: off}\n' | set_rules
check "wechat: {pictures: off}" ask reload
check "a long link" hold link 1 long "$(address 4 szlong.weixin.qq.com)" 8080
refused_unseen "a picture without a name" 1 media "$(bare 4 wechat-media)" 443
refused_unseen "one by name" 1 get "$(address 4 emoji.qpic.cn)" 80 --host emoji.qpic.cn --path /
at_least "the reason" "$(report_sum connections verdict=deny reason=feature-off rule=wechat.pictures)" 2
let_go link
expect_ok "the long link lives"

summary
