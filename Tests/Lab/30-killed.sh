#!/usr/bin/env bash
# The gateway is killed with SIGKILL under load: nothing forbidden passes while it is away, allowed
# clients work again once it is back, and a connection that was handed over before lives through.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway
make_file 24M 24M

# The forbidden ones with addresses that the phone has already: it would not be told any.
mapfile -t known < <(pinned 4 www.example.com 443; pinned 4 v.qq.com 80)
# Load: both phones, without pause, allowed and forbidden.
spawn load "${LAB_PHONE_PREFIX}2" bash -c '
  while :; do
    for url in https://short.weixin.qq.com/ https://www.example.com/ http://v.qq.com/; do
      curl -q --silent -4 --insecure --max-time 1 --output /dev/null "$@" "$url" || true
    done
  done' load "${known[@]}"

# Handed over before: a chat that says something ten times a second, and a download of six seconds.
touch "$LAB/run/chat"
spawn chat "${LAB_PHONE_PREFIX}1" python3 -I "$LAB_SCRIPTS/probe.py" stay \
  "$(address 4 long.weixin.qq.com)" 443 long.weixin.qq.com --ca "$LAB/tls/ca.crt" \
  --file "$LAB/run/chat"
spawn download "${LAB_PHONE_PREFIX}1" curl -q --silent --show-error -6 --cacert "$LAB/tls/ca.crt" \
  --output "$LAB/down" https://files.example.org/slow/24M
wait_until 5 test -s "$LAB/down"
sleep 0.5

: >"$LAB/log/access"
kill_gateway
check_not "the gateway is dead" running gateway

# While it is away, all at once: each of these waits for a time-out.
away() {
  local family
  for family in 4 6; do
    probe 1 tcp "$(address $family sink.example.com)" 443 --hello sink.example.com --timeout 1 &
    probe 1 tcp "$(address $family sink.example.com)" 443 --hello short.weixin.qq.com --timeout 1 &
    probe 1 tcp "$(address $family sink.example.com)" 22 --timeout 1 &
    probe 1 udp "$(address $family sink.example.com)" 443 --timeout 1 &
    probe 1 ping "$(address $family www.example.com)" --timeout 1 &
    probe 1 forge "$(address $family sink.example.com)" 443 midstream "$(phone 1 $family)" --timeout 1 &
    probe 1 tcp "$(address $family short.weixin.qq.com)" 443 --hello short.weixin.qq.com --timeout 1 &
  done
  wait
}
outcomes=$(away)
is "attempts while it is away" "$(wc -l <<<"$outcomes")" 14
check_not "none of them is answered" grep answered <<<"$outcomes"
is "not one byte reached the sink" "$(sink_bytes sink.example.com)" 0
is "no forbidden request reached its server" "$(grep -c -e www.example.com -e v.qq.com "$LAB/log/access")" 0
check "the chat lives" running chat

start_gateway
pass "it starts again"
for family in 4 6; do
  fetch 1 $family https://short.weixin.qq.com/
  expect_ok "IPv$family: allowed clients work again"
  fetch 1 $family https://www.example.com/
  expect_refused "IPv$family: forbidden ones are refused again"
done

check "the download from before comes to its end" wait_until 15 finished download
check "and whole" cmp "$LAB/www/24M" "$LAB/down"
rm "$LAB/run/chat"
wait_until 5 finished chat
is "the chat from before never broke" "$(cut -d ' ' -f 1 "$LAB/log/chat")" answered
note "answers in the chat: $(cut -d ' ' -f 2 "$LAB/log/chat"), slowest $(cut -d ' ' -f 3 "$LAB/log/chat") ms"

# Rules that change while it is away: at its start the connection that they no longer allow is cut.
for name in other files; do
  : >"$LAB/$name"
  spawn $name "${LAB_PHONE_PREFIX}1" curl -q --silent --show-error -4 --cacert "$LAB/tls/ca.crt" \
    --output "$LAB/$name" https://$name.example.org/slow/24M
  wait_until 5 test -s "$LAB/$name"
done
# The journal of connections is written within a fifth of a second.
sleep 0.5
kill_gateway
lab_rules | grep -v other.example.org | set_rules
start_gateway
check "a download that the new rules do not allow ends" wait_until 2 finished other
has "by a reset" "$(<"$LAB/log/other")" 'reset by peer'
check "one that they allow comes to its end" wait_until 15 finished files
check "and whole" cmp "$LAB/www/24M" "$LAB/files"

end load
is "no forbidden request at all" "$(grep -c -e www.example.com -e v.qq.com "$LAB/log/access")" 0

summary
