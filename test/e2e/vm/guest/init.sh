#!/bin/busybox sh
# shellcheck shell=dash
# init.sh: /init of the initrd. Loads the few modules the disk and network
# need, mounts the disk and hands over to systemd.
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev
while read -r m; do $bb insmod "/modules/$m.ko"; done </modules/order
i=0
while [ ! -b /dev/vda ] && [ $i -lt 250 ]; do
	$bb usleep 20000
	i=$((i + 1))
done
$bb mount -t ext4 -o noatime /dev/vda /root || exec $bb sh
$bb mount --move /dev /root/dev
exec $bb switch_root /root /sbin/init
