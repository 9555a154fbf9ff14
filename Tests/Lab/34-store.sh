#!/usr/bin/env bash
# The store fails, the gateway does not: a damaged file is set aside, a full disk is said.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
configure 'onFailure: closed'

judges() {
  fetch 1 4 https://short.weixin.qq.com/
  expect_ok "$1: allowed"
  fetch 1 6 https://www.example.com/
  expect_refused "$1: refused"
}

# What was used before a SIGKILL is in the report: written, or asked of nobody.
start_gateway
judges "a new store"
stop_gateway
start_gateway
is "after a restart the report still has it: allowed" \
  "$(report_sum connections verdict=allow host=short.weixin.qq.com)" 1
is "refused" "$(report_sum connections verdict=deny host=www.example.com)" 1
stop_gateway
at_least "the report without a gateway" "$(report_sum connections)" 2
has "says so" "$(ask report --day today 2>&1 >/dev/null)" 'not running'

# Damage in the middle and at the head.
head -c 8192 /dev/urandom >"$LAB/state/usage.db"
rm -f "$LAB"/state/usage.db-*
start_gateway
judges "a damaged store"
check "the damaged file is set aside" compgen -G "$LAB/state/usage.db.damaged-*"
is "a new one is begun" "$(report_sum connections host=short.weixin.qq.com)" 1
has "the log says so" "$(<"$LAB/log/gateway")" damaged
stop_gateway

# A disk of one megabyte, full.
rm -rf "$LAB"/state/*
mount -t tmpfs -o size=1m imgate-lab "$LAB/state"
start_gateway
judges "a small disk"
head -c 2M /dev/zero >"$LAB/state/filler" 2>/dev/null || true
for _ in {1..20}; do
  fetch 1 4 https://short.weixin.qq.com/
done
judges "a full disk"
stop_gateway
has "the log says what is wrong" "$(<"$LAB/log/gateway")" 'no room is left'
has "and where the figures wait" "$(<"$LAB/log/gateway")" 'could not be written wait in'
start_gateway
judges "started with a full disk"
kill -s USR1 "$(<"$LAB/pids/gateway")"
check "status says what is wrong" wait_until 2 eval "ask status | grep -q 'no room is left'"
rm "$LAB/state/filler"
judges "and when there is room again"
stop_gateway
is "then nothing is lost: allowed" \
  "$(report_sum connections verdict=allow host=short.weixin.qq.com)" 24
is "refused" "$(report_sum connections verdict=deny host=www.example.com)" 4

summary
