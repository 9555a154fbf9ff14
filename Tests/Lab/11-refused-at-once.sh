#!/usr/bin/env bash
# A refusal is not throttled: of a hundred within a second, the hundredth is as quick as the first.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway

# hundred TEXT PROBE-ARGUMENT...: a hundred attempts in a row.
hundred() {
  local text=$1 start took found outcome count slowest
  shift
  start=$(microseconds)
  found=$(probe 1 "$@" --count 100 --timeout 0.5)
  took=$((($(microseconds) - start) / 1000))
  read -r outcome count slowest _ <<<"$found"
  is "$text: refused, all of them" "$outcome $count" 'refused 100'
  at_most "$text: slowest in ms" "${slowest%.*}" "$REFUSAL_LIMIT_MS"
  at_most "$text: ms for the hundred, the client's start included" "$took" 1000
}

for family in 4 6; do
  forbidden=$(address $family www.example.com)
  hundred "IPv$family, datagrams" udp "$forbidden" 443
  hundred "IPv$family, pings" ping "$forbidden"
  hundred "IPv$family, a port that no rule names" tcp "$forbidden" 22
  hundred "IPv$family, TLS" tcp "$forbidden" 443 --hello www.example.com
  hundred "IPv$family, HTTP" tcp "$forbidden" 80 \
    --text 'GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n'
  fetch 2 $family https://short.weixin.qq.com/
  expect_ok "IPv$family: the other phone works on"
done

summary
