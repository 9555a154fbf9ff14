#!/usr/bin/env bash
# What firewall: nftables promises, with the kernel's own queue statement and real packets. Runs in
# the virtual machine of nft-queue.sh, in the lab's namespaces.
set -euo pipefail
# Slow enough that what is to be cut would not have ended by itself.
export LAB_FIREWALL=nftables LAB_SLOW_RATE=100k
# shellcheck source=lib.sh
source "$(dirname "$0")/../Lab/lib.sh"

table() { on_router nft list table inet imgate; }

# Address translation as a router with nftables has it.
translate() {
  on_router nft -f - <<'END'
table ip nat {
  chain postrouting { type nat hook postrouting priority 100; policy accept; oifname "wan0" masquerade; }
}
END
}

judges() {
  local text=$1 family
  for family in 4 6; do
    fetch 1 $family https://short.weixin.qq.com/
    expect_ok "$text: IPv$family: TLS to an allowed name"
    fetch 1 $family https://www.example.com/
    expect_refused "$text: IPv$family: TLS to a forbidden name"
    try_probe 1 udp "$(address $family sink.example.com)" 443
    expect_refused "$text: IPv$family: a datagram"
  done
}

# Refusals may be silent here: what must hold is that nothing gets through. All at once, for each
# may wait for its time-out.
nothing_passes() {
  local text=$1 family outcomes
  outcomes=$(
    for family in 4 6; do
      probe 1 tcp "$(address $family sink.example.com)" 443 --hello sink.example.com --timeout 3 &
      probe 1 tcp "$(address $family sink.example.com)" 443 --hello short.weixin.qq.com --timeout 3 &
      probe 1 tcp "$(address $family sink.example.com)" 22 --timeout 3 &
      probe 1 udp "$(address $family sink.example.com)" 443 --timeout 3 &
      probe 1 ping "$(address $family www.example.com)" --timeout 3 &
      probe 1 forge "$(address $family sink.example.com)" 443 midstream "$(phone 1 $family)" \
        --timeout 3 &
      probe 1 tcp "$(address $family short.weixin.qq.com)" 443 --hello short.weixin.qq.com \
        --timeout 3 &
    done
    wait
  )
  is "$text: attempts" "$(wc -l <<<"$outcomes")" 14
  check_not "$text: none is answered" grep answered <<<"$outcomes"
}

# put_right TEXT: measures until the rules are what they should be.
put_right() {
  local start
  start=$(microseconds)
  if wait_until 20 ask firewall verify; then
    at_most "$1: put right within 15 s, in ms" $((($(microseconds) - start) / 1000)) 15000
  else
    fail "$1: put right" "$(ask firewall verify 2>&1 || true)"
  fi
}

lab_up nat=off
translate
start_gateway
make_file 4M 4M

# ---- What is in the kernel

check "firewall verify finds nothing wrong" ask firewall verify
rules=$(table)
has "the table sends packets to the queues" "$rules" 'queue to 40-41'
has "and DNS answers to theirs" "$rules" 'queue to 42'
check_not "none of them with bypass" grep -q bypass <<<"$rules"
is "the program listens on all three" \
  "$(on_router awk '{ printf "%s ", $1 }' /proc/net/netfilter/nfnetlink_queue)" '40 41 42 '
is "and iptables has no rule of it" "$(own_rules)" 'table inet imgate {'

# ---- Traffic

for family in 4 6; do
  fetch 1 $family https://short.weixin.qq.com/
  expect_ok "IPv$family: TLS to an allowed name"
  fetch 2 $family http://short.weixin.qq.com/
  expect_ok "IPv$family: HTTP to it, from another phone"
  for name in www.example.com v.qq.com; do
    fetch 1 $family "https://$name/"
    expect_refused "IPv$family: TLS to $name"
    fetch 2 $family "http://$name/"
    expect_refused "IPv$family: HTTP to $name"
  done
  try_probe 1 tls "$(address $family files.example.org)" 443 files.example.org \
    --ca "$LAB/tls/ca.crt" --cuts 1,1,5,40
  expect_ok "IPv$family: an allowed hello in five pieces"
  try_probe 1 tcp "$(address $family sink.example.com)" 443 --hello sink.example.com
  expect_refused "IPv$family: a forbidden hello"
  try_probe 1 tcp "$(address $family sink.example.com)" 443 --hello short.weixin.qq.com
  expect_refused "IPv$family: an allowed name at a server that is not its own"
  try_probe 1 tcp "$(address $family sink.example.org)" 443 --text 'SSH-2.0-OpenSSH_9.2\r\n'
  expect_refused "IPv$family: no protocol that we know"
  try_probe 1 tcp "$(address $family sink.example.org)" 22
  expect_refused "IPv$family: a port that no rule names"
  for port in 53 443; do
    try_probe 1 udp "$(address $family sink.example.com)" $port
    expect_refused "IPv$family: a datagram to port $port"
    [[ $OUTCOME != reset ]] || fail "IPv$family: it was an ICMP error"
  done
  try_probe 1 ping "$(address $family www.example.com)"
  expect_refused "IPv$family: ping"

  before=$(visits)
  fetch 1 $family https://files.example.org/4M --max-time 60 --output "$LAB/down"
  expect_ok "IPv$family: a download of 4 MB over TLS"
  check "IPv$family: it arrives whole" cmp "$LAB/www/4M" "$LAB/down"
  at_most "IPv$family: its packets that visited the program" $(($(visits) - before)) 5
  before=$(visits)
  fetch 1 $family http://files.example.org/4M --max-time 60 --output "$LAB/down"
  expect_ok "IPv$family: a download of 4 MB over plain HTTP"
  at_most "IPv$family: its packets that visited, bare acknowledgements not among them" \
    $(($(visits) - before)) 30
