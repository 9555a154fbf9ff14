#!/usr/bin/env bash
# The books of chat: who vouches and what media has cost outlives the gateway's death and the box's
# restart, a download past the budget is cut, and each learned address says what it is good for.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=chat.sh
source "$(dirname "$0")/chat.sh"

# A server without a name, which answers every request with 80 MB, 4 MB a second.
readonly -A DOWNLOADS=([4]=198.19.1.120 [6]=2001:2:0:ff::1:120)
downloads_up() {
  add_address "$LAB_INTERNET" eth0 "${DOWNLOADS[4]}/16"
  add_address "$LAB_INTERNET" eth0 "${DOWNLOADS[6]}/64"
  spawn downloads "$LAB_INTERNET" python3 -I -c '
import socket, sys, threading, time
def answer(client):
    with client:
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        left = int(head.lower().split(b"content-length:")[1].split()[0]) - len(body)
        while left > 0:
            left -= len(client.recv(65536))
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 80000000\r\n\r\n")
        for _ in range(200):
            client.sendall(bytes(400000))
            time.sleep(0.1)
def serve(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 80), family=family) as server:
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
for address in sys.argv[2:]:
    threading.Thread(target=serve, args=(address,), daemon=True).start()
time.sleep(0.3)
open(sys.argv[1], "w").close()
time.sleep(3600)' "$LAB/run/downloads.ready" "${DOWNLOADS[4]}" "${DOWNLOADS[6]}"
  wait_until 10 test -e "$LAB/run/downloads.ready" || die "the server of downloads did not start"
}

# gateway_says FIELD: of the gateway's line of `status --json`.
gateway_says() { ask status --json | sed -n "s/.*\"type\":\"gateway\".*\"$1\":\([0-9]*\).*/\1/p"; }
# spent PHONE: bytes of media that it has moved today.
spent() { ask status --json | sed -n "s/.*\"type\":\"media\",\"mac\":\"$(phone "$1" mac)\".*\"spent\":\([0-9]*\).*/\1/p"; }
# good_for NAME: what stands behind its first address.
good_for() { ask status --addresses | awk -v name="$1" '$2 == name { $1 = $2 = $3 = $4 = ""; print; exit }' | xargs; }

lab_up
chat_up
downloads_up
chat_rules 'mediaBudget: 20MB' | set_rules
chat_gateway

# What addresses are good for.
is "szlong.weixin.qq.com is good for" "$(good_for szlong.weixin.qq.com)" wechat.messaging
is "msfxg.3g.qq.com is good for" "$(good_for msfxg.3g.qq.com)" qq.messaging
printf 'version: 1\nservices: {wechat: off, qq: on}\n' | set_rules
check "wechat: off" ask reload
is "szlong.weixin.qq.com is good for nothing now" "$(good_for szlong.weixin.qq.com)" -
is "msfxg.3g.qq.com still is" "$(good_for msfxg.3g.qq.com)" qq.messaging
chat_rules 'mediaBudget: 20MB' | set_rules
check "wechat: on" ask reload

# Who vouches.
is "nobody vouches yet" "$(gateway_says chats)" 0
check "a long link" hold link 1 long "$(address 4 szlong.weixin.qq.com)" 8080
is "it vouches" "$(gateway_says chats)" 1
check "another phone's MSF" hold msf 2 msf "$(address 6 msfxg.3g.qq.com)" 8080
is "they vouch" "$(gateway_says chats)" 2
let_go msf
# The journal of connections is written within a fifth of a second.
sleep 0.5
kill_gateway
check_not "the gateway is dead" running gateway
start_gateway
is "the long link of before vouches at once, what has ended doesn't" "$(gateway_says chats)" 1
try_chat 1 media "$(bare 4 wechat-media)" 443 --size 100000
expect_ok "a picture, by its word"
check "the long link lives" running link

# What media costs.
at_least "an upload is spent" "$(spent 1)" 100000
at_most "but once" "$(spent 1)" 200000
for family in 4 6; do
  started=${EPOCHREALTIME/[.,]/}
  try_chat 1 form "${DOWNLOADS[$family]}" 80 --path download --size 100 --timeout 10
  took=$(((${EPOCHREALTIME/[.,]/} - started) / 1000))
  is "IPv$family: a download of 80 MB is ended" "$OUTCOME" reset
  [[ $family == 4 ]] || continue
  # 20 MB at 4 MB a second take 5 s; it is looked for every 2 s.
  at_least "it had its budget (ms)" "$took" 4000
  at_most "and little more (ms)" "$took" 8500
  at_most "bytes spent" "$(spent 1)" 36000000
done
at_least "its reason" "$(report_sum connections verdict=deny reason=media-budget)" 2
is "no other reason" "$(report_sum connections verdict=deny reason=rules-changed)" 0
media=$(bare 4 wechat-media)
refused_unseen "a picture on the same day" 1 media "$media" 443
check "the long link lives" running link
# What is spent is written every two seconds, and the store when the gateway is told to.
kill -USR1 "$(<"$LAB/pids/gateway")"
sleep 2.2
before=$(spent 1)
kill_gateway
start_gateway
at_least "what is spent stays spent when the gateway is killed" "$(spent 1)" "$before"
at_most "and not much more" "$(spent 1)" $((before + 1000000))
refused_unseen "still no picture" 1 media "$media" 443
stop_gateway
rm -f "$LAB/run/media"
start_gateway
at_least "and when the box restarts" "$(spent 1)" 20000000
refused_unseen "and still no picture" 1 media "$media" 443
chat_rules 'mediaBudget: 1GB' | set_rules
check "a larger budget" ask reload
try_chat 1 media "$media" 443
expect_ok "a picture within it"
at_least "media stands in the report, apart" \
  "$(report_rows | grep '"type":"apart"' | grep -c '"reason":"media-companion"')" 1
let_go link
expect_ok "the long link has lived through it all"

# What is not proven is said.
chat_rules 'binding: observe' | set_rules
check "binding: observe" ask reload
try_chat 1 long "$(bare 4 stranger)" 8080
expect_ok "a long link to an address that nobody gave"
is "its reason" "$(report_sum connections verdict=allow reason=address-unproven rule=wechat.messaging)" 1
has "the report says so" "$(ask report --day today)" 'unproven addresses (binding: observe)'

summary
