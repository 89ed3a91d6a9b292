package containerizer

import (
	"fmt"
	"time"

	"github.com/containerd/cgroups/v3/cgroup1/stats"
	v2stats "github.com/containerd/cgroups/v3/cgroup2/stats"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/typeurl/v2"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// decodeMetrics reads what a shim measures, for containers that no isolator
// reports on.
func decodeMetrics(m *types.Metric, at time.Time) (isolator.Usage, error) {
	data, err := typeurl.UnmarshalAny(m.Data)
	if err != nil {
		return isolator.Usage{}, fmt.Errorf("decode metrics: %w: %w", err, errs.Unsupported)
	}
	switch s := data.(type) {
	case *stats.Metrics:
		return usageV1(s, at), nil
	case *v2stats.Metrics:
		return usageV2(s, at), nil
	}
	return isolator.Usage{}, fmt.Errorf("metrics of type %T: %w", data, errs.Unsupported)
}

func usageV1(s *stats.Metrics, at time.Time) isolator.Usage {
	cpu, mem := s.GetCPU(), s.GetMemory()
	throttling := cpu.GetThrottling()
	current := mem.GetUsage().GetUsage()
	return isolator.Usage{
		At:                 at,
		CPU:                time.Duration(cpu.GetUsage().GetTotal()),
		CPUUser:            time.Duration(cpu.GetUsage().GetUser()),
		CPUSystem:          time.Duration(cpu.GetUsage().GetKernel()),
		Periods:            throttling.GetPeriods(),
		ThrottledPeriods:   throttling.GetThrottledPeriods(),
		Throttled:          time.Duration(throttling.GetThrottledTime()),
		MemCurrentBytes:    current,
		MemPeakBytes:       mem.GetUsage().GetMax(),
		MemWorkingSetBytes: current - min(current, mem.GetTotalInactiveFile()),
		MemAnonBytes:       mem.GetTotalRSS(),
		MemFileBytes:       mem.GetTotalCache(),
		MemKernelBytes:     mem.GetKernel().GetUsage(),
		Pids:               s.GetPids().GetCurrent(),
		PidsLimit:          s.GetPids().GetLimit(),
	}
}

func usageV2(s *v2stats.Metrics, at time.Time) isolator.Usage {
	cpu, mem := s.GetCPU(), s.GetMemory()
	micros := func(n uint64) time.Duration { return time.Duration(n) * time.Microsecond }
	return isolator.Usage{
		At:                 at,
		CPU:                micros(cpu.GetUsageUsec()),
		CPUUser:            micros(cpu.GetUserUsec()),
		CPUSystem:          micros(cpu.GetSystemUsec()),
		Periods:            cpu.GetNrPeriods(),
		ThrottledPeriods:   cpu.GetNrThrottled(),
		Throttled:          micros(cpu.GetThrottledUsec()),
		MemCurrentBytes:    mem.GetUsage(),
		MemPeakBytes:       mem.GetMaxUsage(),
		MemWorkingSetBytes: mem.GetUsage() - min(mem.GetUsage(), mem.GetInactiveFile()),
		MemAnonBytes:       mem.GetAnon(),
		MemFileBytes:       mem.GetFile(),
		MemKernelBytes:     mem.GetKernelStack() + mem.GetSlab(),
		OOMEvents:          s.GetMemoryEvents().GetOom(),
		OOMKills:           s.GetMemoryEvents().GetOomKill(),
		Pids:               s.GetPids().GetCurrent(),
		PidsLimit:          s.GetPids().GetLimit(),
	}
}
