#!/usr/bin/env bash
# QUIC, Google's and IETF's: refused by an ICMP error at its first datagram, always, so that the
# programs fall back at once; its name is in the report. A line of the rules can allow it. F18 of
# docs/field-notes.md.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

lab_up
chat_up
chat_gateway

# hundred TEXT SCRIPT ADDRESS [OPTION...]
hundred() {
  local text=$1 outcome count slowest detail
  read -r outcome count slowest detail < <(chat 1 "$2" "$3" 443 "${@:4}" --count 100 --timeout 0.5)
  is "F18: $text: answered by an error, all of them" "$outcome $count" 'refused 100'
  at_most "F18: $text: slowest in ms" "${slowest%.*}" "$REFUSAL_LIMIT_MS"
  at_most "F18: $text: ms for the hundred" "${detail##*all-in-ms=}" 1000
}

for family in 4 6; do
  here=$(bare $family stranger)
  hundred "IPv$family, Google's QUIC" gquic "$here" --host szquic.weixin.qq.com
  hundred "IPv$family, QUIC" quic "$here" --host www.example.com --version 1
  hundred "IPv$family, QUIC 2" quic "$here" --host www.example.com --version 2
  hundred "IPv$family, neither" datagram "$here" --hex 40a1a2a3a4a5a6a7
  try_chat 1 gquic "$(address $family szshort.weixin.qq.com)" 443 --host szshort.weixin.qq.com
  expect_refused "F18: IPv$family: at an allowed server, for an allowed name"
  fetch 1 $family https://short.weixin.qq.com/
  expect_ok "F18: IPv$family: and TCP follows at once"
done
is "F18: bytes that arrived" "$(chat_count all gquic) $(chat_count all quic) $(chat_bytes "$(bare 4 stranger)")" '0 0 0'
reasons "F18: the report names what was wanted, and its switch" feature-off 200 \
  host=szquic.weixin.qq.com rule=wechat.quic verdict=deny
reasons "F18: or that it was QUIC, for a name without a switch" quic 400 host=www.example.com verdict=deny

{
  chat_rules
  printf 'allow:\n  - {host: captive.apple.com, protocol: quic, ports: [443]}\n'
} | set_rules
check "a line with protocol: quic" ask reload
for family in 4 6; do
  here=$(address $family captive.apple.com)
  for version in 1 2; do
    try_chat 1 quic "$here" 443 --host captive.apple.com --version $version --messages 3
    expect_ok "IPv$family: QUIC $version to that name, and what follows"
  done
  try_chat 1 gquic "$here" 443 --host captive.apple.com --messages 3
  expect_ok "IPv$family: Google's QUIC to that name"
  try_chat 1 quic "$here" 443 --host www.example.com --version 1
  expect_refused "IPv$family: another name there"
  try_chat 1 quic "$(bare $family stranger)" 443 --host captive.apple.com --version 1
  expect_refused "IPv$family: that name elsewhere"
done

summary
