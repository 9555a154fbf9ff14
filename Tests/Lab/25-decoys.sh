#!/usr/bin/env bash
# Packets whose only use is to make the gateway count from another place than the server does: the
# server ignores them, and they are to hide the request that follows.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly HIDDEN='GET /hidden HTTP/1.1\r\nHost: www.example.com\r\n\r\n'

lab_up
# A connection from before the gateway: conntrack knows it, and nobody has judged it.
probe 1 decoy "$(address 4 short.weixin.qq.com)" 80 short.weixin.qq.com --text "$HIDDEN" \
  --after "$LAB/run/started" >"$LAB/run/earlier" &
wait_until 5 test -e "$LAB/run/started.connected"
start_gateway
touch "$LAB/run/started"
wait_until 5 test -s "$LAB/run/earlier"
is "on a connection from before the gateway" "$(cut -d ' ' -f 1 "$LAB/run/earlier")" refused

for family in 4 6; do
  server=$(address $family short.weixin.qq.com)
  for distance in 10000 300 1; do
    try_probe 1 decoy "$server" 80 short.weixin.qq.com --distance $distance --text "$HIDDEN"
    expect_refused "IPv$family: behind a SYN $distance bytes to the left, and a body without end"
  done
  try_probe 1 decoy "$server" 80 short.weixin.qq.com --no-syn --text "$HIDDEN"
  expect_refused "IPv$family: behind such a body left of the first byte"
done
is "the server never saw the hidden request" "$(grep -c hidden "$LAB/log/access")" 0

# A port that is used again at once: the connection that follows is judged like the first.
for family in 4 6; do
  server=$(address $family short.weixin.qq.com)
  is "IPv$family: ten connections from one port" \
    "$(probe 1 again "$server" 80 45000 --count 10 \
      --text 'GET / HTTP/1.1\r\nHost: short.weixin.qq.com\r\n\r\n' \
      | cut -d ' ' -f 1 | uniq -c | xargs)" '10 answered'
done

summary
