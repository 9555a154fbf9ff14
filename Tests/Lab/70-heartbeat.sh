#!/usr/bin/env bash
# A heartbeat that sleeps between its beats is still allowed. The short form shortens the kernel's
# memory of idle connections along with the sleep; LAB_LONG=1 sleeps ten minutes with the real one.
# F26 of docs/field-notes.md.
# Variant: any
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

sleep_for=3 messages=3
[[ -z ${LAB_LONG:-} ]] || sleep_for=600 messages=2
readonly IDLE=$sleep_for MESSAGES=$messages

lab_up
chat_up
chat_gateway

at_least "F26: seconds that the kernel remembers an idle TCP connection" \
  "$(on_router sysctl -n net.netfilter.nf_conntrack_tcp_timeout_established)" 900
at_least "F26: and datagrams that were answered" \
  "$(on_router sysctl -n net.netfilter.nf_conntrack_udp_timeout_stream)" 360
[[ -n ${LAB_LONG:-} ]] || on_router sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=5

# beat NAME SCRIPT ADDRESS PORT [OPTION...]: messages with sleep between them, in the background.
beats=()
beat() {
  beats+=("$1")
  spawn "$1" "${LAB_PHONE_PREFIX}1" python3 -E -s -B "$LAB_SCRIPTS/chat-client.py" "${@:2}" \
    --messages "$MESSAGES" --idle "$IDLE"
}
for family in 4 6; do
  beat "IPv$family-long-link" long "$(address $family szlong.weixin.qq.com)" 8080
  beat "IPv$family-long-link-of-old-clients" old-long "$(address $family szlong.weixin.qq.com)" 80
  beat "IPv$family-MSF" msf "$(address $family msfxg.3g.qq.com)" 14000
  beat "IPv$family-QQ-over-TCP" pcqq "$(address $family tcpconn.tencent.com)" 80
  beat "IPv$family-short-link" short "$(address $family szshort.weixin.qq.com)" 80 --host szshort.weixin.qq.com
  beat "IPv$family-HTTP" get "$(address $family szshort.weixin.qq.com)" 80 --host szshort.weixin.qq.com --path /
  beat "IPv$family-TLS" get "$(address $family emoji.qpic.cn)" 443 --host emoji.qpic.cn --path / \
    --tls emoji.qpic.cn --ca "$LAB/tls/ca.crt"
  beat "IPv$family-OICQ" oicq "$(address $family sz.tencent.com)" 8000
done
for name in "${beats[@]}"; do
  wait_until $(((MESSAGES - 1) * IDLE + 20)) finished "$name" || true
  is "F26: $name, asleep for $IDLE s" "$(cut -d ' ' -f 1 "$LAB/log/$name")" answered
done

# Forgotten by the kernel, it is refused with a reset and comes back at once.
if [[ -z ${LAB_LONG:-} ]]; then
  on_router sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=1
  try_chat 1 long "$(address 4 szlong.weixin.qq.com)" 8080 --messages 2 --idle 3
  is "F26: a connection that the kernel has forgotten" "$OUTCOME" reset
  try_chat 1 long "$(address 4 szlong.weixin.qq.com)" 8080
  expect_ok "F26: connects anew"
fi

summary
