#!/usr/bin/env bash
# Names are a door: every question of the LAN is judged, a refused one is answered at once by the
# gateway and never reaches a resolver, and nobody but the trusted resolver may be asked.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# ask_dns PHONE ARGUMENT...: prints the lines of dns.py.
ask_dns() { on_phone "$1" python3 -I "$LAB_SCRIPTS/dns.py" "${@:2}"; }
# said PHONE ARGUMENT...: the outcome and the detail only, of every question.
said() { ask_dns "$@" --each | awk '{ print $1, $4 }' | sed 's/ $//' | paste -sd ';'; }
# asked NAME: how many questions for it the router's resolver has seen.
asked() { grep -c " query\[[A-Z0-9]*\] $1 from" "$LAB/log/resolver" || true; }
readonly ALLOWED=short.weixin.qq.com

lab_up
echo log-queries >>"$LAB/resolver.conf"
end resolver
spawn resolver "$LAB_ROUTER" dnsmasq --keep-in-foreground --conf-file="$LAB/resolver.conf" \
  --log-facility=-
start_gateway
is "the rules stand" "$(ask firewall verify)" "the firewall's rules are in place"

# Names that the rules name exactly are known before anybody asks.
ahead() { ask status | sed -n 's/^addresses.* \([0-9]*\) of \([0-9]*\) ahead$/\1 \2/p'; }
# resolved_ahead NAME: in both families.
resolved_ahead() { (($(ask status --addresses | grep -c " $1 resolver ") == 2)); }
check "names are looked up ahead" wait_until 60 resolved_ahead long.weixin.qq.com
note "known of all exact names: $(ahead)"
check_not "no phone has asked yet" grep -q "from $(phone 1 4)" "$LAB/log/resolver"
for family in 4 6; do
  mapfile -t known < <(pinned $family files.example.org 443)
  wait_until 60 resolved_ahead files.example.org || true
  fetch 2 $family https://files.example.org/ "${known[@]}"
  expect_ok "IPv$family: a phone with a remembered address, which asked nobody, is let through"
  at_most "IPv$family: ms for that" "${MILLISECONDS%.*}" 200
done
is "and the names it looked up for clients" "$(ask status | sed -n 's/^addresses.* \([0-9]*\) names looked up.*/\1/p')" 0

for family in 4 6; do
  router=${ROUTER_LAN[$family]}
  is "IPv$family: an allowed name" "$(said 1 "$router" $ALLOWED)" \
    "noerror $(address 4 $ALLOWED)"
  is "IPv$family: its IPv6 address" "$(said 1 "$router" $ALLOWED --type AAAA)" \
    "noerror $(address 6 $ALLOWED)"
  is "IPv$family: over TCP, twice on one connection" \
    "$(said 1 "$router" $ALLOWED files.example.org --tcp)" \
    "noerror $(address 4 $ALLOWED);noerror $(address 4 files.example.org)"
  is "IPv$family: two questions in one go" \
    "$(said 1 "$router" $ALLOWED files.example.org --tcp --pipeline)" \
    "noerror $(address 4 $ALLOWED);noerror $(address 4 files.example.org)"

  is "IPv$family: a refused name" "$(said 1 "$router" www.example.com)" "refused"
  is "IPv$family: with EDNS it says why" "$(said 1 "$router" www.example.com --edns)" "refused ede=15"
  is "IPv$family: a name below a refused one" "$(said 1 "$router" secret.tunnel.example.com)" "refused"
  is "IPv$family: a local name" "$(said 1 "$router" router.lan)" "refused"
  is "IPv$family: a text record of an allowed name" "$(said 1 "$router" $ALLOWED --type TXT)" "refused"
  for canary in mask.icloud.com mask-h2.icloud.com mask.apple-dns.net use-application-dns.net \
    _dns.resolver.arpa; do
    is "IPv$family: $canary" "$(said 1 "$router" $canary --type SVCB)" "nxdomain"
  done
  # Its id is 1234; two questions, for the names a and b.
  is "IPv$family: two questions in one message" \
    "$(said 1 "$router" --raw 1234010000020000000000000161000001000101620000010001)" "formerr"
  is "IPv$family: refused in a stream, which then ends in good order" \
    "$(said 1 "$router" $ALLOWED www.example.com --tcp --end)" \
    "noerror $(address 4 $ALLOWED);refused;closed"
  is "IPv$family: first in a stream" "$(said 1 "$router" www.example.com --tcp --end)" "refused;closed"

  # The limit is 5 ms; a machine that does other things too may take longer for some.
  line=$(ask_dns 1 "$router" example.net --count 100 --every 0.005)
  note "IPv$family, 100 refused questions in half a second: $line"
  is "IPv$family: all of them are answered" "$(cut -d ' ' -f 1,2 <<<"$line")" 'refused 100'
  at_least "IPv$family: within 5 ms, of a hundred" "$(sed -n 's/.*within5=//p' <<<"$line")" \
    "${LAB_DNS_WITHIN:-50}"
  line=$(ask_dns 2 "$router" example.net --count 300)
  note "IPv$family, 300 at once: $line"
  is "IPv$family: all of them are answered" "$(cut -d ' ' -f 1,2 <<<"$line")" 'refused 300'

  # Nobody else may be asked.
  sink=$(address $family sink.example.com)
  is "IPv$family: another resolver" "$(said 1 "$sink" $ALLOWED)" "icmp"
  try_probe 1 udp "$sink" 53
  expect_refused "IPv$family: another resolver, at once"
  for port in 53 853; do
    try_probe 1 tcp "$sink" $port
    expect_refused "IPv$family: another resolver, TCP $port"
  done
