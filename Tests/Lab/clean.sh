#!/usr/bin/env bash
# Removes what is left of lab runs: namespaces, the processes inside them, mounts, directories.
#   clean.sh             of runs whose script has died
#   clean.sh --list      prints the process ids of those instead
#   clean.sh --lab PID   of that one, dead or alive (how a lab takes itself down)
#   clean.sh --all       of every run, also of living ones
set -euo pipefail

# Namespaces and directories are called imgate-PID-something; prints those process ids.
labs() {
  {
    ip netns list 2>/dev/null
    ls /tmp /etc/netns 2>/dev/null
  } | sed -n 's/^imgate-\([0-9]\+\)-.*/\1/p' | sort -u
}

# The directory of a run, if it has one.
directory() { compgen -G "/tmp/imgate-$1-??????" || true; }

# Whether the very process that made this lab still runs: the same id, started at the same time.
alive() {
  local home
  home=$(directory "$1")
  [[ -n $home && -f $home/owner && -r /proc/$1/stat ]] || return 1
  [[ $(awk '{ sub(/.*\) /, ""); print $20 }' "/proc/$1/stat") == "$(<"$home/owner")" ]]
}

namespaces() { ip netns list 2>/dev/null | sed -n "s/^\(imgate-$1-[^ ]*\).*/\1/p"; }

# Ends the processes inside the run's namespaces, first politely.
end_processes() {
  local signal namespace pids round
  for signal in TERM KILL; do
    for round in 1 2 3 4 5 6 7 8 9 10; do
      pids=$(for namespace in $(namespaces "$1"); do ip netns pids "$namespace"; done)
      [[ -n $pids ]] || return 0
      # shellcheck disable=SC2086  # process ids, one word each
      ((round > 1)) || kill -s "$signal" $pids 2>/dev/null || true
      sleep 0.1
    done
  done
}

remove() {
  local namespace home mounted
  end_processes "$1"
  for namespace in $(namespaces "$1"); do
    ip netns delete "$namespace"
  done
  rm -rf /etc/netns/"imgate-$1-"*
  rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null || true
  for home in $(directory "$1"); do
    awk -v home="$home/" 'index($2, home) == 1 { print $2 }' /proc/self/mounts | sort -r \
      | while read -r mounted; do umount "$mounted"; done
    rm -rf "$home"
  done
}

((EUID == 0)) || {
  echo "clean.sh: needs root, as the lab did" >&2
  exit 3
}
case ${1:-} in
  '') for lab in $(labs); do alive "$lab" || remove "$lab"; done ;;
  --list) for lab in $(labs); do alive "$lab" || printf '%s\n' "$lab"; done ;;
  --all) for lab in $(labs); do remove "$lab"; done ;;
  --lab) remove "${2:?--lab needs a process id}" ;;
  *)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
