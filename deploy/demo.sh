#!/usr/bin/env bash
# The gateway at work, seen in a few minutes: a router, two phones and a small internet in network
# namespaces of this machine; the real gateway on real netfilter queues; real clients and servers.
set -euo pipefail

help() {
  cat <<'END'
usage: sudo deploy/demo.sh [--keep]

Installs what is missing with apt-get, builds the release binary, makes a router, two phones and an
"internet" in network namespaces, starts the gateway on the router, and lets the phones try what
should work and what should not, over IPv4 and IPv6. Shows every attempt with its outcome and the
gateway's reason, prints the day's report, compares it with what was really done, and takes
everything down again. No packet leaves the machine; its own firewall is not touched.

  --keep    leave the lab standing afterwards, with the gateway running, to look around
  --help    this

Exit status: 0 when everything was as promised, 1 when something was not, 3 when the machine lacks
something.
END
}

keep=
for argument; do
  case $argument in
    --keep) keep=yes ;;
    --help | -h)
      help
      exit 0
      ;;
    *)
      help >&2
      exit 2
      ;;
  esac
done

# shellcheck source=../Tests/Lab/lib.sh
source "$(dirname "$0")/../Tests/Lab/lib.sh"
# shellcheck source=toolchain.sh
source "$PROJECT/deploy/toolchain.sh"

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi

step() { printf '%s%-10s%s %s\n' "$bold" "$1" "$plain" "$2"; }

# megabytes BYTES, thousands NUMBER: for people.
megabytes() { awk -v bytes="$1" 'BEGIN { printf "%.2f MB", bytes / 1e6 }'; }
thousands() { sed ':again; s/\B[0-9]\{3\}\>/,&/; t again' <<<"$1"; }

prepare() {
  local missing log
  ((EUID == 0)) || die "needs root, for network namespaces: sudo $0"
  step Demo "a Wi-Fi router, two phones and a small internet, all inside this machine"
  missing=$("$PROJECT/deploy/packages.sh" --list build lab | xargs)
  if [[ -n $missing ]]; then
    step Packages "installing $missing"
    "$PROJECT/deploy/packages.sh" build lab
  else
    step Packages "nothing is missing"
  fi
  if [[ -z ${IMGATE:-} ]]; then
    find_swift
    step Gateway "building the release binary (a minute or two the first time)"
    log=$(mktemp)
    "$PROJECT/deploy/build.sh" >"$log" 2>&1 || {
      tail -n 30 "$log" >&2
      rm -f "$log"
      die "the build failed"
    }
    rm -f "$log"
    IMGATE=$PROJECT/.build-embedded/release/imgate
  fi
  step Gateway "$(thousands "$(stat -c %s "$IMGATE")") bytes: ${IMGATE#"$PROJECT"/}"
}

lab_with_gateway() {
  # What the lab would print at its end is for tests; this script has words of its own.
  CHECKS_SUMMARISED=yes
  [[ -z $keep ]] || LAB_KEEP=yes
  command -v iptables-nft >/dev/null || LAB_IPTABLES=legacy
  LAB_FIREWALL=auto
  lab_up
  make_file 10M 10M
  step Lab "198.18.1.0/24 and 2001:2:0:1::/64 behind the router, ${#HOST_NUMBER[@]} servers beyond it"
  start_gateway || die "the gateway did not start"
  step Rules "chat of WeChat and QQ, and *.example.org for the demo; nothing else"
  report_rows >"$LAB/rows"
}

# What was promised and did not happen.
broken=0
# Attempts made, by what was promised.
declare -A made=([allow]=0 [deny]=0)
slowest=0

# attempt allow|deny PHONE FAMILY WHAT COMMAND...: makes it, and prints a line.
attempt() {
  local promised=$1 phone=$2 family=$3 what=$4 count=${ATTEMPTS:-1} outcome reason mark=''
  shift 4
  "$@"
  made[$promised]=$((made[$promised] + count))
  reason=$(reason_of_latest)
  case $OUTCOME:$DETAIL in
    ok:[0-9]*) outcome="HTTP $DETAIL" ;;
    ok:TLS*) outcome=$DETAIL ;;
    ok:*) outcome=answered ;;
    icmp:*) outcome='ICMP error' ;;
    *) outcome=$OUTCOME ;;
  esac
  case $promised:$OUTCOME in
    allow:ok | deny:reset | deny:icmp) ;;
    *) mark='  <- not as promised' ;;
  esac
  if [[ $promised == deny ]]; then
    ((${MILLISECONDS%.*} < REFUSAL_LIMIT_MS)) || mark="  <- later than $REFUSAL_LIMIT_MS ms"
    slowest=$(awk -v a="$slowest" -v b="$MILLISECONDS" 'BEGIN { print (b > a ? b : a) }')
  fi
  [[ $reason == "$promised "* ]] || mark="${mark:-  <- not what the gateway reports}"
  [[ -z $mark ]] || broken=$((broken + 1))
  printf '  phone %d  IPv%d  %-49s %-10s %6.1f  %s%s\n' "$phone" "$family" "$what" "$outcome" \
    "$MILLISECONDS" "${reason#* }" "$mark"
}

