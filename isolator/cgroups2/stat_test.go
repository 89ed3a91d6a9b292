package cgroups2

import (
	"embed"
	"errors"
	"testing"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"

	"github.com/google/go-cmp/cmp"
)

// Goal: what the kernel counts is what a sample says. Method: files of a cgroup
// on Linux 6.1 whose process spun on 0.5 CPU, then read a file of 20 MB.

//go:embed testdata
var testdata embed.FS // the test binary also runs on machines without the source

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := testdata.ReadFile("testdata/linux-6.1/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	u := isolator.Usage{MemCurrentBytes: 20815872, Periods: 99, MemKernelBytes: 99}
	if err := parseCPUStat(file(t, "cpu.stat"), &u); err != nil {
		t.Fatal(err)
	}
	if err := parseMemoryStat(file(t, "memory.stat"), &u); err != nil {
		t.Fatal(err)
	}
	want := isolator.Usage{
		CPU: 2593308 * time.Microsecond, CPUUser: 1772641 * time.Microsecond, CPUSystem: 820667 * time.Microsecond,
		Periods: 56, ThrottledPeriods: 51, Throttled: 2601409 * time.Microsecond,
		MemCurrentBytes: 20815872, MemWorkingSetBytes: 20815872 - 20021248,
		MemAnonBytes: 98304, MemFileBytes: 20049920, MemKernelBytes: 667648,
	}
	if d := cmp.Diff(want, u); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestParseOldKernels(t *testing.T) {
	var u isolator.Usage
	if err := parseMemoryStat([]byte("anon 1\nfile 2\nkernel_stack 4\npagetables 8\npercpu 16\nslab 32\n"), &u); err != nil || u.MemKernelBytes != 60 {
		t.Errorf("memory.stat without kernel: got %d, %v, want 60", u.MemKernelBytes, err)
	}
	if err := parseCPUStat([]byte("usage_usec 3\nuser_usec 2\nsystem_usec 1\n"), &u); err != nil || u.CPU != 3*time.Microsecond {
		t.Errorf("cpu.stat without the controller: got %v, %v", u.CPU, err)
	}
}

func TestWorkingSetIsNeverNegative(t *testing.T) {
	u := isolator.Usage{MemCurrentBytes: 10} // the two files are read one after the other
	if err := parseMemoryStat([]byte("inactive_file 11\n"), &u); err != nil || u.MemWorkingSetBytes != 0 {
		t.Errorf("got %d, %v, want 0", u.MemWorkingSetBytes, err)
	}
}

func TestParseMemoryEvents(t *testing.T) {
	oom, kills, err := parseMemoryEvents([]byte("low 0\nhigh 0\nmax 1084\noom 2\noom_kill 5\noom_group_kill 1\n"))
	if oom != 2 || kills != 5 || err != nil {
		t.Errorf("got %d, %d, %v, want 2, 5", oom, kills, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"cpu.stat", "memory.stat", "memory.events", "cgroup.events"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		u := isolator.Usage{MemCurrentBytes: 1 << 20}
		_, _, events := parseMemoryEvents(data)
		_, alive := populated(data)
		for _, err := range []error{parseCPUStat(data, &u), parseMemoryStat(data, &u), events, alive} {
			if err != nil && !errors.Is(err, errs.Corrupt) {
				t.Errorf("error without a class: %v", err)
			}
		}
		if u.CPU < 0 || u.Throttled < 0 || u.MemWorkingSetBytes > u.MemCurrentBytes {
			t.Errorf("impossible sample: %+v", u)
		}
	})
}
