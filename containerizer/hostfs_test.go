package containerizer

import (
	"testing"

	"github.com/moby/sys/mountinfo"
)

// TestHostMounts: which of the host's mounts a container without an image gets;
// method, a line of mountinfo each.
func TestHostMounts(t *testing.T) {
	for _, tc := range []struct {
		name string
		info mountinfo.Info
		want bool
	}{
		{"a disk", mountinfo.Info{Mountpoint: "/srv/data", FSType: "ext4", Source: "/dev/vdb"}, true},
		{"memory", mountinfo.Info{Mountpoint: "/run/user", FSType: "tmpfs", Source: "tmpfs"}, true},
		{"a container's root", mountinfo.Info{Mountpoint: "/run/c/rootfs", FSType: "overlay", Source: "overlay"}, false},
		{"the kernel's", mountinfo.Info{Mountpoint: "/sys/fs/bpf", FSType: "bpf", Source: "bpf"}, false},
		{"a hidden one", mountinfo.Info{Mountpoint: "/var/secret/disk", FSType: "ext4", Source: "/dev/vdc"}, false},
		{"one that passes", mountinfo.Info{Mountpoint: "/var/lib/containerd/tmpmounts/containerd-mount177", FSType: "ext4", Source: "/dev/vda"}, false},
		{"a bound directory of the root", mountinfo.Info{Mountpoint: "/home", FSType: "ext4", Source: "/dev/vda"}, false},
	} {
		if got := boundBelow(&tc.info, []string{"/var/secret"}); got != tc.want {
			t.Errorf("%s: bound %v, want %v", tc.name, got, tc.want)
		}
	}
}
