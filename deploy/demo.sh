#!/usr/bin/env bash
# The gateway at work, seen in a few minutes: a router, two phones and a small internet in network
# namespaces of this machine; the real gateway on real netfilter queues; real clients and servers.
set -euo pipefail

help() {
  cat <<'END'
usage: sudo deploy/demo.sh [--keep]

Installs what is missing with apt-get, builds the release binary, makes a router, two phones and an
"internet" in network namespaces, starts the gateway on the router, and lets the phones try what
should work and what should not, over IPv4 and IPv6: pages and downloads, then a WeChat session and a
QQ session in those programs' own bytes. Shows every attempt with its outcome and the
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
# shellcheck source=../Tests/Lab/chat.sh
source "$(dirname "$0")/../Tests/Lab/chat.sh"
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
  chat_up
  make_file 10M 10M
  step Lab "198.18.1.0/24 and 2001:2:0:1::/64 behind the router, ${#HOST_NUMBER[@]} servers beyond it"
  start_gateway || die "the gateway did not start"
  wait_until 10 chat_names_learned || die "the gateway has not resolved the names of WeChat and QQ"
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

# heading TEXT: above a table of attempts.
heading() {
  printf '\n%s%s%s\n' "$bold" "$1" "$plain"
  printf '  %s%-7s  %-4s  %-49s %-10s %6s  %s%s\n' "$bold" who over what outcome ms reason "$plain"
}

attempts() {
  local family url name
  heading 'Pages, downloads, single packets'
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

# stays NAME PHONE SCRIPT...: a session that has begun, and goes on in the background.
stays() {
  if hold "$@"; then
    OUTCOME=ok DETAIL='' MILLISECONDS=$(<"$LAB/run/hold-$1.up")
  else
    let_go "$1"
  fi
}

# ends NAME PHONE FAMILY WHAT: it says good-bye; how often it was answered meanwhile.
ends() {
  local mark=''
  let_go "$1"
  [[ $OUTCOME == ok ]] || {
    mark='  <- not as promised'
    broken=$((broken + 1))
  }
  DETAIL=${DETAIL#*answers=}
  printf '  phone %d  IPv%d  %-49s %-10s %6.1f  %s%s\n' "$2" "$3" "$4: ${DETAIL%% *} answered" \
    "${OUTCOME/ok/answered}" "$MILLISECONDS" 'the same connection' "$mark"
}

# page PHONE FAMILY NAME WHAT: an app's own request, to the name's address without asking anybody.
page() {
  attempt deny "$1" "$2" "$4" try_chat "$1" get "$(address "$2" "$3")" 443 --host "$3" --path / \
    --tls "$3" --ca "$LAB/tls/ca.crt"
}

wechat_session() {
  local phone=$1 family=$2 long short
  long=$(address "$family" szlong.weixin.qq.com) short=$(address "$family" szshort.weixin.qq.com)
  attempt allow "$phone" "$family" "name service of its own (newgetdns)" \
    try_chat "$phone" newgetdns "$(address "$family" dns.weixin.qq.com)" 8080 --host dns.weixin.qq.com
  attempt deny "$phone" "$family" "picture, before login" \
    try_chat "$phone" media "$(bare "$family" wechat-media)" 443 --size 65536
  attempt allow "$phone" "$family" "login: long link on 8080 (mmtls)" \
    stays wechat "$phone" long "$long" 8080 --messages 2
  attempt allow "$phone" "$family" "message: short link on 80 (mmtls in HTTP)" \
    try_chat "$phone" short "$short" 80 --host szshort.weixin.qq.com
  attempt allow "$phone" "$family" "message: server that only newgetdns has named" \
    try_chat "$phone" short "$(bare "$family" taught)" 80 --host tjshort.weixin.qq.com
  attempt allow "$phone" "$family" "picture of 1 MB to an address without a name" \
    try_chat "$phone" media "$(bare "$family" wechat-media)" 443 --size 65536 --messages 16
  attempt allow "$phone" "$family" "avatar from wx.qlogo.cn" fetch "$phone" "$family" http://wx.qlogo.cn/
  page "$phone" "$family" findershort.weixin.qq.com "Channels"
  page "$phone" "$family" mmsns.qpic.cn "Moments"
  page "$phone" "$family" game.weixin.qq.com "mini game"
  page "$phone" "$family" www.example.com "web page, from a link in a chat"
  attempt deny "$phone" "$family" "QUIC to szquic.weixin.qq.com" \
    try_chat "$phone" gquic "$short" 443 --host szquic.weixin.qq.com
  attempt deny "$phone" "$family" "its bytes, to a stranger's address" \
    try_chat "$phone" long "$(bare "$family" stranger)" 8080
  attempt deny "$phone" "$family" "something else that begins as a picture does" \
    try_chat "$phone" raw "$(bare "$family" wechat-media)" 443 --hex "ab0000003b2714$(printf '00%.0s' {1..18})" \
    --text 'not pairs of keys and values, as chat'
  ends wechat "$phone" "$family" "heartbeats on the long link"
}

qq_session() {
  local phone=$1 family=$2 msf
  msf=$(address "$family" msfxg.3g.qq.com)
  attempt allow "$phone" "$family" "login and message: MSF on 8080" \
    stays qq "$phone" msf "$msf" 8080 --messages 2
  attempt allow "$phone" "$family" "server with nothing open but 14000" \
    try_chat "$phone" msf "$(address "$family" msfxgv6.3g.qq.com)" 14000
  attempt allow "$phone" "$family" "classic QQ: message over UDP 8000 (OICQ)" \
    try_chat "$phone" oicq "$(address "$family" sz.tencent.com)" 8000 --messages 3
  attempt allow "$phone" "$family" "classic QQ over TCP 80" \
    try_chat "$phone" pcqq "$(address "$family" tcpconn.tencent.com)" 80 --messages 3
  attempt allow "$phone" "$family" "picture of 1 MB to an address without a name" \
    try_chat "$phone" highway "$(bare "$family" qq-media)" 443 --size 500000 --messages 2
  page "$phone" "$family" game.qq.com "game"
  attempt deny "$phone" "$family" "its bytes, to a stranger's address" \
    try_chat "$phone" msf "$(bare "$family" stranger)" 8080
  attempt deny "$phone" "$family" "its datagram, to a stranger's address" \
    try_chat "$phone" oicq "$(bare "$family" stranger)" 8000
  ends qq "$phone" "$family" "heartbeats on MSF"
}

# Each phone's first session: nothing has vouched for its media yet.
sessions() {
  heading 'A WeChat session'
  wechat_session 1 4
  wechat_session 2 6
  heading 'A QQ session'
  qq_session 2 4
  qq_session 1 6
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
  local allowed denied sent received up down limit name stray
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
  sent=$((sent + $(chat_sum sent))) received=$((received + $(chat_sum received)))
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
  stray=$(($(chat_bytes "$(bare 4 stranger)") + $(chat_bytes "$(bare 6 stranger)")))
  promise "bytes of WeChat and QQ that reached a stranger's server: $stray" test "$stray" = 0
}

prepare
lab_with_gateway
attempts
sessions
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
