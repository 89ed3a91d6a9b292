package meter

import (
	"math"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
)

// Statistics reports a container's sample as Mesos does, for /monitor/statistics
// and its kin.
//
// Source: mesos isolators/cgroups/subsystems/memory.cpp for what rss, cache and
// total are.
func Statistics(now isolator.Usage, l isolator.Limits) *v1.ResourceStatistics {
	s := &v1.ResourceStatistics{
		Timestamp:             proto.Float64(seconds(now.At)),
		CpusUserTimeSecs:      proto.Float64(now.CPUUser.Seconds()),
		CpusSystemTimeSecs:    proto.Float64(now.CPUSystem.Seconds()),
		CpusSoftLimit:         proto.Float64(float64(l.CPURequestMilli) / 1000),
		CpusNrPeriods:         clamp(now.Periods),
		CpusNrThrottled:       clamp(now.ThrottledPeriods),
		CpusThrottledTimeSecs: proto.Float64(now.Throttled.Seconds()),
		MemTotalBytes:         proto.Uint64(now.MemCurrentBytes),
		MemRssBytes:           proto.Uint64(now.MemAnonBytes),
		MemAnonBytes:          proto.Uint64(now.MemAnonBytes),
		MemFileBytes:          proto.Uint64(now.MemFileBytes),
		MemCacheBytes:         proto.Uint64(now.MemFileBytes),
		MemSoftLimitBytes:     proto.Uint64(uint64(max(0, l.MemRequestBytes))),
		Threads:               clamp(now.Pids),
	}
	if l.CPULimitMilli > 0 {
		s.CpusLimit = proto.Float64(float64(l.CPULimitMilli) / 1000)
	}
	if l.MemLimitBytes > 0 {
		s.MemLimitBytes = proto.Uint64(uint64(l.MemLimitBytes))
	}
	return s
}

// clamp fits a counter into the field Mesos has for it.
func clamp(n uint64) *uint32 { return proto.Uint32(uint32(min(n, math.MaxUint32))) }
