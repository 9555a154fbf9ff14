# shellcheck shell=bash
# Chat in the lab: the servers of WeChat and QQ behind the names of role `chat` in servers.sh, others
# behind addresses that no name has, and the phones' scripted sessions. A test that needs them
# sources this file after lib.sh.

readonly CHAT_FIRST=50 CHAT_LIMIT=99

# Addresses without a name in any resolver -> the last part of them.
declare -rA BARE_NUMBER=(
  [wechat-media]=101
  [qq-media]=102
  # Those that the packs build in, in the lab's copy of them.
  [built-in-long]=103
  [built-in-dns]=104
  [built-in-msf]=105
  # Only WeChat's own name service tells this one, as tjshort.weixin.qq.com.
  [taught]=106
  # Nobody's: not one byte may reach it.
  [stranger]=107
)

# bare 4|6 NAME: such an address.
bare() {
  local number=${BARE_NUMBER[$2]}
  if (($1 == 4)); then printf '198.19.1.%d' "$number"; else printf '2001:2:0:ff::1:%d' "$number"; fi
}

# An account's number that stands nowhere else.
# shellcheck disable=SC2034
readonly CHAT_UIN=2718281828

# chat_ports NAME: its open TCP and UDP ports.
chat_ports() {
  case $1 in
    hklong.*) printf '80,443 -' ;;
    msfxgv6.*) printf '14000 -' ;;
    sz2.*) printf '%s -' - ;;
    *) printf '80,81,443,3128,5222,5223,5228,8000,8080,14000 123,443,3478,8000,8001' ;;
  esac
}

# chat_up: the servers. Call it after lab_up.
chat_up() {
  local name family number
  for name in "${!BARE_NUMBER[@]}"; do
    add_address "$LAB_INTERNET" eth0 "$(bare 4 "$name")/16"
    add_address "$LAB_INTERNET" eth0 "$(bare 6 "$name")/64"
  done
  for family in 4 6; do
    for name in "${!HOST_NUMBER[@]}"; do
      number=${HOST_NUMBER[$name]}
      ((CHAT_FIRST <= number && number <= CHAT_LIMIT)) || continue
      printf '%s %s\n' "$(address $family "$name")" "$(chat_ports "$name")"
    done
    for name in "${!BARE_NUMBER[@]}"; do
      printf '%s %s\n' "$(bare $family "$name")" "$(chat_ports "$name")"
    done
  done >"$LAB/chat.places"
  : >"$LAB/log/chat-bytes"
  spawn chat "$LAB_INTERNET" python3 -E -s -B "$LAB_SCRIPTS/chat-server.py" \
    --log "$LAB/log/chat-bytes" --ready "$LAB/run/chat.ready" --places "$LAB/chat.places" \
    --certificate "$LAB/tls/server.crt" --key "$LAB/tls/server.key" \
    --teach "tjshort.weixin.qq.com=$(bare 4 taught),$(bare 6 taught)" \
    --teach "szlong.weixin.qq.com=$(address 4 szlong.weixin.qq.com)" \
    --teach "mp.weixin.qq.com=$(bare 4 stranger),$(bare 6 stranger)" \
    --server "$(bare 4 built-in-dns)" --server "$(bare 6 built-in-dns)"
  wait_until 10 test -e "$LAB/run/chat.ready" \
    || die "the chat servers did not start: $(tail -n 3 "$LAB/log/chat")"
}

