package cgroups2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator/internal/kfile"

	"golang.org/x/sys/unix"
)

// shrinkTimeout bounds how long a container that gives nothing back is slowed.
const shrinkTimeout = 5 * time.Second

// shrink lowers memory.max of a cgroup in use. Written as it is, a lower limit
// makes the kernel kill whatever doesn't fit. memory.high makes it give back
// page cache (and pages to swap) first, and holds the container down meanwhile;
// if it can't get low enough everything stays as it was: errs.Conflict.
func shrink(ctx context.Context, dir string, s Setting, pageBytes int64) (err error) {
	target, _, err := kfile.Limit([]byte(s.Value))
	if err != nil {
		return err
	}
	if err := fits(dir, target); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, shrinkTimeout)
	defer cancel()
	defer func() { err = errors.Join(err, write(dir, "memory.high", "max")) }()
	if err := writeSlow(ctx, filepath.Join(dir, "memory.high"), s.Value); err != nil {
		return err
	}
	current, err := readUint(dir, "memory.current")
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("lower the memory limit to %s: %s are in use and can not be reclaimed: %w", bytesText(target), bytesText(current), errs.Conflict)
	}
	return apply(dir, []Setting{s}, pageBytes)
}

// fits refuses at once what can't succeed: without swap, anonymous and shared
// memory stays.
func fits(dir string, target uint64) error {
	swap, err := os.ReadFile(filepath.Join(dir, "memory.swap.max"))
	if err != nil || string(swap) != "0\n" {
		return ignoreMissing(err)
	}
	stat, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return err
	}
	var stays uint64
	f := kfile.NewFlat(stat)
	for f.Next() {
		if k := string(f.Key); k == "anon" || k == "shmem" {
			stays += f.Value
		}
	}
	if f.Err() == nil && stays > target {
		return fmt.Errorf("lower the memory limit to %s: %s of anonymous memory are in use and there is no swap: %w", bytesText(target), bytesText(stays), errs.Conflict)
	}
	return f.Err()
}

func readUint(dir, file string) (uint64, error) {
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	v, err := kfile.Uint(data)
	if err != nil {
		return 0, fmt.Errorf("%s/%s: %w", dir, file, err)
	}
	return v, nil
}

// writeSlow writes a value that the kernel may work on for minutes (it reclaims
// as long as it makes progress, and pages may come back as fast as they go).
// A signal ends that, so when ctx does, the writing thread gets the one that
// the Go runtime itself uses to interrupt threads. That is no error: the value
// is in force, what it was to achieve is for the caller to check.
func writeSlow(ctx context.Context, path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	thread := make(chan int, 1)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		_, err := unix.Write(fd, []byte(value))
		if errors.Is(err, unix.EINTR) {
			err = nil
		}
		done <- err
	}()
	tid := <-thread
	expired := ctx.Done()
	var again <-chan time.Time
	for {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("set %s to %q: %w", path, value, err)
			}
			return nil
		case <-expired:
			expired, again = nil, time.After(0)
		case <-again:
			// Again and again: the signal may come just before the write. The only
			// error is that the thread is gone, and then the write is done.
			_ = unix.Tgkill(unix.Getpid(), tid, unix.SIGURG)
			again = time.After(busyRetry)
		}
	}
}
