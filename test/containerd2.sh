#!/bin/sh
# containerd2.sh builds the newest containerd, once, beside Debian's 1.6, and
# prints where it lies: what talks to containerd is tested against both. What
# mezzo does not use (CRI, other snapshotters) is left out.
set -eu
version=v2.4.2
dir=${XDG_CACHE_HOME:-$HOME/.cache}/mezzo/test/containerd-$version
if [ ! -x "$dir/containerd" ]; then
	echo "building containerd $version" >&2
	mkdir -p "$dir"
	new=$(mktemp -d "$dir/new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	CGO_ENABLED=0 GOBIN=$new go install -tags 'no_cri no_btrfs no_devmapper no_zfs no_tracing' \
		github.com/containerd/containerd/v2/cmd/containerd@$version \
		github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@$version
	mv -f "$new/containerd-shim-runc-v2" "$dir/"
	mv -f "$new/containerd" "$dir/" # last: it says that all is there
fi
echo "$dir/containerd"
