#!/bin/sh
# setup.sh KEY.pub: what our own image needs beyond provision.sh and a Vagrant
# box already has: a way in, a short boot, the agent that gives it an identity.
set -eu
here=$(dirname "$0")

install -d -m700 /root/.ssh
install -m600 "$1" /root/.ssh/authorized_keys
# All nodes of a template share this host key: they are test machines on a network of their own.
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
cat >/etc/ssh/sshd_config.d/image.conf <<'EOF'
UsePAM no
GSSAPIAuthentication no
PrintMotd no
EOF

install -m755 "$here/serial-agent.sh" /usr/local/sbin/serial-agent
install -m755 "$here/identity.sh" /usr/local/sbin/identity
cat >/etc/systemd/system/serial-agent.service <<'EOF'
[Unit]
Description=commands from the second serial port
DefaultDependencies=no
After=containerd.service ssh.service
[Service]
ExecStart=/usr/local/sbin/serial-agent
Restart=always
[Install]
WantedBy=multi-user.target
EOF
systemctl -q enable serial-agent containerd ssh

# The kernel makes the device nodes, the serial agent sets the network: what
# else would do so, and what serves people or hardware, only lengthens the boot.
for u in systemd-udev-trigger.service systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
	systemd-networkd.service systemd-networkd.socket systemd-network-generator.service systemd-logind.service \
	systemd-timesyncd.service systemd-remount-fs.service systemd-sysusers.service systemd-tmpfiles-setup-dev.service \
	systemd-modules-load.service systemd-random-seed.service systemd-update-utmp.service \
	systemd-update-utmp-runlevel.service systemd-pstore.service systemd-journal-flush.service \
	systemd-journal-catalog-update.service systemd-hwdb-update.service ldconfig.service e2scrub_reap.service \
	kmod-static-nodes.service modprobe@.service getty@tty1.service serial-getty@ttyS0.service \
	sys-kernel-debug.mount sys-kernel-tracing.mount dev-mqueue.mount dev-hugepages.mount sys-fs-fuse-connections.mount; do
	ln -sf /dev/null "/etc/systemd/system/$u"
done
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\n' >/etc/systemd/journald.conf.d/image.conf

echo node >/etc/hostname
printf '127.0.0.1 localhost\n' >/etc/hosts
: >/etc/machine-id
rm -f /etc/resolv.conf
: >/etc/resolv.conf
: >/etc/fstab
