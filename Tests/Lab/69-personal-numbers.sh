#!/usr/bin/env bash
# The account's number stands in clear in OICQ, MSF, newgetdns and media, and nothing keeps it: not the
# store, not what was learned, not the journal, not the log, not the report. F3 of
# docs/field-notes.md.
# Variant: any
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

lab_up
configure
sed -i 's/^log: .*/log: {level: debug, flows: all}/' "$LAB/imgate.yaml"
chat_up
chat_gateway

# Allowed and refused, in every protocol that carries it.
for family in 4 6; do
  check "IPv$family: MSF" hold msf 1 msf "$(address $family msfxg.3g.qq.com)" 8080 --uin $CHAT_UIN
  check "IPv$family: long link" hold link 1 long "$(address $family szlong.weixin.qq.com)" 8080
  for place in "$(address $family sz.tencent.com)" "$(bare $family stranger)"; do
    try_chat 1 oicq "$place" 8000 --uin $CHAT_UIN
  done
  for place in "$(address $family tcpconn.tencent.com)" "$(bare $family stranger)"; do
    try_chat 1 pcqq "$place" 80 --uin $CHAT_UIN
  done
  for place in "$(address $family dns.weixin.qq.com)" "$(bare $family stranger)"; do
    try_chat 1 newgetdns "$place" 8080 --host dns.weixin.qq.com --uin $CHAT_UIN
  done
  try_chat 1 msf "$(bare $family stranger)" 8080 --uin $CHAT_UIN
  for phone in 1 2; do
    try_chat $phone media "$(bare $family wechat-media)" 443 --uin $CHAT_UIN
    try_chat $phone form "$(bare $family wechat-media)" 80 --uin $CHAT_UIN
  done
  let_go msf
  let_go link
done
at_least "the servers have seen the accounts" \
  "$(($(chat_count all oicq) + $(chat_count all pc-qq) + $(chat_count all newgetdns) + $(chat_count all media-frame)))" 8

mkdir "$LAB/said"
ask report --day today --format json >"$LAB/said/report.json"
ask report --day today >"$LAB/said/report"
ask status >"$LAB/said/status"
ask status --addresses >"$LAB/said/addresses"
stop_gateway
ask report --day today >"$LAB/said/report-from-store"

# holders PLACE...: the files in which the number stands, in digits or in the four bytes of either
# order; at last how many were searched.
holders() {
  python3 -I - $CHAT_UIN "$@" <<'END'
import os, struct, sys

number = int(sys.argv[1])
forms = [str(number).encode(), struct.pack("!I", number), struct.pack("<I", number)]
searched = 0
for place in sys.argv[2:]:
    walk = [(place, [], [""])] if os.path.isfile(place) else os.walk(place)
    for root, _, names in walk:
        for path in (os.path.join(root, name).rstrip("/") for name in names):
            if not os.path.isfile(path):
                continue
            searched += 1
            with open(path, "rb") as file:
                data = file.read()
            if any(form in data for form in forms):
                print(path)
print("searched:", searched)
END
}

found=$(holders "$LAB/state" "$LAB/said" "$LAB/run" "$LAB/log/gateway")
is "F3: files of the gateway that hold the account's number" "$(grep -v '^searched' <<<"$found")" ''
at_least "F3: files searched" "${found##*: }" 8
printf 'oicq\xa2\x05\xb0\x64' >"$LAB/said/planted"
printf 'uin=%s&' $CHAT_UIN >"$LAB/said/planted-too"
is "the search would find it" "$(holders "$LAB/said" | grep -c planted)" 2

summary