done
is "bytes at the forbidden sink" "$(sink_bytes sink.example.com)" 0

# ---- A reload cuts what is no longer allowed

# Over IPv6: over IPv4 it would not survive that its address translation is flushed, below.
touch "$LAB/run/chat"
spawn chat "${LAB_PHONE_PREFIX}1" python3 -I "$LAB_SCRIPTS/probe.py" stay \
  "$(address 6 long.weixin.qq.com)" 443 long.weixin.qq.com --ca "$LAB/tls/ca.crt" \
  --file "$LAB/run/chat" --seconds 600 --every 0.5 --timeout 20
for family in 4 6; do
  : >"$LAB/leaving$family"
  spawn leaving$family "${LAB_PHONE_PREFIX}2" curl -q --silent --show-error -$family \
    --cacert "$LAB/tls/ca.crt" --output "$LAB/leaving$family" https://other.example.org/slow/4M
  wait_until 20 test -s "$LAB/leaving$family"
done
lab_rules | grep -v other.example.org | set_rules
ask reload >/dev/null
for family in 4 6; do
  check "IPv$family: a download that is no longer allowed ends" wait_until 5 finished leaving$family
  has "IPv$family: by a reset" "$(<"$LAB/log/leaving$family")" 'reset by peer'
done
check "one that still is goes on" running chat

# ---- Somebody else's rules

# An accept ends the rules of its own chain only; here in front of ours, between them, and behind.
on_router nft -f - <<'END'
table inet theirs {
  chain first { type filter hook forward priority -400; policy accept; accept; }
  chain middle { type filter hook forward priority -1; policy accept; accept; }
  chain late { type filter hook forward priority 49; policy accept; accept; }
  chain last { type filter hook forward priority 400; policy accept; accept; }
}
END
judges "accept rules in another table"
is "they are left alone" "$(on_router nft list table inet theirs | grep -c accept)" 8

damage() {
  on_router nft "$@"
  put_right "nft $*"
}
damage flush chain inet imgate enforce
damage delete table inet imgate
damage insert rule inet imgate closing accept
damage add table inet imgate '{ flags dormant; }'
judges "after that"

# ---- Everything flushed, as a restart of another firewall does

on_router nft flush ruleset
start=$(microseconds)
spawn slipped "${LAB_PHONE_PREFIX}2" curl -q --silent --show-error -6 --insecure \
  --output /dev/null https://v.qq.com/slow/4M
put_right "nft flush ruleset"
note "the whole time: $((($(microseconds) - start) / 1000)) ms"
check "what slipped through meanwhile is cut" wait_until 10 finished slipped
has "by a reset" "$(<"$LAB/log/slipped")" 'reset by peer'
translate
judges "after the flush"
check "the connection from before lives" running chat
is "bytes at the forbidden sink" "$(sink_bytes sink.example.com)" 0

# ---- The gateway is killed

kill_gateway
check_not "the gateway is dead" running gateway
nothing_passes "killed"
is "bytes at the forbidden sink" "$(sink_bytes sink.example.com)" 0
check "an allowed connection from before lives" running chat
start_gateway
judges "started again"

rm "$LAB/run/chat"
wait_until 10 finished chat
is "it never broke" "$(cut -d ' ' -f 1 "$LAB/log/chat")" answered
note "answers in it: $(cut -d ' ' -f 2 "$LAB/log/chat"), slowest $(cut -d ' ' -f 3 "$LAB/log/chat") ms"

# ---- It ends

stop_gateway
nothing_passes "stopped"
check "firewall remove" ask firewall remove
is "nothing of it is left" "$(on_router nft list tables)" 'table ip nat'
fetch 1 4 https://www.example.com/
expect_ok "then the router forwards as before"

# ---- onFailure: open

configure 'onFailure: open'
start_gateway
has "onFailure: open: the queue statement has its bypass" "$(table)" 'queue flags bypass to 40-41'
check "onFailure: open: firewall verify" ask firewall verify
judges "onFailure: open"
kill_gateway
for family in 4 6; do
  fetch 1 $family https://www.example.com/
  expect_ok "onFailure: open, killed: IPv$family passes"
done
check "firewall remove, after a kill" ask firewall remove
is "nothing of it is left then either" "$(on_router nft list tables)" 'table ip nat'

summary