done
is "nothing of it reached the other" "$(sink_bytes sink.example.com)" 0
link=$(ip -n "$LAB_ROUTER" -6 -o address show dev br-lan scope link | awk '{ sub("/.*", "", $4); print $4 }')
is "the router's link-local address: allowed" "$(said 1 "$link%wlan0" $ALLOWED)" \
  "noerror $(address 4 $ALLOWED)"
is "refused" "$(said 1 "$link%wlan0" www.example.com)" "refused"
is "refused in a stream" "$(said 1 "$link%wlan0" www.example.com --tcp --end)" "refused;closed"
for name in www.example.com n7.example.net router.lan mask.icloud.com secret.tunnel.example.com; do
  is "$name never reached the router's resolver" "$(asked $name)" 0
done
at_least "allowed ones did" "$(asked $ALLOWED)" 4

is "the report has the refused names" \
  "$(report_sum connections verdict=deny reason=host-not-allowed host=n42.example.net)" 4
at_least "and www.example.com" \
  "$(report_sum connections verdict=deny reason=host-not-allowed host=www.example.com)" 6
is "allowed questions are no connections" "$(report_sum connections verdict=allow host=$ALLOWED)" 0
at_least "other resolvers by their reason" "$(report_sum connections verdict=deny reason=other-resolver)" 8

# The router's other services are its own business.
spawn service "$LAB_ROUTER" python3 -I -m http.server 8022 --directory "$LAB/www"
check "a service of the router's" wait_until 5 on_phone 1 curl -sf -o /dev/null "http://${ROUTER_LAN[4]}:8022/"
check "ping to the router" probe 1 ping "${ROUTER_LAN[4]}"
is "DHCP" "$(on_phone 1 python3 -I "$LAB_SCRIPTS/dns.py" - --mac "$(phone 1 mac)" --timeout 8)" "$(phone 1 4)"

# What is answered is learned before the phone can use it.
fetch 1 4 https://quiet.example.org/
expect_ok "a name that no rule names exactly, asked and used"
learned=$(ask status --addresses)
has "was learned from the answer" "$(grep "$(address 4 quiet.example.org)" <<<"$learned")" ' dns '

# Somebody else's rules in front of ours.
before=$(asked www.example.com)
router_iptables -I INPUT -j ACCEPT
is "with a foreign -I INPUT -j ACCEPT: refused" "$(said 1 "${ROUTER_LAN[4]}" www.example.com)" "refused"
is "in a stream" "$(said 1 "${ROUTER_LAN[4]}" www.example.com --tcp)" "refused"
if [[ $LAB_FIREWALL != nftables ]]; then
  router_iptables -t mangle -I INPUT -j ACCEPT
  said 1 "${ROUTER_LAN[4]}" www.example.com --timeout 0.5 >/dev/null
  is "with one that passes our queue by, nothing gets through" "$(asked www.example.com)" "$before"
  check "and it is put right" wait_until 15 ask firewall verify
