package cgroups2

import (
	"fmt"
	"strconv"
	"strings"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// Setting is one value for one file of a cgroup.
type Setting struct {
	File, Value string
	// Optional: a kernel that lacks the file lacks what the value would forbid.
	Optional bool
}

// What a container gets that asked for nothing: Mesos's minimum of 0.01 CPU and
// 32 MiB, and processes enough for everything but a fork bomb.
const (
	defaultCPUMilli = 10
	defaultMemBytes = 32 << 20
	defaultPids     = 4096
)

// The kernel takes periods of 1 ms to 1 s for cpu.max, and quotas from 1 ms.
const (
	periodMicros    = 100_000
	maxPeriodMicros = 1_000_000
	minQuotaMicros  = 1_000
)

// maxCPUMilli is more than any node has, and little enough to calculate with.
const maxCPUMilli = 1_000_000_000

const (
	cpuMaxFile    = "cpu.max"
	cpuBurstFile  = "cpu.max.burst"
	memoryMaxFile = "memory.max"
)

// Settings turns the limits of a container into the values of its domain's
// files, in the order they must be written: memory.max last, because a running
// container can refuse it.
//
// Shape:  at most one Setting per file.
// Units:  CPU in 1/1000 CPU → weight, and quota and period in µs; memory in bytes.
// Errors: errs.Invalid if a limit is negative, or below its request.
// Source: kernel cgroup-v2.rst; tried on Linux 6.1 by the tests with tag root.
func Settings(l isolator.Limits, h Host) ([]Setting, error) {
	l, err := complete(l)
	if err != nil {
		return nil, err
	}
	s := []Setting{
		{File: "pids.max", Value: limitOrMax(l.PidsLimit)},
		{File: "cpu.weight", Value: strconv.FormatInt(weight(l, int64(h.CPUs)), 10)},
		{File: cpuMaxFile, Value: cpuMax(l.CPULimitMilli, periodMicros)},
		{File: "memory.oom.group", Value: "1"},
		swapMax(l, h),
		{File: "memory.low", Value: limitOrMax(l.MemRequestBytes)},
	}
	for _, size := range h.HugePages {
		s = append(s,
			Setting{File: "hugetlb." + size + ".max", Value: "0", Optional: true},
			Setting{File: "hugetlb." + size + ".rsvd.max", Value: "0", Optional: true})
	}
	return append(s, Setting{File: memoryMaxFile, Value: limitOrMax(l.MemLimitBytes)}), nil
}

// leafSettings are the copies for the container's own programs to read. The
// leaf's quota is the domain's over the longest period, and what is left of it
// is saved up, so that the domain's ends first. The leaf's memory limit may be
// the one that the kernel enforces: it then dies whole, as the domain would.
func leafSettings(l isolator.Limits, h Host) ([]Setting, error) {
	l, err := complete(l)
	if err != nil {
		return nil, err
	}
	value := cpuMax(l.CPULimitMilli, maxPeriodMicros)
	burst, _, _ := strings.Cut(value, " ")
	if l.CPULimitMilli == isolator.Unlimited {
		burst = "0"
	}
	return []Setting{
		{File: cpuBurstFile, Value: "0", Optional: true}, // a quota below the burst is refused
		{File: cpuMaxFile, Value: value},
		{File: cpuBurstFile, Value: burst, Optional: true},
		{File: "memory.oom.group", Value: "1"},
		swapMax(l, h),
		{File: memoryMaxFile, Value: limitOrMax(l.MemLimitBytes)},
	}, nil
}

// complete checks limits and puts in what was not asked for.
func complete(l isolator.Limits) (isolator.Limits, error) {
	for _, v := range []struct {
		name            string
		value, from, to int64
	}{
		{"cpu request", l.CPURequestMilli, 0, maxCPUMilli},
		{"cpu limit", l.CPULimitMilli, isolator.Unlimited, maxCPUMilli},
		{"memory request", l.MemRequestBytes, 0, 1<<63 - 1},
		{"memory limit", l.MemLimitBytes, isolator.Unlimited, 1<<63 - 1},
		{"swap limit", l.SwapLimitBytes, isolator.Unlimited, 1<<63 - 1},
		{"pids limit", l.PidsLimit, isolator.Unlimited, 1<<63 - 1},
	} {
		if v.value < v.from || v.value > v.to {
			return l, fmt.Errorf("%s %d: not in %d to %d: %w", v.name, v.value, v.from, v.to, errs.Invalid)
		}
	}
	if l.CPULimitMilli == 0 {
		l.CPULimitMilli = max(defaultCPUMilli, l.CPURequestMilli)
	}
	if l.MemLimitBytes == 0 {
		l.MemLimitBytes = max(defaultMemBytes, l.MemRequestBytes)
	}
	if l.PidsLimit == 0 {
		l.PidsLimit = defaultPids
	}
	if l.CPULimitMilli != isolator.Unlimited && l.CPULimitMilli < l.CPURequestMilli {
		return l, fmt.Errorf("cpu limit %d/1000 is below the request %d/1000: %w", l.CPULimitMilli, l.CPURequestMilli, errs.Invalid)
	}
	if l.MemLimitBytes != isolator.Unlimited && l.MemLimitBytes < l.MemRequestBytes {
		return l, fmt.Errorf("memory limit %d is below the request %d: %w", l.MemLimitBytes, l.MemRequestBytes, errs.Invalid)
	}
	return l, nil
}

func limitOrMax(v int64) string {
	if v == isolator.Unlimited {
		return "max"
	}
	return strconv.FormatInt(v, 10)
}

// swapMax is always set: without it a task pages its way around memory.max. A
// kernel that has swap but does not account for it can hold nobody.
func swapMax(l isolator.Limits, h Host) Setting {
	return Setting{File: "memory.swap.max", Value: limitOrMax(l.SwapLimitBytes), Optional: h.SwapBytes == 0}
}

// weight is 100 per CPU asked for. On nodes of more than 100 CPUs it is less,
// so that a container of the whole node still fits below the kernel's 10000:
// weights only mean something beside each other.
func weight(l isolator.Limits, nodeCPUs int64) int64 {
	if l.Revocable {
		return 1
	}
	const most = 10_000
	n := max(nodeCPUs, 100)
	return min(max((l.CPURequestMilli*10+n/2)/n, 1), most)
}

// cpuMax is "quota period". A quota below the kernel's 1 ms gets a longer
// period instead; that reaches down to 0.001 CPU.
func cpuMax(limitMilli, period int64) string {
	if limitMilli == isolator.Unlimited {
		return fmt.Sprintf("max %d", period)
	}
	quota := limitMilli * period / 1000
	if quota < minQuotaMicros {
		quota, period = minQuotaMicros, maxPeriodMicros/limitMilli
	}
	return fmt.Sprintf("%d %d", quota, period)
}