# chat_packs: a copy of the service packs in which some built-in addresses are the lab's own, for
# LAB_PACKS: the real ones are somebody's, and never used here.
chat_packs() {
  mkdir -p "$LAB/services"
  LAB_PACKS=$LAB/services
  sed -E \
    -e "s/\b43\.130\.30\.240\b/$(bare 4 built-in-dns)/" \
    -e "s/\b43\.130\.30\.237:8080\b/'[$(bare 6 built-in-dns)]:8080'/" \
    -e "s/\b101\.32\.104\.4\b/$(bare 4 built-in-long)/" \
    -e "s/\b101\.32\.104\.41\b/'$(bare 6 built-in-long)'/" \
    "$PROJECT/rules/services/wechat.yaml" >"$LAB_PACKS/wechat.yaml"
  sed -E \
    -e "s/\b14\.215\.138\.110\b/$(bare 4 built-in-msf)/" \
    -e "s/'\[240e:ff:f101:10::109\]:14000'/'[$(bare 6 built-in-msf)]:14000'/" \
    "$PROJECT/rules/services/qq.yaml" >"$LAB_PACKS/qq.yaml"
  cp -n "$PROJECT"/rules/services/*.yaml "$LAB_PACKS"
  (($(grep -c '198\.19\.1\.10[345]' "$LAB_PACKS"/{wechat,qq}.yaml | cut -d : -f 2 | paste -s -d +) >= 3)) \
    || die "the packs' built-in addresses have changed: $LAB_SCRIPTS/chat.sh names others"
}

# chat_rules [LINE...]: WeChat and QQ as delivered; more lines of the file's top level.
chat_rules() {
  cat <<'END'
version: 1
services:
  wechat: on
  qq: on
END
  (($# == 0)) || printf '%s\n' "$@"
}

# chat_gateway: the gateway with those packs and rules (or the rules that are there), once it has
# learned where the chat names are.
chat_gateway() {
  chat_packs
  [[ -e $LAB/rules.yaml ]] || chat_rules | set_rules
  start_gateway "$@"
  wait_until 10 chat_names_learned || die "the gateway has not resolved the chat names in 10 s"
}
chat_names_learned() {
  local name found
  found=$(ask status --addresses) || return 1
  for name in szlong.weixin.qq.com szshort.weixin.qq.com dns.weixin.qq.com msfxg.3g.qq.com \
    sz.tencent.com tcpconn.tencent.com; do
    [[ $found == *"$(address 4 $name)"* && $found == *"$(address 6 $name)"* ]] || return 1
  done
}

# chat PHONE SCRIPT ADDRESS PORTS [OPTION...]: a scripted session; see chat-client.py.
chat() { on_phone "$1" python3 -E -s -B "$LAB_SCRIPTS/chat-client.py" "${@:2}"; }

# try_chat PHONE SCRIPT ADDRESS PORTS [OPTION...]: one such session, into OUTCOME and its fellows.
try_chat() {
  read -r OUTCOME _ MILLISECONDS DETAIL < <(chat "$@" 2>"$LAB/log/chat-client") \
    || OUTCOME=failed MILLISECONDS=0 DETAIL=$(tail -n 1 "$LAB/log/chat-client")
  case $OUTCOME:$2 in
    answered:*) OUTCOME=ok ;;
    refused:oicq | refused:gquic | refused:quic | refused:ntp | refused:datagram) OUTCOME=icmp ;;
    refused:*) OUTCOME=reset ;;
  esac
}

# hold NAME PHONE SCRIPT ADDRESS PORTS [OPTION...]: a session that stays, with a message every 0.2 s;
# returns when it is up. let_go NAME: ends it and takes its outcome.
hold() {
  local name=$1 phone=$2
  shift 2
  touch "$LAB/run/hold-$name"
  rm -f "$LAB/run/hold-$name.up" "$LAB/log/$name"
  spawn "$name" "$LAB_PHONE_PREFIX$phone" python3 -E -s -B "$LAB_SCRIPTS/chat-client.py" "$@" \
    --hold "$LAB/run/hold-$name"
  wait_until 5 eval "[[ -e $LAB/run/hold-$name.up ]] || finished $name"
  running "$name" && [[ -e $LAB/run/hold-$name.up ]]
}
let_go() {
  rm -f "$LAB/run/hold-$1" "$LAB/run/hold-$1.up"
  wait_until 5 finished "$1" || end "$1"
  read -r OUTCOME _ MILLISECONDS DETAIL < <(tail -n 1 "$LAB/log/$1") \
    || OUTCOME=failed MILLISECONDS=0 DETAIL='it said nothing'
  [[ $OUTCOME != answered ]] || OUTCOME=ok
  [[ $OUTCOME != refused ]] || OUTCOME=reset
}

# chat_bytes ADDRESS: payload bytes that have reached it, over all ports.
chat_bytes() { awk -v at="$1" '$2 == at { bytes += $4 } END { print bytes + 0 }' "$LAB/log/chat-bytes"; }

# chat_count ADDRESS WHAT: messages of a kind that a server has understood. An address of `all`.
chat_count() {
  awk -v at="$1" -v what="$2" '($2 == at || at == "all") && $6 == what { count++ } END { print count + 0 }' \
    "$LAB/log/chat-bytes"
}

# chat_sum sent|received: bytes of all chat servers.
chat_sum() {
  awk -v field="$1" '{ received += $4; sent += $5 }
    END { printf "%d\n", field == "sent" ? sent : received }' "$LAB/log/chat-bytes"
}

# refused_unseen TEXT PHONE SCRIPT ADDRESS PORTS [OPTION...]: refused at once, and not one byte of it
# has reached the server.
refused_unseen() {
  local text=$1 before
  shift
  before=$(chat_bytes "$3")
  try_chat "$@"
  expect_refused "$text"
  # Twice the way of a packet, so that what leaked has arrived.
  sleep 0.05
  is "$text: bytes at the server" $(($(chat_bytes "$3") - before)) 0
}

# reasons TEXT REASON COUNT [KEY=VALUE...]: connections of that reason in today's report.
reasons() { is "$1" "$(report_sum connections reason="$2" "${@:4}")" "$3"; }
