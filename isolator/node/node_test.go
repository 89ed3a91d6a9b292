package node_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/node"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Goal: a sample equals the kernel's numbers. Method: files of a machine with
// Linux 6.1 and 2 CPUs, then the same with one of them changed or missing.

func files(t testing.TB) fstest.MapFS {
	t.Helper()
	m := make(fstest.MapFS)
	dir := os.DirFS("testdata/linux-6.1")
	for _, name := range []string{"stat", "meminfo", "vmstat", "loadavg", "pressure/cpu", "pressure/memory", "pressure/io"} {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		m[name] = &fstest.MapFile{Data: data}
	}
	return m
}

func TestRead(t *testing.T) {
	got, err := node.Read(files(t))
	if err != nil {
		t.Fatal(err)
	}
	const kib = 1 << 10
	want := node.Sample{
		CPUs:          2,
		MemTotalBytes: 2027024 * kib,
		Used: isolator.Usage{
			CPU: 22570 * time.Millisecond, CPUUser: 9290 * time.Millisecond, CPUSystem: 13280 * time.Millisecond,
			CPUPressure:        &isolator.Pressure{SomeAvg10: 12.5, SomeAvg60: 5.27, SomeTotal: 5313839 * time.Microsecond},
			MemCurrentBytes:    (2027024 - 1812340) * kib,
			MemWorkingSetBytes: (2027024 - 1817844) * kib,
			MemAnonBytes:       24444 * kib,
			MemFileBytes:       (132468 + 3736) * kib,
			MemKernelBytes:     (21276 + 1200 + 732 + 560) * kib,
			MemPressure:        &isolator.Pressure{},
			Pids:               74,
			IOPressure: &isolator.Pressure{
				SomeAvg10: 0.02, SomeAvg60: 0.3, SomeTotal: 540338 * time.Microsecond,
				FullAvg10: 0.01, FullAvg60: 0.14, FullTotal: 313276 * time.Microsecond,
			},
		},
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(isolator.Usage{}, "At")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got.Used.At.IsZero() {
		t.Error("the sample has no time")
	}
}

func TestReadWithoutPressure(t *testing.T) {
	m := files(t)
	delete(m, "pressure/memory")
	s, err := node.Read(m)
	if err != nil || s.Used.MemPressure != nil || s.Used.CPUPressure == nil {
		t.Errorf("got %+v, %v, want no memory pressure and the others", s.Used, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct{ file, data string }{
		{"stat", ""},
		{"stat", "cpu  1 2 3\ncpu0 1 2 3\n"},
		{"stat", "cpu  1 2 3 4 5 6 -7 8\ncpu0 1\n"},
		{"stat", "cpu  1 2 3 4 5 6 18446744073709551615 8\ncpu0 1\n"},
		{"meminfo", "MemTotal: 1 kB\n"},
		{"meminfo", "MemTotal: 9999999999999999999 kB\n"},
		{"vmstat", "oom_kill x\n"},
		{"loadavg", "0.0\n"},
		{"loadavg", "0 0 0 1 1\n"},
		{"pressure/io", "none\n"},
	} {
		m := files(t)
		m[tt.file] = &fstest.MapFile{Data: []byte(tt.data)}
		if _, err := node.Read(m); !errors.Is(err, errs.Corrupt) {
			t.Errorf("%s = %q: got %v, want %v", tt.file, tt.data, err, errs.Corrupt)
		}
	}
	m := files(t)
	delete(m, "meminfo")
	if _, err := node.Read(m); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without meminfo: got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestReadThisMachine(t *testing.T) {
	proc := os.DirFS("/proc")
	if _, err := fs.Stat(proc, "vmstat"); err != nil {
		t.Skipf("no Linux: %v", err)
	}
	a, err := node.Read(proc)
	if err != nil {
		t.Fatal(err)
	}
	b, err := node.Read(proc)
	if err != nil {
		t.Fatal(err)
	}
	if a.CPUs == 0 || a.MemTotalBytes == 0 || a.Used.MemWorkingSetBytes == 0 || b.Used.CPU < a.Used.CPU {
		t.Errorf("got %+v, then %+v", a, b)
	}
}

func FuzzRead(f *testing.F) {
	m := files(f)
	f.Add(m["stat"].Data, m["meminfo"].Data, m["loadavg"].Data)
	f.Fuzz(func(t *testing.T, stat, meminfo, loadavg []byte) {
		m := files(t)
		m["stat"], m["meminfo"], m["loadavg"] = &fstest.MapFile{Data: stat}, &fstest.MapFile{Data: meminfo}, &fstest.MapFile{Data: loadavg}
		s, err := node.Read(m)
		if err != nil {
			return
		}
		if s.CPUs < 1 || s.Used.CPU < 0 || s.Used.CPUUser < 0 || s.Used.CPUSystem < 0 || s.Used.MemCurrentBytes > s.MemTotalBytes {
			t.Errorf("impossible sample: %+v", s)
		}
	})
}
