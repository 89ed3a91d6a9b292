package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"syscall"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/internal/kfile"
)

// Sample is what a node has and what all of it together uses.
//
// In Used, working set is what is not available for new processes, current
// counts the page cache too, OOMKills counts all kills since boot, Pids counts
// processes and threads; what only a container has is zero.
type Sample struct {
	CPUs          int // online
	MemTotalBytes uint64
	SwapUsedBytes uint64
	Used          isolator.Usage
}

// tick is the unit of /proc/stat: USER_HZ is 100 on every architecture that
// Go runs Linux on.
const tick = time.Second / 100

// Read takes a sample. Proc is the proc file system, os.DirFS("/proc").
func Read(proc fs.FS) (Sample, error) {
	s := Sample{Used: isolator.Usage{At: time.Now()}}
	for _, f := range []struct {
		name  string
		parse func(*Sample, []byte) error
	}{
		{"stat", (*Sample).stat},
		{"meminfo", (*Sample).meminfo},
		{"vmstat", (*Sample).vmstat},
		{"loadavg", (*Sample).loadavg},
	} {
		data, err := fs.ReadFile(proc, f.name)
		if err != nil {
			return Sample{}, fmt.Errorf("sample node: %w", err)
		}
		if err := f.parse(&s, data); err != nil {
			return Sample{}, fmt.Errorf("sample node: /proc/%s: %w", f.name, err)
		}
	}
	for _, f := range []struct {
		name string
		to   **isolator.Pressure
	}{
		{"pressure/cpu", &s.Used.CPUPressure},
		{"pressure/memory", &s.Used.MemPressure},
		{"pressure/io", &s.Used.IOPressure},
	} {
		if err := pressure(proc, f.name, f.to); err != nil {
			return Sample{}, fmt.Errorf("sample node: /proc/%s: %w", f.name, err)
		}
	}
	return s, nil
}

// pressure leaves *to nil where the kernel was built or booted without PSI.
func pressure(proc fs.FS, name string, to **isolator.Pressure) error {
	data, err := fs.ReadFile(proc, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	if err != nil {
		return err
	}
	*to = new(isolator.Pressure)
	return kfile.Pressure(data, *to)
}

// stat sums up the first line, "cpu  user nice system idle iowait irq softirq
// steal guest guest_nice" (guest time is in user already), and counts the
// lines "cpu0", "cpu1", …
func (s *Sample) stat(data []byte) error {
	var ticks [7]uint64
	for line := range bytes.Lines(data) {
		name, rest, ok := bytes.Cut(line, []byte{' '})
		switch {
		case !ok || !bytes.HasPrefix(name, []byte("cpu")):
		case len(name) > len("cpu"):
			s.CPUs++
		default:
			fields := bytes.Fields(rest)
			if len(fields) < len(ticks) {
				return fmt.Errorf("line %q: want %d numbers: %w", line, len(ticks), errs.Corrupt)
			}
			for i := range ticks {
				v, err := kfile.Uint(fields[i])
				if err != nil || v > math.MaxInt64/uint64(tick)/uint64(len(ticks)) {
					return fmt.Errorf("line %q: %w", line, errs.Corrupt)
				}
				ticks[i] = v
			}
		}
	}
	if s.CPUs == 0 {
		return fmt.Errorf("no CPU: %w", errs.Corrupt)
	}
	user, nice, system, irq, softirq := ticks[0], ticks[1], ticks[2], ticks[5], ticks[6]
	s.Used.CPUUser = time.Duration(user+nice) * tick
	s.Used.CPUSystem = time.Duration(system+irq+softirq) * tick
	s.Used.CPU = s.Used.CPUUser + s.Used.CPUSystem
	return nil
}

func (s *Sample) meminfo(data []byte) error {
	m := make(map[string]uint64)
	for line := range bytes.Lines(data) {
		name, rest, ok := bytes.Cut(line, []byte{':'})
		kib, isSize := bytes.CutSuffix(bytes.TrimSpace(rest), []byte(" kB"))
		if !ok || !isSize {
			continue // counts of huge pages
		}
		v, err := kfile.Uint(kib)
		if err != nil || v > math.MaxInt64>>10 {
			return fmt.Errorf("line %q: %w", line, errs.Corrupt)
		}
		m[string(name)] = v << 10
	}
	for _, name := range []string{"MemTotal", "MemFree", "MemAvailable"} {
		if _, ok := m[name]; !ok {
			return fmt.Errorf("no %s: %w", name, errs.Corrupt)
		}
	}
	s.MemTotalBytes = m["MemTotal"]
	s.SwapUsedBytes = less(m["SwapTotal"], m["SwapFree"])
	u := &s.Used
	u.MemCurrentBytes = less(m["MemTotal"], m["MemFree"])
	u.MemWorkingSetBytes = less(m["MemTotal"], m["MemAvailable"])
	u.MemAnonBytes = m["AnonPages"]
	u.MemFileBytes = m["Cached"] + m["Buffers"]
	u.MemKernelBytes = m["Slab"] + m["KernelStack"] + m["PageTables"] + m["Percpu"]
	return nil
}

func less(a, b uint64) uint64 { return a - min(a, b) }

func (s *Sample) vmstat(data []byte) error {
	f := kfile.NewFlat(data)
	for f.Next() {
		if string(f.Key) == "oom_kill" {
			s.Used.OOMKills = f.Value
		}
	}
	return f.Err()
}

// loadavg takes the total of "0.20 0.18 0.12 1/80 11206": running/total.
func (s *Sample) loadavg(data []byte) error {
	fields := bytes.Fields(data)
	if len(fields) < 4 {
		return fmt.Errorf("%q: want 5 fields: %w", data, errs.Corrupt)
	}
	_, total, _ := bytes.Cut(fields[3], []byte{'/'})
	n, err := kfile.Uint(total)
	s.Used.Pids = n
	return err
}