# The verdict and reason of the attempt just made: those of the row that grew in the report.
reason_of_latest() {
  local tries
  for tries in {1..20}; do
    ((tries == 1)) || sleep 0.05
    report_rows >"$LAB/rows.now"
    if python3 -I "$LAB_SCRIPTS/rows.py" grown "$LAB/rows" <"$LAB/rows.now" >"$LAB/grown" \
      && [[ -s $LAB/grown ]]; then
      mv "$LAB/rows.now" "$LAB/rows"
      sort -u "$LAB/grown" | paste -s -d '+'
      return
    fi
  done
  echo "- no row of the report has grown"
}

attempts() {
  local family url name
  printf '\n  %s%-7s  %-4s  %-49s %-10s %6s  %s%s\n' "$bold" who over what outcome ms reason "$plain"
  for family in 4 6; do
    for url in https://short.weixin.qq.com/ http://short.weixin.qq.com/ \
      https://msfwifi.3g.qq.com/ http://msfwifi.3g.qq.com:8080/; do
      attempt allow 1 $family "$url" fetch 1 $family "$url"
    done
    name=long.weixin.qq.com
    attempt allow 2 $family "$name:443 (openssl s_client)" handshake 2 $family $name
    attempt allow 2 $family 'https://files.example.org/10M (a download)' \
      fetch 2 $family https://files.example.org/10M
    for url in https://www.example.com/ http://www.example.com/ https://v.qq.com/ \
      https://mp.weixin.qq.com/; do
      attempt deny 1 $family "$url" fetch 1 $family "$url"
    done
    attempt deny 2 $family 'finder.video.qq.com:443 (openssl s_client)' \
      handshake 2 $family finder.video.qq.com
    attempt deny 2 $family 'short.weixin.qq.com at a stranger'\''s address' \
      fetch 2 $family https://short.weixin.qq.com/ \
      --resolve "short.weixin.qq.com:443:$(bracketed "$(address $family www.example.com)")"
    attempt deny 2 $family 'an allowed server without a server name' \
      fetch 2 $family "https://$(bracketed "$(address $family short.weixin.qq.com)")/" --insecure
    attempt deny 1 $family 'a datagram to port 443' \
      try_probe 1 udp "$(address $family sink.example.com)" 443
    attempt deny 1 $family 'TCP port 22' try_probe 1 tcp "$(address $family sink.example.com)" 22
    attempt deny 2 $family 'a ping' try_probe 2 ping "$(address $family www.example.com)"
    ATTEMPTS=100 attempt deny 1 $family 'www.example.com:443, a hundred in a row (slowest)' \
      try_probe 1 tcp "$(address $family sink.example.com)" 443 --hello www.example.com --count 100
  done
}

# promise WHAT COMMAND...: holds when the command succeeds.
promise() {
  local what=$1
  shift
  if "$@"; then
    printf '  kept    %s\n' "$what"
  else
    printf '  %sBROKEN%s  %s\n' "$bold" "$plain" "$what"
    broken=$((broken + 1))
  fi
}

compare() {
  local allowed denied sent received up down limit name
  printf '\n%sPromised, and seen%s\n' "$bold" "$plain"
  promise "every attempt ended as it should, for the gateway's stated reason" test $broken = 0
  promise "every refusal came within $REFUSAL_LIMIT_MS ms, as a reset or an ICMP error; slowest $slowest ms" \
    awk -v slowest="$slowest" -v limit="$REFUSAL_LIMIT_MS" 'BEGIN { exit !(slowest < limit) }'
  allowed=$(report_sum connections verdict=allow)
  denied=$(report_sum connections verdict=deny)
  promise "attempts allowed: made ${made[allow]}, in the report $allowed" \
    test "$allowed" = "${made[allow]}"
  promise "attempts refused: made ${made[deny]}, in the report $denied" \
    test "$denied" = "${made[deny]}"
  sent=0 received=0
  for name in "${!HOST_NUMBER[@]}"; do
    sent=$((sent + $(served "$name" sent)))
    received=$((received + $(served "$name" received)))
  done
  down=$(report_sum bytesDown verdict=allow)
  up=$(report_sum bytesUp verdict=allow)
  # IP, TCP and TLS headers and the handshake: 5 % of the bytes and 6 KiB a connection.
  limit=$((sent + sent / 20 + made[allow] * 6144))
  promise "bytes down: servers sent $(megabytes "$sent"), the report says $(megabytes "$down")" \
    test "$sent" -le "$down" -a "$down" -le "$limit"
  # Upwards mostly acknowledgements: one for at least two segments of what came down.
  limit=$((received + sent / 20 + made[allow] * 6144))
  promise "bytes up: servers received $(megabytes "$received"), the report says $(megabytes "$up")" \
    test "$received" -le "$up" -a "$up" -le "$limit"
  promise "payload bytes of refused connections that reached the counting server: $(sink_bytes sink.example.com)" \
    test "$(sink_bytes sink.example.com)" = 0
}

prepare
lab_with_gateway
attempts
printf '\n%sThe report%s (imgate report --day today)\n\n' "$bold" "$plain"
ask report --day today | sed 's/^/  /'
compare
if [[ -n $keep ]]; then
  cat <<END

The lab stays. A shell on a phone, and the gateway's own view:
  ip netns exec ${LAB_PHONE_PREFIX}1 bash
  ip netns exec $LAB_ROUTER $LAB/bin/imgate status --socket $LAB/run/control.sock
  less $LAB/log/gateway
Take it down with: sudo Tests/Lab/clean.sh
END
fi
((broken == 0)) || {
  printf '\n%d things were not as promised.\n' "$broken"
  exit 1
}
printf '\nEverything was as promised.\n'
