package cgroups2

import (
	"fmt"
	"os"
	"runtime"

	"mezzo/internal/errs"

	"github.com/containerd/cgroups/v3"
)

// Probe finds out what this machine offers. Where cgroups v2 are not the only
// ones mounted, or lack a controller, the error says what to do.
func Probe() (Host, error) {
	mode := cgroups.Mode()
	if mode != cgroups.Unified {
		return Host{}, fmt.Errorf("this machine has %s, containers are held by cgroups v2 alone; "+
			"boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line, "+
			"or run the agent with --isolation=none to enforce no limits: %w", modeText(mode), errs.Unsupported)
	}
	h, err := readHost(os.DirFS("/sys/fs/cgroup"), os.DirFS("/proc"), os.DirFS("/sys"))
	if err != nil {
		return Host{}, fmt.Errorf("probe cgroups: %w", err)
	}
	h.CPUs = runtime.NumCPU()
	h.PageBytes = int64(os.Getpagesize())
	return h, nil
}

func modeText(m cgroups.CGMode) string {
	switch m {
	case cgroups.Legacy:
		return "cgroups v1"
	case cgroups.Hybrid:
		return "cgroups v1 with v2 beside them (hybrid)"
	default:
		return "no cgroups at /sys/fs/cgroup"
	}
}
