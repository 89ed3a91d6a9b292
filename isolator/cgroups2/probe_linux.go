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
	if err := unified(cgroups.Mode()); err != nil {
		return Host{}, err
	}
	h, err := readHost(os.DirFS(cgroupRoot), os.DirFS("/proc"), os.DirFS("/sys"))
	if err != nil {
		return Host{}, fmt.Errorf("probe cgroups: %w", err)
	}
	h.CPUs = runtime.NumCPU()
	h.PageBytes = int64(os.Getpagesize())
	return h, nil
}

func unified(mode cgroups.CGMode) error {
	var has string
	switch mode {
	case cgroups.Unified:
		return nil
	case cgroups.Legacy:
		has = "cgroups v1"
	case cgroups.Hybrid:
		has = "cgroups v1 with v2 beside them (hybrid)"
	default:
		has = "no cgroups at " + cgroupRoot
	}
	return fmt.Errorf("this machine has %s, containers are held by cgroups v2 alone: "+
		"boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line, "+
		"or run the agent with --isolation=none to enforce no limits: %w", has, errs.Unsupported)
}
