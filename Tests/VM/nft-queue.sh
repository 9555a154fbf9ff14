#!/usr/bin/env bash
# The nftables backend on a kernel that has nft's queue statement, in a virtual machine: Debian's own
# kernel under QEMU, without KVM, without any network device, and without installing that kernel.
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

help() {
  cat <<'END'
usage: Tests/VM/nft-queue.sh [--kernel DEB] [--limit SECONDS] [--console] [LAB-TEST...]

Fetches Debian's kernel package, makes a RAM disk of its netfilter modules, this machine's tools,
the gateway and the lab, starts it all in QEMU, and tries there what firewall: nftables promises.
Prints `ok N - text` or `not ok N - text` a check, and last `N passed, N failed`. Amd64 only; takes
a few minutes; needs root only to install missing packages.

  LAB-TEST        runs these instead, with firewall: nftables: names of Tests/Lab, such as
                  10-allowed-and-refused
  --kernel DEB    a kernel package that is here already
  --limit SECONDS when to give up (900)
  --console       prints the machine's console when it has ended
  --help          this

IMGATE names the gateway's binary; without it the release build is taken (deploy/build.sh).
Exit status: 0 when nothing failed, 1 when something did, 2 wrong usage, 3 the machine lacks
something.
END
}

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly PROJECT
kernel='' limit=900 console=no tests=()
while (($#)); do
  case $1 in
    --kernel | --limit)
      [[ -n ${2:-} ]] || {
        help >&2
        exit 2
      }
      if [[ $1 == --kernel ]]; then kernel=$2; else limit=$2; fi
      shift
      ;;
    --console) console=yes ;;
    --help | -h)
      help
      exit 0
      ;;
    -*)
      help >&2
      exit 2
      ;;
    *)
      [[ -f $PROJECT/Tests/Lab/$1.sh ]] || {
        echo "nft-queue.sh: there is no Tests/Lab/$1.sh" >&2
        exit 2
      }
      tests+=("Lab/$1.sh")
      ;;
  esac
  shift
