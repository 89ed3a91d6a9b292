package cgroups2

import (
	"testing"
	"time"

	"mezzo/isolator"

	"github.com/google/go-cmp/cmp"
)

func TestVerdict(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	limited := death{limit: 64 * mib, limited: true, peak: 64 * mib}
	with := func(d death, oom, kills uint64) death {
		d.oom, d.kills = oom, kills
		return d
	}
	seen := with(limited, 1, 3)
	seen.largest = sample{at: now.Add(-1234 * time.Millisecond), anon: 60 * mib, file: 1*mib + 512<<10}
	early := seen
	early.largest.anon = 30 * mib
	noPeak := with(limited, 1, 1)
	noPeak.peak = 0
	tests := []struct {
		name string
		in   death
		want *isolator.Limitation
	}{
		{"nothing happened", limited, nil},
		{"an allocation was refused, nobody killed", with(limited, 141, 0), nil},
		{"own limit", with(limited, 1, 1), &isolator.Limitation{Cause: isolator.CauseMemory,
			Message: "memory limit 64 MiB exceeded: peak 64 MiB, 1 process killed by the kernel"}},
		{"own limit, sampled before", seen, &isolator.Limitation{Cause: isolator.CauseMemory,
			Message: "memory limit 64 MiB exceeded: peak 64 MiB, 3 processes killed by the kernel (largest sample, 1.2s before: anon 60 MiB, file 1.5 MiB)"}},
		{"own limit, sampled too early", early, &isolator.Limitation{Cause: isolator.CauseMemory,
			Message: "memory limit 64 MiB exceeded: peak 64 MiB, 3 processes killed by the kernel"}},
		{"own limit, kernel without peak", noPeak, &isolator.Limitation{Cause: isolator.CauseMemory,
			Message: "memory limit 64 MiB exceeded: 1 process killed by the kernel"}},
		{"node", with(death{limit: 64 * mib, limited: true, peak: 10 * mib}, 0, 2), &isolator.Limitation{Cause: isolator.CauseNodeMemory,
			Message: "the node or a parent cgroup ran out of memory: peak 10 MiB, limit 64 MiB, 2 processes killed by the kernel"}},
		{"node, no limit, kernel without peak", with(death{}, 0, 1), &isolator.Limitation{Cause: isolator.CauseNodeMemory,
			Message: "the node or a parent cgroup ran out of memory: 1 process killed by the kernel"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, verdict(tt.in, now)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 KiB", 1: "0 KiB", 512: "0.5 KiB", 4096: "4 KiB", 1<<20 - 1: "1023.9 KiB",
		mib: "1 MiB", 67 * mib / 2: "33.5 MiB", 1 << 30: "1 GiB", 1<<64 - 1: "17179869183.9 GiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
