#!/usr/bin/env bash
# The first promise: chat works, everything else is refused, audibly and at once. Over IPv4 and
# IPv6; TLS, HTTP, datagrams, pings.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway

for family in 4 6; do
  for name in short.weixin.qq.com long.weixin.qq.com msfwifi.3g.qq.com wx.qlogo.cn files.example.org; do
    fetch 1 $family "https://$name/"
    expect_ok "IPv$family: https://$name"
  done
  fetch 2 $family http://short.weixin.qq.com/
  expect_ok "IPv$family: http://short.weixin.qq.com, phone 2"
  fetch 2 $family http://msfwifi.3g.qq.com:8080/
  expect_ok "IPv$family: http on a port of the pack, 8080"
  handshake 1 $family short.weixin.qq.com
  expect_ok "IPv$family: openssl s_client"
  handshake 2 $family twice.example.org
  expect_ok "IPv$family: a server that wants a second hello"

  for name in www.example.com mp.weixin.qq.com v.qq.com finder.video.qq.com; do
    fetch 1 $family "https://$name/"
    expect_refused "IPv$family: https://$name"
    fetch 2 $family "http://$name/"
    expect_refused "IPv$family: http://$name, phone 2"
  done
  handshake 1 $family www.example.com
  expect_refused "IPv$family: openssl s_client to a name that is not allowed"
  fetch 1 $family http://files.example.org:8080/
  expect_refused "IPv$family: an allowed name on a port that its rule does not name"
  fetch 1 $family "https://$(bracketed "$(address $family short.weixin.qq.com)")/" --insecure
  expect_refused "IPv$family: TLS without a server name, to an allowed server"

  allowed=$(address $family sink.example.org)
  try_probe 1 tcp "$allowed" 443 --text 'SSH-2.0-OpenSSH_9.2\r\n'
  expect_refused "IPv$family: no protocol that we know, on 443 of an allowed server"
  try_probe 1 tcp "$allowed" 80 --text 'CONNECT www.example.com:443 HTTP/1.1\r\nHost: sink.example.org\r\n\r\n'
  expect_refused "IPv$family: HTTP CONNECT"
  for port in 22 53 853; do
    try_probe 1 tcp "$allowed" $port
    expect_refused "IPv$family: TCP port $port, which no rule names"
  done
  for port in 53 123 443 3478 8000; do
    try_probe 1 udp "$allowed" $port
    expect_refused "IPv$family: a datagram to port $port"
  done
  try_probe 1 ping "$(address $family short.weixin.qq.com)"
  expect_refused "IPv$family: ping, even of an allowed server"
done

check "the router itself is still reached" on_phone 1 getent ahostsv4 short.weixin.qq.com
check "the gateway runs" ask status
check "its firewall rules are in place" ask firewall verify

summary
