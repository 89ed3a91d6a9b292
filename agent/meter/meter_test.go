package meter

// Goal: rates come from two samples and nothing impossible comes from counters
// that run backwards; limits are told only where there are any.

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
	"mezzo/isolator"
	"mezzo/isolator/node"
)

var epoch = time.Unix(1767323045, 500e6)

var before = isolator.Usage{At: epoch, CPU: time.Second, Periods: 10, ThrottledPeriods: 2}

var now = isolator.Usage{
	At: epoch.Add(2 * time.Second), CPU: 2 * time.Second, CPUUser: 1500 * time.Millisecond, CPUSystem: 500 * time.Millisecond,
	Periods: 30, ThrottledPeriods: 7, Throttled: time.Second,
	MemCurrentBytes: 100, MemPeakBytes: 120, MemWorkingSetBytes: 80, MemAnonBytes: 60, MemFileBytes: 30, MemKernelBytes: 10,
	OOMEvents: 1, OOMKills: 2, Pids: 3, PidsLimit: 4096,
	IOPressure: &isolator.Pressure{SomeAvg10: 1.5, SomeTotal: time.Millisecond},
}

func TestContainer(t *testing.T) {
	got := Container(&before, now, isolator.Limits{CPURequestMilli: 500, CPULimitMilli: 1500, MemRequestBytes: 64, MemLimitBytes: 128})
	want := &usage.ContainerUsage{}
	text := `timestamp: 1767323047.5
		cpu { request_cpus: 0.5 limit_cpus: 1.5 usage_micros: 2000000 user_micros: 1500000 system_micros: 500000 rate_cpus: 0.5
		      periods: 30 throttled_periods: 7 throttled_micros: 1000000 throttled_share: 0.25 }
		memory { request_bytes: 64 limit_bytes: 128 current_bytes: 100 working_set_bytes: 80 peak_bytes: 120 anon_bytes: 60
		         file_bytes: 30 kernel_bytes: 10 oom_events: 1 oom_kills: 2 }
		pids { current: 3 limit: 4096 }
		io_pressure { some_avg10: 1.5 some_avg60: 0 some_total_micros: 1000 full_avg10: 0 full_avg60: 0 full_total_micros: 0 }`
	if err := prototext.Unmarshal([]byte(text), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestRatesNeedTwoSamplesThatFit(t *testing.T) {
	backwards := now
	backwards.At, backwards.CPU, backwards.Periods = epoch.Add(time.Hour), time.Hour, 1<<40
	for name, b := range map[string]*isolator.Usage{"none": nil, "backwards": &backwards, "the same": &now} {
		c := Container(b, now, isolator.Limits{}).GetCpu()
		if c.RateCpus != nil || c.ThrottledShare != nil {
			t.Errorf("%s before: rate %v, share %v", name, c.RateCpus, c.ThrottledShare)
		}
	}
}

func TestNoCeilingIsNoLimit(t *testing.T) {
	for _, l := range []isolator.Limits{{}, {CPULimitMilli: isolator.Unlimited, MemLimitBytes: isolator.Unlimited}} {
		u := Container(nil, isolator.Usage{At: epoch}, l)
		if u.Cpu.LimitCpus != nil || u.Memory.LimitBytes != nil || u.Memory.PeakBytes != nil || u.Pids.Limit != nil {
			t.Errorf("limits of %+v: %v", l, u)
		}
		if s := Statistics(isolator.Usage{At: epoch}, l); s.CpusLimit != nil || s.MemLimitBytes != nil {
			t.Errorf("statistics of %+v: %v", l, s)
		}
	}
}

func TestNode(t *testing.T) {
	u := Node(&before, node.Sample{CPUs: 4, MemTotalBytes: 1000, Used: now})
	if u.GetCpu().GetLimitCpus() != 4 || u.GetCpu().GetRateCpus() != 0.5 || u.GetMemory().GetLimitBytes() != 1000 {
		t.Errorf("node %v", u)
	}
}

func TestStatistics(t *testing.T) {
	got := Statistics(now, isolator.Limits{CPURequestMilli: 500, CPULimitMilli: 1500, MemRequestBytes: 64, MemLimitBytes: 128})
	want := &v1.ResourceStatistics{}
	text := `timestamp: 1767323047.5 cpus_user_time_secs: 1.5 cpus_system_time_secs: 0.5 cpus_limit: 1.5 cpus_soft_limit: 0.5
		cpus_nr_periods: 30 cpus_nr_throttled: 7 cpus_throttled_time_secs: 1 mem_total_bytes: 100 mem_rss_bytes: 60 mem_anon_bytes: 60
		mem_file_bytes: 30 mem_cache_bytes: 30 mem_soft_limit_bytes: 64 mem_limit_bytes: 128 threads: 3`
	if err := prototext.Unmarshal([]byte(text), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("statistics (-want +got):\n%s", diff)
	}
	if !proto.Equal(Statistics(isolator.Usage{Periods: 1 << 40}, isolator.Limits{}), Statistics(isolator.Usage{Periods: 1<<32 - 1}, isolator.Limits{})) {
		t.Error("a counter overflowed its field")
	}
}
