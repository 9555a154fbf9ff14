#!/usr/bin/env bash
# A name is the client's own word: it must lead to an address that the router's resolver gave.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway

for family in 4 6; do
  wrong=$(bracketed "$(address $family www.example.com)")
  before=$(served www.example.com requests)
  fetch 1 $family https://short.weixin.qq.com/ --resolve "short.weixin.qq.com:443:$wrong"
  expect_refused "IPv$family: TLS: an allowed name at another's address"
  fetch 1 $family http://short.weixin.qq.com/ --resolve "short.weixin.qq.com:80:$wrong"
  expect_refused "IPv$family: HTTP: the same"
  is "IPv$family: requests that the other server got" \
    $(($(served www.example.com requests) - before)) 0

  mapfile -t known < <(pinned $family short.weixin.qq.com 443 80)
  fetch 2 $family https://short.weixin.qq.com/ "${known[@]}"
  expect_ok "IPv$family: a remembered address of an allowed name works at once"
  mapfile -t known < <(pinned $family quiet.example.org 443 80)
  fetch 2 $family https://quiet.example.org/ "${known[@]}"
  expect_ok "IPv$family: also of a name that nobody asked for: it is looked up"
  at_most "IPv$family: ms for that, the look-up included" "${MILLISECONDS%.*}" 500
  fetch 2 $family http://quiet.example.org/ "${known[@]}"
  expect_ok "IPv$family: and over HTTP"
done

learned=$(ask status --addresses)
has "status --addresses shows what was learned" "$learned" "$(address 4 quiet.example.org)"
has "in both families" "$learned" "$(address 6 quiet.example.org)"
check_not "of allowed names only" grep -q www.example.com <<<"$learned"

is "the refusals' reason" "$(report_sum connections verdict=deny reason=address-not-learned)" 4

summary