done
((${#tests[@]})) || tests=(VM/nftables.sh)

die() {
  printf 'nft-queue.sh: %s\n' "$*" >&2
  exit 3
}

work=
machine=
relay=
# Ends what this script started, by its id, and removes its directory.
cleanup() {
  local status=$? pid
  trap '' INT TERM HUP
  trap - EXIT
  for pid in $machine $relay; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  [[ -z $work ]] || rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- What it takes

[[ $(uname -m) == x86_64 ]] || die "only for amd64: it runs this machine's own programs"
binary=${IMGATE:-$PROJECT/.build-embedded/release/imgate}
[[ -x $binary ]] || die "no gateway at $binary; deploy/build.sh builds it, or set IMGATE"
"$PROJECT/deploy/packages.sh" run lab tests vm
work=$(mktemp -d "${TMPDIR:-/tmp}/imgate-vm-XXXXXX")

if [[ -z $kernel ]]; then
  # The package of that name is empty and depends on the kernel itself.
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  [[ -n $package ]] || die "apt knows no linux-image-amd64; give a kernel package with --kernel"
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package") \
    || die "cannot download $package"
  kernel=$(compgen -G "$work/*.deb")
fi
mkdir "$work/kernel" "$work/root"
dpkg-deb --fsys-tarfile "$kernel" | tar -x -C "$work/kernel" --wildcards ./boot './lib/modules/*'
image=$(compgen -G "$work/kernel/boot/vmlinuz-*") || die "$kernel has no kernel in it"
version=${image##*/vmlinuz-}

# ---- The RAM disk: modules

# All of netfilter, for the kernel takes by itself what it needs of it; and what the lab's links are
# made of. With all on which these depend.
depmod -b "$work/kernel" "$version"
modules=$work/kernel/lib/modules/$version
find "$modules"/kernel/net/{netfilter,ipv4/netfilter,ipv6/netfilter} -maxdepth 1 -name '*.ko*' \
  | sed 's,.*/,,; s,\.ko.*,,' >"$work/wanted"
printf '%s\n' veth bridge dummy >>"$work/wanted"
mkdir -p "$work/root/usr/lib/modules/$version"
xargs modprobe -d "$work/kernel" -S "$version" --show-depends -a <"$work/wanted" \
  | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | sed "s,^.*/lib/modules/$version/,," \
  | tar -c -C "$modules" -T - modules.order modules.builtin modules.builtin.modinfo \
  | tar -x -C "$work/root/usr/lib/modules/$version"

# ---- The RAM disk: programs

# The files of these packages that are programs or that programs load; without documentation. Paths
# as on a machine whose /bin is /usr/bin.
package_files() {
  local file
  dpkg -L bash coreutils diffutils findutils grep sed mawk procps util-linux mount kmod libc-bin \
    iproute2 nftables iptables curl openssl dnsmasq-base python3-minimal \
    "$(basename "$(readlink -f /usr/bin/python3)")-minimal" \
    | sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,' \
    | grep -E '^/usr/(s?bin/|lib/[^/]*/xtables/)' | sort -u \
    | while read -r file; do [[ ! -e $file ]] || printf '%s\n' "$file"; done
  # nginx-light is but a list of parts.
  printf '%s\n' /usr/sbin/nginx
  find -L "$(find_python)" \( -name test -o -name idlelib -o -name 'config-*' -o -name ensurepip \
    -o -name pydoc_data -o -name lib2to3 -o -name dist-packages \) -prune -o -type f -print
}
find_python() { /usr/bin/python3 -I -c 'import os; print(os.path.dirname(os.__file__))'; }

root=$work/root
for name in bin sbin lib lib64; do
  mkdir -p "$root/usr/$name"
  ln -s "usr/$name" "$root/$name"
done
mkdir -p "$root"/{dev,proc,sys,run,tmp,etc,root,var/tmp,imgate/bin,imgate/Tests}
package_files >"$work/files"
# What is no dynamic program, ldd says and passes over.
{ grep -E '/s?bin/|\.so$' "$work/files" | xargs ldd "$binary" 2>/dev/null || true; } \
  | sed -nE 's,.*[[:space:]](/[^ ]+) \(0x.*,\1,p' | sed -E 's,^/(lib|lib64)/,/usr/\1/,' \
  | sort -u >"$work/libraries"
# Libraries under the names by which they are asked for, links and what they lead to.
sort -u "$work/files" "$work/libraries" >"$work/all"
{ cat "$work/all" && xargs readlink -f <"$work/all"; } | sort -u | sed 's,^/,,' \
  | tar -c -C / -T - | tar -x -C "$root"
# awk is whichever was chosen on this machine.
ln -sf mawk "$root/usr/bin/awk"
depmod -b "$root" "$version"

# ---- The RAM disk: the gateway, the lab, and what runs it

install -m 755 "$binary" "$root/imgate/bin/imgate"
cp -R "$PROJECT/rules" "$root/imgate/"
cp -R "$PROJECT/Tests/Lab" "$PROJECT/Tests/VM" "$root/imgate/Tests/"
ln -s imgate/Tests/VM/init.sh "$root/init"
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
# Over these `ip netns exec` lays a namespace's own.
: | tee "$root"/etc/{hosts,nsswitch.conf,resolv.conf}
for file in /etc/protocols /etc/services /etc/ethertypes /etc/ssl/openssl.cnf; do
  [[ ! -f $file ]] || install -D -m 644 "$file" "$root$file"
done
mkdir -p "$root/usr/lib/ssl"
ln -s /etc/ssl/openssl.cnf "$root/usr/lib/ssl/openssl.cnf"
printf '%s\n' "${tests[@]}" >"$root/imgate/tests"
(cd "$root" && find . -print0 | cpio --quiet -0 -o -H newc -R 0:0) >"$work/initrd"
rm -rf "$root" "$work/kernel/lib"

# ---- The machine

printf '# Linux %s, %s, in QEMU without KVM; RAM disk of %d MB\n' "$version" \
  "$(nft --version | cut -d ' ' -f 1,2)" $(($(stat -c %s "$work/initrd") / 1000000))
: >"$work/said"
qemu-system-x86_64 -accel tcg,thread=multi -machine pc -cpu max -smp 2 -m 1536 -nic none \
  -nodefaults -display none -no-reboot -kernel "$image" -initrd "$work/initrd" \
  -append 'console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=on no5lvl' \
  -serial "file:$work/console" -serial "file:$work/said" </dev/null >"$work/qemu" 2>&1 &
machine=$!
tail --pid=$machine -s 0.5 -n +1 -f "$work/said" &
relay=$!
over=no
while kill -0 $machine 2>/dev/null; do
  ((SECONDS < limit)) || {
    over=yes
    kill $machine
    break
  }
  sleep 0.5
done
wait $machine 2>/dev/null || true
wait $relay 2>/dev/null || true
machine='' relay=''

[[ $console == no ]] || sed 's/^/# console: /' "$work/console"
summary=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$work/said" | tail -n 1 || true)
if [[ -z $summary || $over == yes || $(tail -n 1 "$work/said") != "$summary" ]]; then
  [[ $over == no ]] || echo "# not done within $limit s"
  echo "not ok - the machine runs to its end"
  tail -n 20 "$work/console" "$work/qemu" | sed 's/^/# /'
  printf '%d passed, %d failed\n' "$(grep -c '^ok ' "$work/said")" \
    $(($(grep -c '^not ok ' "$work/said") + 1))
  exit 1
fi
[[ $summary =~ ^[1-9][0-9]*\ passed,\ 0\ failed ]]
