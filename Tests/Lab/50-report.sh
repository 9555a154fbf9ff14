#!/usr/bin/env bash
# The report: attempts made are attempts counted, bytes are what the servers sent, and a kill loses
# nothing that was written.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway
make_file 10M 10M

# Known numbers of attempts, by phone, host and outcome.
for family in 4 6; do
  for _ in 1 2 3; do
    fetch 1 $family https://short.weixin.qq.com/
    fetch 2 $family http://msfwifi.3g.qq.com/
    fetch 1 $family https://www.example.com/
    fetch 2 $family http://v.qq.com/
    try_probe 2 udp "$(address $family sink.example.com)" 443
    try_probe 2 ping "$(address $family www.example.com)"
    try_probe 1 tcp "$(address $family sink.example.com)" 22
  done
  fetch 1 $family https://files.example.org/10M
  fetch 1 $family https://files.example.org/upload/10M --upload-file "$LAB/www/10M"
done

one=$(phone 1 mac)
two=$(phone 2 mac)
# counted TEXT EXPECTED CONDITION...
counted() { is "$1" "$(report_sum connections "${@:3}")" "$2"; }
counts() {
  counted "$1: allowed, TLS, phone 1" 6 verdict=allow host=short.weixin.qq.com mac="$one"
  counted "$1: allowed, HTTP, phone 2" 6 verdict=allow host=msfwifi.3g.qq.com mac="$two"
  counted "$1: big ones" 4 verdict=allow host=files.example.org mac="$one"
  counted "$1: refused, TLS" 6 verdict=deny host=www.example.com reason=host-not-allowed
  counted "$1: refused, HTTP" 6 verdict=deny host=v.qq.com mac="$two"
  counted "$1: refused datagrams" 6 verdict=deny reason=port-not-allowed mac="$two"
  counted "$1: refused pings" 6 verdict=deny reason=icmp mac="$two"
  counted "$1: refused ports" 6 verdict=deny reason=port-not-allowed mac="$one"
  counted "$1: allowed in all" 16 verdict=allow
  counted "$1: refused in all" 30 verdict=deny
}
# within TEXT ACTUAL SERVERS-COUNT CONNECTIONS ACKNOWLEDGED: headers are 5 % of the bytes of both
# directions and 6 KiB a connection at most.
within() {
  at_least "$1: at least what the servers counted" "$2" "$3"
  at_most "$1: and not more than its headers" "$2" $(($3 + ($3 + $5) / 20 + $4 * 6144))
}
bytes() {
  local sent received
  sent=$(served files.example.org sent) received=$(served files.example.org received)
  within "$1: bytes down" "$(report_sum bytesDown host=files.example.org)" "$sent" 4 "$received"
  within "$1: bytes up" "$(report_sum bytesUp host=files.example.org)" "$received" 4 "$sent"
}
counts "asked of the running gateway"
bytes "asked of the running gateway"

text=$(ask report --day today)
for part in "$one" "$two" short.weixin.qq.com www.example.com host-not-allowed phone-one; do
  has "the text has $part" "$text" "$part"
done
is "yesterday was quiet" "$(ask report --format json | python3 -I "$LAB_SCRIPTS/rows.py" sum connections)" 0
check "csv has a head and rows" eval 'test "$(ask report --day today --format csv | wc -l)" -ge 9'
check "--output writes a file" ask report --day today --output "$LAB/report.txt"
is "the same text" "$(grep -c host-not-allowed "$LAB/report.txt")" "$(grep -c host-not-allowed <<<"$text")"

stop_gateway
counts "from the store alone"
bytes "from the store alone"
start_gateway
counts "after a restart"
fetch 1 4 https://short.weixin.qq.com/
counted "and it counts on" 7 verdict=allow host=short.weixin.qq.com mac="$one"

# A long download is in the report while it runs.
before=$(report_sum bytesDown host=other.example.org)
spawn long "${LAB_PHONE_PREFIX}1" curl -q --silent -4 --cacert "$LAB/tls/ca.crt" \
  --output "$LAB/long" https://other.example.org/slow/10M
wait_until 5 test -s "$LAB/long"
sleep 0.5
at_least "a connection that still runs is counted" \
  $(($(report_sum bytesDown host=other.example.org) - before)) 500000
end long

summary
