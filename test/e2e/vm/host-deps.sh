#!/bin/sh
# host-deps.sh: installs on this machine (Debian or Ubuntu) what building and
# running the e2e nodes needs. Does nothing, quickly, when all is there.
set -eu

miss=
for p in mmdebstrap qemu-system-x86 qemu-utils openssh-client iproute2 e2fsprogs cpio xz-utils util-linux; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q ' installed$' || miss="$miss $p"
done
[ -n "$miss" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "host-deps: missing:$miss; run as root, or: sudo apt-get install --no-install-recommends$miss" >&2
	exit 1
fi
echo "host-deps: installing$miss" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $miss >&2
