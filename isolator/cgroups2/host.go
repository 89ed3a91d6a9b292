package cgroups2

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"mezzo/internal/errs"
	"mezzo/isolator/internal/kfile"
)

// required are the controllers without which nothing can be held.
var required = []string{"cpu", "memory", "pids"}

// Host is what settings depend on besides the limits.
type Host struct {
	CPUs        int      // online
	PageBytes   int64    // memory limits are kept in whole pages
	SwapBytes   uint64   // of all swap devices
	Controllers []string // that the root cgroup offers
	HugePages   []string // sizes as in file names, "2MB"
}

// readHost reads what can be read of a host through its file systems; cgroup
// is the root of the unified hierarchy.
func readHost(cgroup, proc, sys fs.FS) (Host, error) {
	data, err := fs.ReadFile(cgroup, "cgroup.controllers")
	if err != nil {
		return Host{}, err
	}
	h := Host{Controllers: strings.Fields(string(data))}
	for _, c := range required {
		if !slices.Contains(h.Controllers, c) {
			return Host{}, fmt.Errorf("no controller %q among %q: is it mounted as cgroup v1, or disabled on the kernel command line? %w",
				c, h.Controllers, errs.Unsupported)
		}
	}
	if h.SwapBytes, err = swapBytes(proc); err != nil {
		return Host{}, err
	}
	sizes, err := fs.Glob(sys, "kernel/mm/hugepages/hugepages-*kB")
	if err != nil {
		return Host{}, err
	}
	for _, dir := range sizes {
		name, err := hugePageName(dir)
		if err != nil {
			return Host{}, err
		}
		h.HugePages = append(h.HugePages, name)
	}
	return h, nil
}

// swapBytes sums up the third column of /proc/swaps, in KiB. A kernel without
// swap has no such file.
func swapBytes(proc fs.FS) (uint64, error) {
	data, err := fs.ReadFile(proc, "swaps")
	if err != nil {
		return 0, ignoreMissing(err)
	}
	var sum uint64
	_, lines, _ := bytes.Cut(data, []byte{'\n'}) // the header
	for line := range bytes.Lines(lines) {
		fields := bytes.Fields(line)
		if len(fields) < 3 {
			return 0, fmt.Errorf("/proc/swaps: line %q: want 5 fields: %w", line, errs.Corrupt)
		}
		kib, err := kfile.Uint(fields[2])
		if err != nil {
			return 0, fmt.Errorf("/proc/swaps: %w", err)
		}
		sum += kib << 10
	}
	return sum, nil
}

// hugePageName turns "…/hugepages-2048kB" into "2MB", as the hugetlb
// controller names its files.
func hugePageName(dir string) (string, error) {
	_, size, _ := strings.Cut(dir, "hugepages-")
	kib, err := kfile.Uint([]byte(strings.TrimSuffix(size, "kB")))
	if err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	for _, u := range []struct {
		name string
		kib  uint64
	}{{"GB", 1 << 20}, {"MB", 1 << 10}} {
		if kib >= u.kib {
			return fmt.Sprintf("%d%s", kib/u.kib, u.name), nil
		}
	}
	return fmt.Sprintf("%dKB", kib), nil
}
