# shellcheck shell=bash
# The gateway in the lab: its files, its start and its end. IMGATE names the binary; without it the
# release build is taken.

# The mark's bits and queues of the lab's configuration.
readonly QUEUE_FIRST=40
readonly QUEUE_COUNT=2

# Which backend the configuration asks for: iptables, nftables or auto.
LAB_FIREWALL=${LAB_FIREWALL:-iptables}

# imgate ARGUMENT...: the program inside the router, as its owner would call it there. Its PATH
# holds the tools of one iptables variant and nothing else.
imgate() { on_router env PATH="$LAB/bin" XTABLES_LOCKFILE="$LAB/run/xtables.lock" "$LAB/bin/imgate" "$@"; }

# ask COMMAND ARGUMENT...: the same, of the running gateway.
ask() { imgate "$@" --config "$LAB/imgate.yaml" --state "$LAB/state/usage.db" --socket "$LAB/run/control.sock"; }

# configure [KEY: VALUE...]: writes imgate.yaml; arguments are more lines of it.
configure() {
  [[ -e $LAB/bin/imgate ]] || install_gateway
  mkdir -p "$LAB/state"
  {
    cat <<END
version: 1
lan: [br-lan]
wan: [wan0]
firewall: $LAB_FIREWALL
queues: {first: $QUEUE_FIRST, count: $QUEUE_COUNT, length: 8192}
leases: $LAB/leases
store: {path: $LAB/state/usage.db, interval: 15m}
log: {level: info, flows: denied}
END
    (($# == 0)) || printf '%s\n' "$@"
  } >"$LAB/imgate.yaml"
}

# The binary, where a user other than root can execute it too.
install_gateway() {
  local binary=${IMGATE:-$PROJECT/.build-embedded/release/imgate}
  [[ -x $binary ]] || die "no gateway at $binary; deploy/build.sh builds it, or set IMGATE"
  install -m 755 "$binary" "$LAB/bin/imgate"
}

# The lab's rules: chat as delivered, and names of the lab's own. More `allow:` lines on standard
# input when the argument is `-`.
lab_rules() {
  cat <<'END'
version: 1
services:
  wechat: {messaging: on, pictures: on, files: on, articles: off, channels: off}
  qq: {messaging: on}
allow:
  - {host: files.example.org, note: downloads of the lab}
  - {host: other.example.org, note: another server}
  - {host: .quiet.example.org, note: a suffix cannot be resolved ahead}
  - {host: twice.example.org, note: answers with a HelloRetryRequest}
  - {host: sink.example.org, note: counts what reaches it}
END
  [[ ${1:-} != - ]] || cat
}

# set_rules: standard input becomes the rules file, in one step as an editor does it.
set_rules() {
  cat >"$LAB/rules.yaml.new"
  mv "$LAB/rules.yaml.new" "$LAB/rules.yaml"
}

# start_gateway: with the files that are there, or with the lab's own; returns once it answers.
start_gateway() {
  launch_gateway "$@"
  wait_until 10 gateway_ready || {
    note "the gateway did not start:"
    tail -n 20 "$LAB/log/gateway" | sed 's/^/#   /'
    return 1
  }
}

# launch_gateway: the same, without waiting for it. LAB_PACKS is the directory of service packs.
launch_gateway() {
  [[ -e $LAB/imgate.yaml ]] || configure
  [[ -e $LAB/rules.yaml ]] || lab_rules | set_rules
  spawn gateway "$LAB_ROUTER" env PATH="$LAB/bin" XTABLES_LOCKFILE="$LAB/run/xtables.lock" \
    "$LAB/bin/imgate" run --config "$LAB/imgate.yaml" --rules "$LAB/rules.yaml" \
    --packs "${LAB_PACKS:-$PROJECT/rules/services}" --state "$LAB/state/usage.db" \
    --socket "$LAB/run/control.sock" "$@"
}

gateway_ready() { running gateway && ask status; }

# stop_gateway: as a service manager does; kill_gateway: as the kernel does when memory is short.
stop_gateway() { end gateway TERM; }
kill_gateway() { end gateway KILL; }

# visits: how many packets of forwarded traffic have visited the gateway so far. The last but one
# column of the file is the id of the latest packet (nfnetlink_queue.c, seq_show).
visits() {
  on_router awk -v first="$QUEUE_FIRST" -v count="$QUEUE_COUNT" \
    '$1 >= first && $1 < first + count { visits += $8 } END { print visits + 0 }' \
    /proc/net/netfilter/nfnetlink_queue
}

# own_rules: every rule of the gateway in the router, in both iptables variants and nftables.
own_rules() {
  local tool table
  for tool in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
    command -v "$tool" >/dev/null || continue
    for table in mangle filter security; do
      on_router env XTABLES_LOCKFILE="$LAB/run/xtables.lock" "$tool" -t "$table" -S 2>/dev/null \
        | grep -i imgate || true
    done
  done
  ! command -v nft >/dev/null || on_router nft list ruleset 2>/dev/null | grep -i 'table.*imgate' || true
}

# report_sum FIELD KEY=VALUE...: adds up one field of today's report over the lines that match.
report_sum() { report_rows | python3 -I "$LAB_SCRIPTS/rows.py" sum "$@"; }
report_rows() { ask report --day today --format json; }
