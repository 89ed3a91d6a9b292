#!/bin/sh
# provision.sh: makes a mezzo e2e node of a plain Debian bookworm.
#
# Three callers: Vagrant's shell provisioner (root in a running machine), the
# image builder's hook (root in a chroot, nothing running), a person by hand.
# Repeatable. Never installs mezzo: binaries are pushed for each run.
set -eu
export DEBIAN_FRONTEND=noninteractive

running() { [ -d /run/systemd/system ]; }

miss=
for p in containerd runc busybox-static iproute2 kmod procps dbus openssh-server ca-certificates; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q ' installed$' || miss="$miss $p"
done
if [ -n "$miss" ]; then
	apt-get update -qq
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y -qq --no-install-recommends $miss
fi

# mezzo speaks containerd's own API: without CRI it starts faster and asks for
# no CNI configuration.
mkdir -p /etc/containerd
cat >/etc/containerd/config.toml <<'EOF'
version = 2
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
]
EOF
echo overlay >/etc/modules-load.d/mezzo.conf

# A root filesystem every test can run without pulling anything.
rootfs=/var/lib/mezzo-e2e/rootfs
if [ ! -x $rootfs/bin/sh ]; then
	for d in bin proc sys dev tmp etc; do mkdir -p $rootfs/$d; done
	cp "$(command -v busybox)" $rootfs/bin/busybox
	for a in $($rootfs/bin/busybox --list); do
		[ "$a" = busybox ] || ln -sf busybox "$rootfs/bin/$a"
	done
fi

mkdir -p /opt/mezzo/bin /etc/systemd/system.conf.d /etc/ssh/sshd_config.d
printf '[Manager]\nDefaultLimitNOFILE=1048576\n' >/etc/systemd/system.conf.d/mezzo.conf
# Tests hold many sessions at once on one node.
cat >/etc/ssh/sshd_config.d/mezzo.conf <<'EOF'
UseDNS no
PermitRootLogin prohibit-password
MaxStartups 100:30:200
MaxSessions 200
SetEnv PATH=/opt/mezzo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
EOF

# Nothing periodic wakes up in the middle of a resource test.
for t in apt-daily apt-daily-upgrade man-db e2scrub_all fstrim dpkg-db-backup logrotate systemd-tmpfiles-clean; do
	ln -sf /dev/null "/etc/systemd/system/$t.timer"
	if running; then systemctl stop "$t.timer" 2>/dev/null || true; fi
done

# Debian's kernel measures pressure (PSI) only when asked to.
if [ -d /etc/default/grub.d ] && command -v update-grub >/dev/null; then
	# shellcheck disable=SC2016 # expanded by grub-mkconfig
	echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX psi=1"' >/etc/default/grub.d/mezzo.cfg
	update-grub
fi

if running; then
	modprobe overlay
	systemctl daemon-reexec
	systemctl reload ssh
	systemctl enable containerd
	systemctl restart containerd
	grep -qw memory /sys/fs/cgroup/cgroup.controllers || {
		echo "provision: no cgroup v2 memory controller; boot with systemd.unified_cgroup_hierarchy=1" >&2
		exit 1
	}
fi
