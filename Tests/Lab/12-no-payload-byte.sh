#!/usr/bin/env bash
# Nothing leaves before the verdict: of a refused connection not one payload byte reaches the
# server, however it is sent, and the server is told that the connection is over. The sink counts.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway

http='GET / HTTP/1.1\r\nHost: sink.example.com\r\n\r\n'

# refused_with_nothing TEXT PROBE-ARGUMENT...
refused_with_nothing() {
  local text=$1 before after
  shift
  before=$(sink_bytes sink.example.com)
  try_probe 1 "$@"
  expect_refused "$text"
  # Twice the way of a packet, so that what leaked has arrived.
  sleep 0.05
  after=$(sink_bytes sink.example.com)
  is "$text: bytes at the server" $((after - before)) 0
}

for family in 4 6; do
  sink=$(address $family sink.example.com)
  own=$(phone 1 $family)
  refused_with_nothing "IPv$family: TLS" tcp "$sink" 443 --hello sink.example.com
  refused_with_nothing "IPv$family: TLS, cut in pieces" tcp "$sink" 443 --hello sink.example.com \
    --cuts 1,1,1,2,40 --pause 0.002
  refused_with_nothing "IPv$family: an allowed name, at a server that is not its own" \
    tcp "$sink" 443 --hello short.weixin.qq.com
  refused_with_nothing "IPv$family: HTTP" tcp "$sink" 80 --text "$http"
  refused_with_nothing "IPv$family: HTTP, cut in the middle of the name" tcp "$sink" 80 \
    --text "$http" --cuts 28,3 --pause 0.002
  refused_with_nothing "IPv$family: HTTP, two requests at once" tcp "$sink" 80 \
    --text "GET / HTTP/1.1\\r\\nHost: files.example.org\\r\\n\\r\\n$http"
  refused_with_nothing "IPv$family: something else" tcp "$sink" 8080 --text 'hello, is this chat?'
  refused_with_nothing "IPv$family: a closed port" tcp "$sink" 22
  refused_with_nothing "IPv$family: a datagram" udp "$sink" 443
  refused_with_nothing "IPv$family: a question to another resolver" udp "$sink" 53
  refused_with_nothing "IPv$family: a connection from its middle" forge "$sink" 443 midstream "$own"
  refused_with_nothing "IPv$family: the same with an HTTP request" forge "$sink" 80 midstream "$own" \
    --text "$http"

  is "IPv$family: connections that the server still thinks are there" \
    "$(on_internet ss -Htn src "$(bracketed "$sink")" | wc -l)" 0

  before=$(sink_bytes sink.example.org)
  try_probe 1 tcp "$(address $family sink.example.org)" 443 --hello sink.example.org
  at_least "IPv$family: and the sink does count: a hello to an allowed name" \
    $(($(sink_bytes sink.example.org) - before)) 200
done
is "in all, at the server that is not allowed" "$(sink_bytes sink.example.com)" 0

summary
