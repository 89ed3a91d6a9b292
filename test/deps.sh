#!/bin/sh
# deps.sh GROUP… installs what a group needs of Debian's packages, and is quick
# when all is there. Groups: native (tests and demo on this machine), gen
# (regenerate code). The VM's are in test/e2e/vm/host-deps.sh.
set -eu

packages() {
	case $1 in
	native)
		echo containerd runc busybox-static ca-certificates golang-github-mesos-mesos-go-dev
		# A real ZooKeeper, which runs on Java, and its client for Python.
		echo zookeeper default-jre-headless python3-kazoo
		# MPI programs, and what builds one.
		echo mpich libmpich-dev gcc libc6-dev
		echo curl
		# Any Node with npm will do; Debian's only where there is none.
		command -v npm >/dev/null || echo nodejs npm
		;;
	bench) echo etcd-server ;;
	gen) echo protobuf-compiler libprotobuf-dev ;; # the latter has google/protobuf/*.proto
	*)
		echo "deps.sh: no group $1; there are native, bench and gen" >&2
		exit 2
		;;
	esac
}

missing=""
for group; do
	for p in $(packages "$group"); do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
	done
done
[ -n "$missing" ] || exit 0

sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# Debian starts a system containerd on install where systemd runs; mezzo works
# beside it.
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
