#!/usr/bin/env bash
# Some routers send port 53 on to a program at another port (SmartDNS, AdGuard Home): the door of
# names stands where the question was sent to, not where it ends.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# said PHONE ARGUMENT...: the outcome and the detail only, of every question.
said() {
  on_phone "$1" python3 -I "$LAB_SCRIPTS/dns.py" "${@:2}" --each | awk '{ print $1, $4 }' | sed 's/ $//' | paste -sd ';'
}
# asked NAME: how many questions for it the program at the other port has seen.
asked() { grep -c " query\[[A-Z0-9]*\] $1 from" "$LAB/log/elsewhere" || true; }
readonly ALLOWED=short.weixin.qq.com ELSEWHERE=6053

lab_up
sed "s/^port=.*//" "$LAB/resolver.conf" >"$LAB/elsewhere.conf"
printf '%s\n' port=$ELSEWHERE log-queries >>"$LAB/elsewhere.conf"
sed -i '/^dhcp/d' "$LAB/elsewhere.conf"
spawn elsewhere "$LAB_ROUTER" dnsmasq --keep-in-foreground --conf-file="$LAB/elsewhere.conf" \
  --log-facility=-
for protocol in udp tcp; do
  router_iptables -t nat -A PREROUTING -i br-lan -p $protocol --dport 53 -j REDIRECT --to-ports $ELSEWHERE
  router_ip6tables -t nat -A PREROUTING -i br-lan -p $protocol --dport 53 -j REDIRECT --to-ports $ELSEWHERE
done
start_gateway
is "the rules stand" "$(ask firewall verify)" "the firewall's rules are in place"

for family in 4 6; do
  router=${ROUTER_LAN[$family]}
  is "IPv$family: an allowed name" "$(said 1 "$router" $ALLOWED)" "noerror $(address 4 $ALLOWED)"
  is "IPv$family: over TCP, twice" "$(said 1 "$router" $ALLOWED files.example.org --tcp)" \
    "noerror $(address 4 $ALLOWED);noerror $(address 4 files.example.org)"
  is "IPv$family: a refused name" "$(said 1 "$router" www.example.com)" "refused"
  is "IPv$family: with EDNS it says why" "$(said 1 "$router" www.example.com --edns)" "refused ede=15"
  is "IPv$family: twice from one port" "$(said 1 "$router" www.example.com www.example.com)" "refused;refused"
  is "IPv$family: refused in a stream, which then ends in good order" \
    "$(said 1 "$router" $ALLOWED www.example.com --tcp --end)" \
    "noerror $(address 4 $ALLOWED);refused;closed"
  is "IPv$family: first in a stream" "$(said 1 "$router" www.example.com --tcp --end)" "refused;closed"
done
sink=$(address 4 sink.example.com)
is "asked of somebody else, an allowed name" "$(said 1 "$sink" $ALLOWED)" "noerror $(address 4 $ALLOWED)"
said 1 "$sink" www.example.com --timeout 0.5 >/dev/null
is "no refused question came to it" "$(asked www.example.com)" 0
at_least "allowed ones did" "$(asked $ALLOWED)" 6

# What is answered is learned before the phone can use it.
is "a name that no rule names exactly" "$(said 1 "${ROUTER_LAN[4]}" quiet.example.org)" \
  "noerror $(address 4 quiet.example.org)"
has "was learned from the answer" \
  "$(ask status --addresses | grep "$(address 4 quiet.example.org)")" ' dns '

# Without the gateway no question passes.
kill_gateway
before=$(asked '.*')
is "while it is away: UDP" "$(said 1 "${ROUTER_LAN[4]}" www.example.com --timeout 0.5)" "silent"
is "IPv6" "$(said 1 "${ROUTER_LAN[6]}" $ALLOWED --timeout 0.5)" "silent"
is "TCP" "$(said 1 "${ROUTER_LAN[4]}" www.example.com --tcp --timeout 0.5)" "silent"
is "none of them came through" "$(asked '.*')" "$before"

summary
