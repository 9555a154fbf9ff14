#!/usr/bin/env bash
# How the gateway starts, refuses to start, and goes.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
configure
lab_rules | set_rules

# run_gateway [USER-CHANGE...]: to its end, which must come within 5 s; sets STATUS and SAID.
run_gateway() {
  STATUS=0
  SAID=$(on_router timeout 5 "$@" env PATH="$LAB/bin" XTABLES_LOCKFILE="$LAB/run/xtables.lock" \
    "$LAB/bin/imgate" run --config "$LAB/imgate.yaml" --rules "$LAB/rules.yaml" \
    --packs "$PROJECT/rules/services" --state "$LAB/state/usage.db" \
    --socket "$LAB/run/second.sock" 2>&1) || STATUS=$?
}

# refuses TEXT STATUS WORDS: what run_gateway has found.
refuses() {
  is "$1: exit status" "$STATUS" "$2"
  has "$1: says" "$SAID" "$3"
  is "$1: no rule is installed" "$(own_rules)" ''
  fetch 1 4 https://www.example.com/
  is "$1: the network is as it was" "$OUTCOME" ok
}

mv "$LAB/rules.yaml" "$LAB/rules.kept"
run_gateway
refuses "no rules file" 1 "$LAB/rules.yaml"
printf 'version: 1\nallow:\n  - {hots: a.example.org}\n' >"$LAB/rules.yaml"
run_gateway
refuses "a bad rules file" 1 "$LAB/rules.yaml:3:"
has "and the nearest known key" "$SAID" host
mv "$LAB/rules.kept" "$LAB/rules.yaml"

mv "$LAB/imgate.yaml" "$LAB/imgate.kept"
run_gateway
refuses "no configuration" 1 "$LAB/imgate.yaml"
printf 'version: 1\nlan: [br-lan]\nwan: [wan0]\nqueue: {first: 40}\n' >"$LAB/imgate.yaml"
run_gateway
refuses "a bad configuration" 1 "$LAB/imgate.yaml:4:"
printf 'version: 1\nlan: [no-such-lan]\nwan: [wan0]\n' >"$LAB/imgate.yaml"
run_gateway
is "an interface that does not exist: exit status" "$STATUS" 1
has "its name is said" "$SAID" no-such-lan
mv "$LAB/imgate.kept" "$LAB/imgate.yaml"

on_router ip link add stray0 type veth peer name stray1
on_router ip link set stray0 up
run_gateway
refuses "an interface that forwards and is in no list" 1 stray0
on_router ip link del stray0

run_gateway setpriv --reuid=65534 --regid=65534 --clear-groups
refuses "no root" 3 ''
is "no root: in one sentence" "$(grep -c . <<<"$SAID")" 1

# Wrong usage.
for arguments in 'nonsense' 'run --no-such-option' 'pause --for soon' ''; do
  status=0
  # shellcheck disable=SC2086  # words
  imgate $arguments >"$LAB/out" 2>"$LAB/err" </dev/null || status=$?
  is "imgate $arguments: exit status" $status 2
  check "imgate $arguments: says what is wrong" test -s "$LAB/err"
  is "imgate $arguments: nothing on standard output" "$(<"$LAB/out")" ''
done
check "imgate --help" imgate --help
for command in run check explain report status reload pause resume firewall; do
  check "imgate $command --help" eval "imgate $command --help | grep -qi example"
done

# Without a running gateway.
status=0
ask status >/dev/null 2>&1 || status=$?
is "status without a gateway: exit status" $status 3

# Now for good.
before=$(on_router sysctl -n net.ipv4.icmp_ratelimit net.ipv6.icmp.ratelimit)
start_gateway
pass "it starts"
check "firewall verify" ask firewall verify
is "a kernel setting that it needs" "$(on_router sysctl -n net.ipv4.icmp_ratelimit)" 0

rules=$(own_rules)
run_gateway
is "a second instance: exit status" "$STATUS" 3
is "a second instance: in one sentence" "$(grep -c . <<<"$SAID")" 1
is "a second instance changes no rule" "$(own_rules)" "$rules"
fetch 1 4 https://short.weixin.qq.com/
expect_ok "the first one works on"
fetch 1 4 https://www.example.com/
expect_refused "and refuses on"

stop_gateway
check_not "nothing is left of its socket" test -e "$LAB/run/control.sock"
is "stopped, its rules stay" "$(own_rules)" "$rules"
fetch 1 4 https://www.example.com/ --max-time 1
check_not "stopped, nothing new passes: forbidden ($OUTCOME)" test "$OUTCOME" = ok
fetch 1 6 https://short.weixin.qq.com/ --max-time 1
check_not "stopped, nothing new passes: allowed ($OUTCOME)" test "$OUTCOME" = ok

start_gateway
fetch 1 4 https://short.weixin.qq.com/
expect_ok "started again over its own rules"
is "which are there once" "$(own_rules | wc -l)" "$(wc -l <<<"$rules")"
stop_gateway
check "firewall remove" ask firewall remove
is "takes every rule away" "$(own_rules)" ''
is "and gives the kernel settings back" \
  "$(on_router sysctl -n net.ipv4.icmp_ratelimit net.ipv6.icmp.ratelimit)" "$before"
fetch 1 4 https://www.example.com/
expect_ok "then the router forwards as before"

LAB_FIREWALL=auto
configure
start_gateway
fetch 1 4 https://short.weixin.qq.com/
expect_ok "firewall: auto finds what works in this kernel: allowed"
fetch 1 6 https://www.example.com/
expect_refused "firewall: auto: refused"

summary
