package cgroups2

import (
	"errors"
	"fmt"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/internal/kfile"
)

// parseCPUStat fills the CPU part of u. Without the cpu controller there are no
// periods.
func parseCPUStat(data []byte, u *isolator.Usage) error {
	u.Periods, u.ThrottledPeriods = 0, 0
	var usage, user, system, throttled uint64
	f := kfile.NewFlat(data)
	for f.Next() {
		switch string(f.Key) {
		case "usage_usec":
			usage = f.Value
		case "user_usec":
			user = f.Value
		case "system_usec":
			system = f.Value
		case "nr_periods":
			u.Periods = f.Value
		case "nr_throttled":
			u.ThrottledPeriods = f.Value
		case "throttled_usec":
			throttled = f.Value
		}
	}
	for _, d := range [...]struct {
		to   *time.Duration
		from uint64
	}{{&u.CPU, usage}, {&u.CPUUser, user}, {&u.CPUSystem, system}, {&u.Throttled, throttled}} {
		var ok bool
		if *d.to, ok = kfile.Micros(d.from); !ok {
			return fmt.Errorf("%d µs: %w", d.from, errs.Corrupt)
		}
	}
	return f.Err()
}

// parseMemoryStat fills what memory consists of. The working set is what can't
// be had back at once: everything charged but the inactive page cache.
//
// Preconditions: u.MemCurrentBytes is of the same moment.
func parseMemoryStat(data []byte, u *isolator.Usage) error {
	u.MemAnonBytes, u.MemFileBytes, u.MemKernelBytes = 0, 0, 0
	var inactive, parts uint64
	f := kfile.NewFlat(data)
	for f.Next() {
		switch string(f.Key) {
		case "anon":
			u.MemAnonBytes = f.Value
		case "file":
			u.MemFileBytes = f.Value
		case "kernel":
			u.MemKernelBytes = f.Value
		case "kernel_stack", "pagetables", "percpu", "slab":
			parts += f.Value
		case "inactive_file":
			inactive = f.Value
		}
	}
	if u.MemKernelBytes == 0 {
		u.MemKernelBytes = parts // before Linux 5.18
	}
	u.MemWorkingSetBytes = u.MemCurrentBytes - min(inactive, u.MemCurrentBytes)
	return f.Err()
}

func parseMemoryEvents(data []byte) (oom, kills uint64, err error) {
	f := kfile.NewFlat(data)
	for f.Next() {
		switch string(f.Key) {
		case "oom":
			oom = f.Value
		case "oom_kill":
			kills = f.Value
		}
	}
	return oom, kills, f.Err()
}

// populated tells whether a process lives in dir or below. A cgroup that is
// gone has none.
func populated(events []byte) (bool, error) {
	f := kfile.NewFlat(events)
	for f.Next() {
		if string(f.Key) == "populated" {
			return f.Value != 0, nil
		}
	}
	return false, errors.Join(f.Err(), fmt.Errorf("cgroup.events %q: no populated: %w", events, errs.Corrupt))
}
