package cgroups2

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/internal/kfile"

	"golang.org/x/sys/unix"
)

// The files of a domain that make up a sample, in reading order.
const (
	cpuStat = iota
	memoryCurrent
	memoryPeak
	memoryStat
	memoryEvents
	pidsCurrent
	pidsMax
	cpuPressure
	memoryPressure
	ioPressure
	fileCount
)

// fileName returns a file's name and whether kernels may lack it.
func fileName(file int) (name string, optional bool) {
	switch file {
	case cpuStat:
		return "cpu.stat", false
	case memoryCurrent:
		return "memory.current", false
	case memoryPeak:
		return "memory.peak", true // since 5.19
	case memoryStat:
		return "memory.stat", false
	case memoryEvents:
		return "memory.events", false
	case pidsCurrent:
		return "pids.current", false
	case pidsMax:
		return "pids.max", false
	case cpuPressure:
		return "cpu.pressure", true // PSI can be left out, and switched off
	case memoryPressure:
		return "memory.pressure", true
	default:
		return "io.pressure", true
	}
}

// reader reads a domain over and over. It keeps the files open, which makes a
// sample several times cheaper, and allocates nothing.
//
// Concurrency: safe. The lock is held over the reads: they don't block, and a
// descriptor must not be closed, and its number reused, under one.
type reader struct {
	dir string

	mu      sync.Mutex
	fds     [fileCount]int // -1: the kernel has no such file
	buf     []byte         // nil: closed
	largest sample
}

// maxFileBytes bounds what a counter file may grow to; memory.stat has 2 KiB.
const maxFileBytes = 1 << 20

func openReader(dir string) (*reader, error) {
	r := &reader{dir: dir, buf: make([]byte, 8<<10)}
	for f := range r.fds {
		r.fds[f] = -1
	}
	for f := range r.fds {
		name, optional := fileName(f)
		path := filepath.Join(dir, name)
		fd, err := open(path)
		switch {
		case err == nil:
			r.fds[f] = fd
		case optional && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP)):
		default:
			r.close()
			return nil, fmt.Errorf("open %s: %w", path, missing(dir, err))
		}
	}
	return r, nil
}

func open(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// close frees the descriptors; reads from now on are errs.NotFound.
func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f, fd := range r.fds {
		if fd >= 0 {
			unix.Close(fd)
		}
		r.fds[f] = -1
	}
	r.buf = nil
}

// read fills u. Pressures that u already has are reused.
func (r *reader) read(u *isolator.Usage) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range r.fds {
		if err := r.readFile(f, u); err != nil {
			name, _ := fileName(f)
			return fmt.Errorf("%s/%s: %w", r.dir, name, err)
		}
	}
	if s := (sample{time.Now(), u.MemAnonBytes, u.MemFileBytes}); s.size() > r.largest.size() {
		r.largest = s
	}
	return nil
}

func (r *reader) largestSample() sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.largest
}

func (r *reader) readFile(f int, u *isolator.Usage) error {
	data, err := r.pread(f)
	if _, optional := fileName(f); optional && errors.Is(err, unix.EOPNOTSUPP) {
		data, err = nil, nil
	}
	if err != nil {
		return missing(r.dir, err)
	}
	switch f {
	case cpuStat:
		return parseCPUStat(data, u)
	case memoryCurrent:
		u.MemCurrentBytes, err = kfile.Uint(data)
	case memoryPeak:
		u.MemPeakBytes = 0
		if data != nil {
			u.MemPeakBytes, err = kfile.Uint(data)
		}
	case memoryStat:
		return parseMemoryStat(data, u)
	case memoryEvents:
		u.OOMEvents, u.OOMKills, err = parseMemoryEvents(data)
	case pidsCurrent:
		u.Pids, err = kfile.Uint(data)
	case pidsMax:
		u.PidsLimit, _, err = kfile.Limit(data)
	case cpuPressure:
		return pressure(data, &u.CPUPressure)
	case memoryPressure:
		return pressure(data, &u.MemPressure)
	case ioPressure:
		return pressure(data, &u.IOPressure)
	}
	return err
}

// pread reads a whole file into the buffer; nil if the kernel has none.
func (r *reader) pread(f int) ([]byte, error) {
	if r.buf == nil {
		return nil, unix.ENODEV
	}
	if r.fds[f] < 0 {
		return nil, nil
	}
	for {
		n, err := unix.Pread(r.fds[f], r.buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n < len(r.buf):
			return r.buf[:n], nil
		case n >= maxFileBytes:
			return nil, fmt.Errorf("more than %d bytes: %w", maxFileBytes, errs.Corrupt)
		default:
			r.buf = make([]byte, 2*len(r.buf))
		}
	}
}

func pressure(data []byte, to **isolator.Pressure) error {
	if data == nil {
		*to = nil
		return nil
	}
	if *to == nil {
		*to = new(isolator.Pressure)
	}
	return kfile.Pressure(data, *to)
}
