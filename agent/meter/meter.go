package meter

import (
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/usage"
	"mezzo/isolator"
	"mezzo/isolator/node"
)

// Container reports a container's sample beside its limits. Rates need the
// sample before; without one (nil) they are not set.
func Container(before *isolator.Usage, now isolator.Usage, l isolator.Limits) *usage.ContainerUsage {
	u := &usage.ContainerUsage{
		Timestamp:  proto.Float64(seconds(now.At)),
		Cpu:        cpu(before, now),
		Memory:     memory(now),
		Pids:       &usage.Pids{Current: proto.Uint64(now.Pids)},
		IoPressure: pressure(now.IOPressure),
	}
	u.Cpu.RequestCpus = proto.Float64(float64(l.CPURequestMilli) / 1000)
	u.Memory.RequestBytes = proto.Uint64(uint64(max(0, l.MemRequestBytes)))
	if l.CPULimitMilli > 0 {
		u.Cpu.LimitCpus = proto.Float64(float64(l.CPULimitMilli) / 1000)
	}
	if l.MemLimitBytes > 0 {
		u.Memory.LimitBytes = proto.Uint64(uint64(l.MemLimitBytes))
	}
	if now.PidsLimit > 0 {
		u.Pids.Limit = proto.Uint64(now.PidsLimit)
	}
	return u
}

// Node reports the sample of a whole node; its limits are its size.
func Node(before *isolator.Usage, now node.Sample) *usage.NodeUsage {
	u := &usage.NodeUsage{
		Timestamp:  proto.Float64(seconds(now.Used.At)),
		Cpu:        cpu(before, now.Used),
		Memory:     memory(now.Used),
		IoPressure: pressure(now.Used.IOPressure),
	}
	u.Cpu.LimitCpus = proto.Float64(float64(now.CPUs))
	u.Memory.LimitBytes = proto.Uint64(now.MemTotalBytes)
	return u
}

func cpu(before *isolator.Usage, now isolator.Usage) *usage.CPU {
	c := &usage.CPU{
		UsageMicros:      micros(now.CPU),
		UserMicros:       micros(now.CPUUser),
		SystemMicros:     micros(now.CPUSystem),
		Periods:          proto.Uint64(now.Periods),
		ThrottledPeriods: proto.Uint64(now.ThrottledPeriods),
		ThrottledMicros:  micros(now.Throttled),
		Pressure:         pressure(now.CPUPressure),
	}
	if before == nil {
		return c
	}
	if wall, used := now.At.Sub(before.At), now.CPU-before.CPU; wall > 0 && used >= 0 {
		c.RateCpus = proto.Float64(float64(used) / float64(wall))
	}
	if now.Periods > before.Periods && now.ThrottledPeriods >= before.ThrottledPeriods {
		share := float64(now.ThrottledPeriods-before.ThrottledPeriods) / float64(now.Periods-before.Periods)
		c.ThrottledShare = proto.Float64(min(1, share))
	}
	return c
}

func memory(now isolator.Usage) *usage.Memory {
	m := &usage.Memory{
		CurrentBytes:    proto.Uint64(now.MemCurrentBytes),
		WorkingSetBytes: proto.Uint64(now.MemWorkingSetBytes),
		AnonBytes:       proto.Uint64(now.MemAnonBytes),
		FileBytes:       proto.Uint64(now.MemFileBytes),
		KernelBytes:     proto.Uint64(now.MemKernelBytes),
		OomEvents:       proto.Uint64(now.OOMEvents),
		OomKills:        proto.Uint64(now.OOMKills),
		Pressure:        pressure(now.MemPressure),
	}
	if now.MemPeakBytes > 0 {
		m.PeakBytes = proto.Uint64(now.MemPeakBytes)
	}
	return m
}

func pressure(p *isolator.Pressure) *usage.Pressure {
	if p == nil {
		return nil
	}
	return &usage.Pressure{
		SomeAvg10: &p.SomeAvg10, SomeAvg60: &p.SomeAvg60, SomeTotalMicros: micros(p.SomeTotal),
		FullAvg10: &p.FullAvg10, FullAvg60: &p.FullAvg60, FullTotalMicros: micros(p.FullTotal),
	}
}

func micros(d time.Duration) *uint64 { return proto.Uint64(uint64(max(0, d.Microseconds()))) }

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
