#!/bin/bash
# build-image.sh: builds the disk image, kernel and initrd of an e2e node and
# prints the directory that holds them. Root; no virtual machine is started.
#
# The result is cached under ${XDG_CACHE_HOME:-$HOME/.cache}/mezzo/vm (or
# $MEZZO_VM_CACHE) by the hash of the scripts that make it; the two newest are
# kept. A run that is interrupted leaves nothing that looks like a result.
set -euo pipefail

suite=bookworm
disk_size=8G
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${MEZZO_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mezzo/vm}
sources=("$here/build-image.sh" "$here/provision.sh" "$here"/guest/*.sh)
image=$cache/image-$(cat "${sources[@]}" | sha256sum | cut -c1-12)

step() { printf 'image: %3ds %s\n' "$SECONDS" "$*" >&2; }

finish() {
	touch "$image"
	find "$cache" -maxdepth 1 -name 'image-*' -printf '%T@ %p\n' | sort -rn | tail -n +3 | cut -d' ' -f2- |
		xargs -r -d '\n' rm -rf --
	echo "$image"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || { step "waiting for another build"; flock 9; }
[ -d "$image" ] && { finish; exit; }
[ "$(id -u)" = 0 ] || { echo "build-image: must be root" >&2; exit 1; }

rm -rf --one-file-system "$cache"/build.*
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root out=$work/out debs=$cache/debs
mkdir -p "$out" "$debs"

# The mirrors this machine's own apt uses, if they carry Debian.
uris() { grep -rhE '^(URIs:|deb )' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | grep -oE 'https?://[^ ]+' || true; }
mirror=$(uris | grep -E '/debian/?$' | head -n1 || true)
security=$(uris | grep -E '/debian-security/?$' | head -n1 || true)
mirror=${mirror:-http://deb.debian.org/debian} security=${security:-http://deb.debian.org/debian-security}
printf 'deb %s main\n' "$mirror $suite" "$mirror $suite-updates" "$security $suite-security" >"$work/sources.list"

ssh-keygen -q -t ed25519 -N '' -C mezzo-e2e -f "$out/key"

step "installing $suite from $mirror"
# shellcheck disable=SC2016 # $1 is expanded by mmdebstrap's shell
unshare --mount --propagation private mmdebstrap --mode=root --variant=minbase --format=directory \
	--aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
	--dpkgopt='force-unsafe-io' \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
	--skip=essential/unlink,cleanup/apt/cache \
	--setup-hook='mkdir -p "$1/var/cache/apt/archives"' \
	--setup-hook="sync-in $debs /var/cache/apt/archives" \
	--include=systemd,systemd-sysv,kmod,openssh-client \
	--customize-hook='mkdir "$1/build"' \
	--customize-hook="copy-in $here/provision.sh $here/guest $out/key.pub /build" \
	--customize-hook='chroot "$1" sh /build/provision.sh' \
	--customize-hook='chroot "$1" sh /build/guest/kernel.sh' \
	--customize-hook='chroot "$1" sh /build/guest/setup.sh /build/key.pub' \
	--customize-hook='chroot "$1" apt-get -qq autoclean' \
	--customize-hook="sync-out /var/cache/apt/archives $debs" \
	--customize-hook='rm -rf "$1/build" "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*' \
	"$suite" "$root" "$work/sources.list" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }

kver=$(ls "$root/lib/modules")
step "initrd for $kver"
initrd=$work/initrd
mkdir -p "$initrd"/{bin,dev,root,modules}
cp "$root/bin/busybox" "$initrd/bin/"
install -m755 "$here/guest/init.sh" "$initrd/init"
add_module() {
	local file dep
	grep -qsx "$1" "$initrd/modules/order" && return 0
	file=$(chroot "$root" modinfo -k "$kver" -n "$1")
	[ "$file" = "(builtin)" ] && return 0
	for dep in $(chroot "$root" modinfo -k "$kver" -F depends "$1" | tr ',' ' '); do add_module "$dep"; done
	case $file in
	*.xz) xz -dc "$root$file" >"$initrd/modules/$1.ko" ;;
	*) cp "$root$file" "$initrd/modules/$1.ko" ;;
	esac
	echo "$1" >>"$initrd/modules/order"
}
for m in virtio_pci virtio_blk virtio_net ext4 overlay; do add_module $m; done
(cd "$initrd" && find . | cpio -o -H newc --quiet) >"$out/initrd"
cp "$root/boot/vmlinuz-$kver" "$out/vmlinuz"

step "disk"
truncate -s $disk_size "$out/disk.raw"
mke2fs -q -t ext4 -m 0 -N 131072 -J size=16 -E lazy_itable_init=0,nodiscard -d "$root" "$out/disk.raw"

mv "$out" "$image"
step "done: $(du -sh "$image" | cut -f1)"
finish
