#!/usr/bin/env bash
# Rules change while two downloads run: the one that is no longer allowed is reset at both ends
# within a second, the other finishes with every byte. By `imgate reload` and by SIGHUP. A bad file
# changes nothing.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

lab_up
start_gateway
make_file 16M 16M

# download NAME HOST FAMILY SCHEME: four seconds' worth, in the background.
download() {
  : >"$LAB/$1"
  spawn "$1" "${LAB_PHONE_PREFIX}1" curl -q --silent --show-error "-$3" \
    --cacert "$LAB/tls/ca.crt" --output "$LAB/$1" "$4://$2/slow/16M"
  wait_until 5 test -s "$LAB/$1"
}

# The moment at which nginx had done with a request for a host since a given line of its log.
ended_at() { tail -n "+$(($2 + 1))" "$LAB/log/access" | awk -v host="$1" '$4 == host { sub(/\./, "", $1); print $1; exit }'; }

reload_by_command() { ask reload; }
reload_by_signal() { kill -s HUP "$(<"$LAB/pids/gateway")"; }

# round HOW FAMILY SCHEME
round() {
  local how=$1 family=$2 scheme=$3 lines start text="$1, IPv$2, $3"
  lab_rules | set_rules
  "reload_by_$how" >/dev/null
  download staying files.example.org "$family" "$scheme"
  download leaving other.example.org "$family" "$scheme"
  sleep 0.3
  lines=$(wc -l <"$LAB/log/access")
  lab_rules | grep -v other.example.org | set_rules
  start=$(microseconds)
  "reload_by_$how" >/dev/null
  check "$text: the download that is no longer allowed ends" wait_until 2 finished leaving
  at_most "$text: ms until the client was reset" $((($(microseconds) - start) / 1000)) 1000
  has "$text: by a reset" "$(<"$LAB/log/leaving")" 'reset by peer'
  wait_until 2 eval "[[ -n \$(ended_at other.example.org $lines) ]]" || true
  at_most "$text: ms until the server was" \
    $((($(ended_at other.example.org "$lines") * 1000 - start) / 1000)) 1000
  check "$text: the other comes to its end" wait_until 15 finished staying
  check "$text: and whole" cmp "$LAB/www/16M" "$LAB/staying"
  rm -f "$LAB/log/leaving" "$LAB/log/staying"
}

round command 4 https
round command 6 http
round signal 6 https
round signal 4 http

# With the address that it had before: nobody may ask for the name any longer.
mapfile -t known < <(pinned 4 other.example.org 443)
fetch 1 4 https://other.example.org/ "${known[@]}"
expect_refused "what the new rules do not allow is refused"

# A bad file, while a download runs.
download staying files.example.org 4 https
{ lab_rules; printf 'allow_all: yes\n'; } | set_rules
status=0
said=$(reload_by_command 2>&1) || status=$?
is "a bad file: reload says so" "$status" 1
has "with file and line" "$said" "$LAB/rules.yaml:$(wc -l <"$LAB/rules.yaml"):"
reload_by_signal
sleep 0.3
check "the gateway runs on" ask status
fetch 1 4 https://files.example.org/
expect_ok "the old rules stay: allowed"
fetch 1 4 https://other.example.org/ "${known[@]}"
expect_refused "the old rules stay: refused"
check "the download that ran comes to its end" wait_until 15 finished staying
check "and whole" cmp "$LAB/www/16M" "$LAB/staying"

summary
