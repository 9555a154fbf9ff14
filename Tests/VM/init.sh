#!/bin/bash
# The first process of the virtual machine of nft-queue.sh: readies the system, runs the tests that
# /imgate/tests names, and ends the machine. What it says goes to the second serial line.
export PATH=/usr/sbin:/usr/bin LC_ALL=C HOME=/root IMGATE=/imgate/bin/imgate LAB_FIREWALL=nftables
# An emulated processor is some 20 times slower than a real one. The test prints what it measured.
export LAB_REFUSAL_MS=1000 LAB_DNS_WITHIN=0

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
ln -sf /proc/self/fd /dev/fd
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
exec </dev/null
stty -F /dev/ttyS1 raw -echo
exec >/dev/ttyS1

all_passed=0 all_failed=0 all_skipped=0
count=0
while read -r test <&3; do
  count=$((count + 1))
  [[ $test == VM/* ]] || printf '# %s\n' "$test"
  bash "/imgate/Tests/$test" 2>/dev/console | tee /run/said
  read -r passed _ failed _ skipped _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed' /run/said | tail -n 1)
  all_passed=$((all_passed + ${passed:-0})) all_failed=$((all_failed + ${failed:-1}))
  all_skipped=$((all_skipped + ${skipped:-0}))
done 3</imgate/tests
if ((count > 1)); then
  printf '%d passed, %d failed' $all_passed $all_failed
  ((all_skipped == 0)) || printf ', %d skipped' $all_skipped
  printf '\n'
fi
exec >/dev/console
# QEMU ends where a machine would start again.
echo b >/proc/sysrq-trigger
