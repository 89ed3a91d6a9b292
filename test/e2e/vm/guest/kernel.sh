#!/bin/sh
# kernel.sh: unpacks the newest cloud kernel. It is not installed: the image
# has no boot loader, and its initrd is our own.
set -eu
cd /var/cache/apt/archives
pkg=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n1)
apt-get -qq download "$pkg"
dpkg-deb --fsys-tarfile "$(find . -name "${pkg}_*.deb" | sort -V | tail -n1)" |
	tar -x -C / --keep-directory-symlink
depmod "${pkg#linux-image-}"