fi
is "then it is refused again" "$(said 1 "${ROUTER_LAN[4]}" www.example.com)" "refused"

# Without the gateway no question passes.
kill_gateway
before=$(asked '.*')
is "while it is away: UDP" "$(said 1 "${ROUTER_LAN[4]}" www.example.com --timeout 0.5)" "silent"
is "IPv6" "$(said 1 "${ROUTER_LAN[6]}" $ALLOWED --timeout 0.5)" "silent"
is "TCP" "$(said 1 "${ROUTER_LAN[4]}" www.example.com --tcp --timeout 0.5)" "silent"
is "none of them reached the resolver" "$(asked '.*')" "$before"
start_gateway
is "when it is back" "$(said 1 "${ROUTER_LAN[4]}" $ALLOWED)" "noerror $(address 4 $ALLOWED)"
stop_gateway

# onFailure: open.
configure 'onFailure: open'
start_gateway
is "onFailure open: refused while it runs" "$(said 1 "${ROUTER_LAN[4]}" www.example.com)" "refused"
kill_gateway
is "and answered while it is away" "$(said 1 "${ROUTER_LAN[4]}" www.example.com)" \
  "noerror $(address 4 www.example.com)"
is "over TCP, too" "$(said 1 "${ROUTER_LAN[4]}" www.example.com --tcp)" \
  "noerror $(address 4 www.example.com)"

# A resolver on the other side of the router.
listed4=198.19.2.53 listed6=2001:2:0:ff::2:53
add_address "$LAB_INTERNET" eth0 $listed4/16
add_address "$LAB_INTERNET" eth0 $listed6/64
{
  printf '%s\n' user=root pid-file= no-resolv no-hosts no-poll bind-interfaces log-queries \
    listen-address=$listed4 listen-address=$listed6
  grep ^host-record "$LAB/resolver.conf"
} >"$LAB/listed.conf"
spawn listed "$LAB_INTERNET" dnsmasq --keep-in-foreground --conf-file="$LAB/listed.conf" \
  --log-facility=-
configure "resolver: [$listed4, '$listed6']"
start_gateway
for resolver in $listed4 $listed6; do
  is "$resolver: an allowed name" "$(said 1 "$resolver" $ALLOWED)" "noerror $(address 4 $ALLOWED)"
  is "$resolver: refused" "$(said 1 "$resolver" www.example.com --edns)" "refused ede=15"
  is "$resolver: a stream" "$(said 1 "$resolver" $ALLOWED files.example.org --tcp)" \
    "noerror $(address 4 $ALLOWED);noerror $(address 4 files.example.org)"
  is "$resolver: refused in a stream" "$(said 1 "$resolver" $ALLOWED www.example.com --tcp --end)" \
    "noerror $(address 4 $ALLOWED);refused;closed"
  line=$(ask_dns 1 "$resolver" example.net --count 100 --every 0.005)
  note "$resolver, 100 refused questions in half a second: $line"
  is "$resolver: all of them are answered" "$(cut -d ' ' -f 1,2 <<<"$line")" 'refused 100'
  is "$resolver: nothing but plain DNS" "$(said 1 "$resolver" $ALLOWED --tcp --port 853)" "reset"
  is "$resolver: a name that no rule names exactly" "$(said 1 "$resolver" quiet.example.org)" \
    "noerror $(address 4 quiet.example.org)"
done
is "no refused question came to it" "$(grep -c -e www.example.com -e example.net "$LAB/log/listed" || true)" 0
is "the router's own resolver stays judged" "$(said 1 "${ROUTER_LAN[4]}" www.example.com)" "refused"
at_least "bytes of the questions count for the resolver" "$(report_sum bytesUp reason=resolver-allowed)" 100

stop_gateway
check "everything can be removed" ask firewall remove
is "and nothing stays" "$(own_rules)" ''

summary
