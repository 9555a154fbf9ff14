#!/usr/bin/env bash
# Plain HTTP is judged at every request: a kept-alive connection to an allowed host is cut at its
# first request for another one.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway

for family in 4 6; do
  server=$(address $family short.weixin.qq.com)
  is "IPv$family: the same host, again and again" \
    "$(probe 1 keepalive "$server" 80 short.weixin.qq.com,short.weixin.qq.com,short.weixin.qq.com \
      | cut -d ' ' -f 1 | uniq -c | xargs)" '3 answered'
  is "IPv$family: another allowed host at its own address may follow" \
    "$(probe 1 keepalive "$server" 80 short.weixin.qq.com,SHORT.weixin.qq.com:80 \
      | cut -d ' ' -f 1 | uniq -c | xargs)" '2 answered'

  answers=$(probe 1 keepalive "$server" 80 short.weixin.qq.com,short.weixin.qq.com,www.example.com,short.weixin.qq.com)
  is "IPv$family: the third request, for another host, is cut" \
    "$(cut -d ' ' -f 1 <<<"$answers" | xargs)" 'answered answered refused'
  at_most "IPv$family: ms until it is" "$(sed -n '3s/^refused 1 \([0-9]*\).*/\1/p' <<<"$answers")" \
    "$REFUSAL_LIMIT_MS"
  is "IPv$family: the server never saw it" "$(grep -c www.example.com "$LAB/log/access")" 0

  try_probe 1 tcp "$server" 80 \
    --text 'GET / HTTP/1.1\r\nHost: short.weixin.qq.com\r\n\r\nGET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n'
  expect_refused "IPv$family: both requests in one packet"

  # A body is no request, whatever it looks like; what follows it is one.
  body='GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n'
  post="PUT /upload/body HTTP/1.1\\r\\nHost: short.weixin.qq.com\\r\\nContent-Length: 41\\r\\n\\r\\n$body"
  try_probe 1 tcp "$server" 80 --text "$post"
  expect_ok "IPv$family: a body that looks like a request is followed, not judged"
  chunked="PUT /upload/body HTTP/1.1\\r\\nHost: short.weixin.qq.com\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n29\\r\\n$body\\r\\n0\\r\\n\\r\\n"
  try_probe 1 tcp "$server" 80 --text "$chunked"
  expect_ok "IPv$family: the same in chunks"
  try_probe 1 tcp "$server" 80 --text "$chunked$body"
  expect_refused "IPv$family: a request for another host behind the chunks"
done
is "the server never saw a request for another host" "$(grep -c www.example.com "$LAB/log/access")" 0

summary
