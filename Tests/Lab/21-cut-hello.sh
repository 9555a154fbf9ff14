#!/usr/bin/env bash
# A beginning may come in pieces, and what it says counts all the same.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway

# hello FAMILY NAME ARGUMENT...: one TLS connection to NAME at its own address.
hello() {
  try_probe 1 tls "$(address "$1" "$2")" 443 "$2" --ca "$LAB/tls/ca.crt" "${@:3}"
}

for family in 4 6; do
  for cuts in 1 1,1,1,1,1 5 6 43 5,100,100 100,1,1,1,1; do
    hello $family short.weixin.qq.com --cuts $cuts
    expect_ok "IPv$family: an allowed hello cut at $cuts"
    hello $family www.example.com --cuts $cuts
    expect_refused "IPv$family: another cut at $cuts"
  done
  hello $family short.weixin.qq.com --cuts 1,1,60 --pause 0.02
  expect_ok "IPv$family: with pauses"
  hello $family short.weixin.qq.com --big
  expect_ok "IPv$family: a hello of two segments"
  hello $family short.weixin.qq.com --big --cuts 700,700,700
  expect_ok "IPv$family: the same in four"
  hello $family www.example.com --big
  expect_refused "IPv$family: a hello of two segments to another name"
  hello $family twice.example.org --cuts 1,40
  expect_ok "IPv$family: a second hello after one in pieces"
done

request='GET / HTTP/1.1\r\nHost: short.weixin.qq.com\r\n\r\n'
other='GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n'
for family in 4 6; do
  server=$(address $family short.weixin.qq.com)
  for cuts in 1 3,1 24 28 40,1,1; do
    try_probe 1 tcp "$server" 80 --text "$request" --cuts $cuts
    expect_ok "IPv$family: an HTTP request cut at $cuts"
    try_probe 1 tcp "$server" 80 --text "$other" --cuts $cuts
    expect_refused "IPv$family: for another host cut at $cuts"
  done
done

is "no request for another host came through" "$(grep -c www.example.com "$LAB/log/access")" 0

summary
