#!/usr/bin/env bash
# Flows that look right and lead to an address that nobody learned: refused, and not one byte of them
# arrives. With `binding: off` the looks are enough, with `observe` they pass and are marked.
# Variant: any
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

# forged: every protocol, to the stranger's addresses.
forged() {
  local family here port
  for family in 4 6; do
    here=$(bare $family stranger)
    "$1" "IPv$family: mmtls" 1 long "$here" 8080
    "$1" "IPv$family: mmtls, first contact, port 443" 1 long "$here" 443 --first
    "$1" "IPv$family: the long link of old clients" 1 old-long "$here" 80
    "$1" "IPv$family: a short link with an allowed Host" 1 short "$here" 80 --host szshort.weixin.qq.com
    "$1" "IPv$family: a short link with its address for a Host" 1 short "$here" 80
    "$1" "IPv$family: newgetdns" 1 newgetdns "$here" 8080 --host dns.weixin.qq.com
    "$1" "IPv$family: HTTP with an allowed Host" 1 get "$here" 80 --host szshort.weixin.qq.com --path /
    for port in 8080 14000; do
      "$1" "IPv$family: MSF, port $port" 1 msf "$here" $port
    done
    "$1" "IPv$family: OICQ" 1 oicq "$here" 8000
    "$1" "IPv$family: OICQ over TCP" 1 pcqq "$here" 80
  done
}

lab_up
chat_up
chat_gateway

forged refused_unseen
for family in 4 6; do
  refused_unseen "IPv$family: TLS with an allowed SNI" 1 get "$(bare $family stranger)" 443 \
    --tls szshort.weixin.qq.com --ca "$LAB/tls/ca.crt" --host szshort.weixin.qq.com --path /
done
reasons "all for one reason" address-not-learned 24 verdict=deny

# An address of the wrong family of names is as good as none.
for family in 4 6; do
  refused_unseen "IPv$family: mmtls at an address of pictures" 1 long "$(address $family emoji.qpic.cn)" 8080
  refused_unseen "IPv$family: mmtls at an address of QQ" 1 long "$(address $family msfxg.3g.qq.com)" 8080
  refused_unseen "IPv$family: MSF at an address of WeChat" 1 msf "$(address $family szlong.weixin.qq.com)" 8080
  refused_unseen "IPv$family: OICQ at an address of MSF" 1 oicq "$(address $family msfxg.3g.qq.com)" 8000
  refused_unseen "IPv$family: a short link, allowed Host, at an address of Channels" \
    1 short "$(address $family findershort.weixin.qq.com)" 80 --host szshort.weixin.qq.com
  refused_unseen "IPv$family: a short link whose Host is another address" \
    1 short "$(address $family szshort.weixin.qq.com)" 80 --host "$(bare $family stranger)"
done
is "the strangers have had no byte" \
  "$(($(chat_bytes "$(bare 4 stranger)") + $(chat_bytes "$(bare 6 stranger)")))" 0

passes() {
  try_chat "${@:2}"
  expect_ok "$binding: $1"
}
for binding in observe off; do
  chat_rules "binding: $binding" | set_rules
  check "binding: $binding" ask reload
  forged passes
done
# newgetdns may only be believed at an address that is known, whatever the binding.
check_not "and nobody has learned from the stranger" \
  grep -q "$(bare 4 taught)" <<<"$(ask status --addresses)"
at_least "observe marks them" "$(report_sum connections verdict=allow reason=address-unproven)" 16

summary
