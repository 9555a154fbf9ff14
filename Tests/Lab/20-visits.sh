#!/usr/bin/env bash
# The kernel carries what is allowed: of 100 MB over TLS, either way, at most 5 packets visit the
# gateway. Plain HTTP is watched for life, and still at most 1 % of a download's packets visit.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly SIZE=$((100 * 1024 * 1024))
# Segments of a download: what a link without offloads would carry.
readonly SEGMENTS=$((SIZE / 1448))

lab_up
start_gateway
make_file 100M $SIZE

for family in 4 6; do
  before=$(visits)
  fetch 1 $family https://files.example.org/100M --max-time 60 --output "$LAB/down"
  expect_ok "IPv$family: a download of 100 MB over TLS"
  check "IPv$family: it arrives whole" cmp "$LAB/www/100M" "$LAB/down"
  at_most "IPv$family: its packets that visited" $(($(visits) - before)) 5

  before=$(visits)
  fetch 1 $family https://files.example.org/upload/100M --max-time 60 --upload-file "$LAB/www/100M"
  expect_ok "IPv$family: an upload of 100 MB over TLS"
  check "IPv$family: it arrives whole" cmp "$LAB/www/100M" "$LAB/www/upload/100M"
  at_most "IPv$family: its packets that visited" $(($(visits) - before)) 5

  before=$(visits)
  # Cut by the client: the lab's links would carry both segments as one packet.
  try_probe 1 tls "$(address $family files.example.org)" 443 files.example.org \
    --ca "$LAB/tls/ca.crt" --big --cuts 1000
  expect_ok "IPv$family: a hello of two segments"
  at_least "IPv$family: and the count does count" $(($(visits) - before)) 4
  at_most "IPv$family: packets of that connection that visited" $(($(visits) - before)) 5

  before=$(visits)
  fetch 1 $family http://files.example.org/100M --max-time 60 --output "$LAB/down"
  expect_ok "IPv$family: a download of 100 MB over plain HTTP"
  check "IPv$family: it arrives whole" cmp "$LAB/www/100M" "$LAB/down"
  at_most "IPv$family: its packets that visited" $(($(visits) - before)) $((SEGMENTS / 100))
done

before=$(visits)
for _ in {1..10}; do
  fetch 1 4 https://short.weixin.qq.com/
done
expect_ok "ten short connections"
at_most "packets that visited, of the ten" $(($(visits) - before)) 50

summary
