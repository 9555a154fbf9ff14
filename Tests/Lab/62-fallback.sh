#!/usr/bin/env bash
# When something fails the programs try the next thing, and the gateway is not in the way: closed
# ports, a dead resolver, addresses that a phone remembers. F15, F17 of docs/field-notes.md.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

lab_up
chat_up
chat_gateway

for family in 4 6; do
  try_chat 1 long "$(address $family hklong.weixin.qq.com)" 8080,80
  expect_ok "F17: IPv$family: nothing listens on 8080: the long link falls back"
  has "F17: IPv$family: to port 80" "$DETAIL" port=80
  try_chat 1 long "$(bare $family stranger)" 8080
  expect_refused "F19: IPv$family: a refusal is a reset, at once: the program walks its list"

  # Looked up while the request is held: no rule names this one, only its suffix, and nobody asked.
  try_chat 2 get "$(address $family lab.ftn.qq.com)" 443 --tls lab.ftn.qq.com --ca "$LAB/tls/ca.crt" \
    --host lab.ftn.qq.com --path /
  expect_ok "IPv$family: a phone with a remembered address, at once"
done

end resolver
check_not "F15: DNS fails" on_phone 1 getent ahostsv4 szlong.weixin.qq.com
for family in 4 6; do
  for port in 8080 443 80; do
    try_chat 1 long "$(bare $family built-in-long)" $port
    expect_ok "F15: IPv$family: the long link at a built-in address, port $port"
  done
  try_chat 1 newgetdns "$(bare $family built-in-dns)" 8080
  expect_ok "F15: IPv$family: newgetdns at a built-in address, by its address alone"
  try_chat 1 short "$(bare $family taught)" 80
  expect_ok "F15: IPv$family: and a server that it named"
  try_chat 1 long "$(address $family szlong.weixin.qq.com)" 8080
  expect_ok "F15: IPv$family: a server that was learned before"
done
try_chat 1 msf "$(bare 4 built-in-msf)" 8080
expect_ok "F15: IPv4: QQ at a built-in address, on its port"
try_chat 1 msf "$(bare 6 built-in-msf)" 14000
expect_ok "F15: IPv6: QQ at a built-in address, on its port"

# A built-in address opens the look at the first bytes, no more.
refused_unseen "a page at a built-in address" 1 get "$(bare 4 built-in-long)" 80 --host www.example.com --path /
refused_unseen "QQ at a built-in address of WeChat" 1 msf "$(bare 4 built-in-long)" 8080
refused_unseen "WeChat at a built-in address of QQ" 1 long "$(bare 4 built-in-msf)" 8080
refused_unseen "QQ at its built-in address, on another port" 1 msf "$(bare 4 built-in-msf)" 443
refused_unseen "something else at a built-in address" 1 raw "$(bare 4 built-in-long)" 8080 --text 'hello?'

# What was learned survives a restart without any DNS.
stop_gateway
start_gateway
for family in 4 6; do
  try_chat 1 long "$(address $family szlong.weixin.qq.com)" 8080
  expect_ok "F15: IPv$family: after a restart, DNS still dead: the long link"
  try_chat 1 short "$(bare $family taught)" 80 --host tjshort.weixin.qq.com
  expect_ok "F15: IPv$family: and what newgetdns named"
done

summary
