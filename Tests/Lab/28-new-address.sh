#!/usr/bin/env bash
# The line gets another address, as on every redial of PPPoE: the gateway asks its resolver on from there.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly LISTED=198.19.2.53

lab_up
add_address "$LAB_INTERNET" eth0 $LISTED/16
printf '%s\n' user=root pid-file= no-resolv no-hosts no-poll bind-interfaces log-queries \
  listen-address=$LISTED "address=/quiet.example.org/$(address 4 quiet.example.org)" >"$LAB/listed.conf"
spawn listed "$LAB_INTERNET" dnsmasq --keep-in-foreground --conf-file="$LAB/listed.conf" \
  --log-facility=-
configure "resolver: [$LISTED]"
start_gateway

# learned NAME: by a phone that comes with its address, which nobody has asked for.
learned() {
  on_phone 1 curl -sko /dev/null --max-time 3 --resolve "$1:443:$(address 4 quiet.example.org)" \
    "https://$1/" || true
  ask status --addresses | grep -q " $1 resolver "
}
check "a name is looked up for a phone" learned a.quiet.example.org

ip -n "$LAB_ROUTER" address del "${ROUTER_WAN[4]}/16" dev wan0
add_address "$LAB_ROUTER" wan0 198.19.0.7/16
learned b.quiet.example.org || true
check "a name is looked up from the new address" learned c.quiet.example.org
is "as the resolver sees it" "$(grep -c ' query\[A\] c.quiet.example.org from 198.19.0.7$' "$LAB/log/listed")" 1

summary
