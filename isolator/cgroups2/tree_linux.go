package cgroups2

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mezzo/internal/errs"

	"golang.org/x/sys/unix"
)

// tree makes and removes cgroups. Tests put directories with made-up files in
// place of the kernel's.
type tree struct {
	top          string // where the unified hierarchy is mounted
	mkdir, rmdir func(path string) error
}

func kernelTree() tree {
	return tree{
		top:   cgroupRoot,
		mkdir: func(path string) error { return os.Mkdir(path, 0o755) },
		rmdir: func(path string) error { return os.NewSyscallError("rmdir "+path, unix.Rmdir(path)) },
	}
}

// make makes a cgroup and those above it. One that is there is kept.
func (t tree) make(dir string) error {
	if dir == t.top {
		return nil
	}
	if !strings.HasPrefix(dir, t.top+"/") {
		return fmt.Errorf("cgroup %s: not below %s: %w", dir, t.top, errs.Invalid)
	}
	if err := t.make(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := t.mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make cgroup: %w", err)
	}
	return nil
}

// enable switches a controller on for the children of dir, and where that
// needs it, for dir itself from above: one level and one controller per write.
func (t tree) enable(dir, controller string) error {
	on, err := words(dir, "cgroup.subtree_control")
	if err != nil || slices.Contains(on, controller) {
		return err
	}
	available, err := words(dir, "cgroup.controllers")
	if err != nil {
		return err
	}
	if !slices.Contains(available, controller) {
		if dir == t.top {
			return fmt.Errorf("cgroup controller %s: the kernel has %q: %w", controller, available, errs.Unsupported)
		}
		if err := t.enable(filepath.Dir(dir), controller); err != nil {
			return err
		}
	}
	err = write(dir, "cgroup.subtree_control", "+"+controller)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w: processes live in %s itself; only cgroups without any can have children with limits", err, dir)
	}
	return err
}

func words(dir, file string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, file))
	return strings.Fields(string(data)), err
}

// waitEmpty blocks until no process lives in dir or below.
//
// The kernel wakes those who poll cgroup.events when it changes; Go's runtime
// polls all such files in one place, so waiting costs neither a thread nor an
// inotify instance, of which a user has 128.
func waitEmpty(ctx context.Context, dir string) error {
	path := filepath.Join(dir, "cgroup.events")
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return ignoreGone(err)
	}
	defer f.Close()
	// Without a poller (not a file of the kernel) SetReadDeadline fails, and the
	// wait below ends with an error of its own.
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var buf [256]byte
	var bad error
	err = conn.Read(func(fd uintptr) (done bool) {
		n, err := unix.Pread(int(fd), buf[:], 0)
		if err != nil {
			bad = ignoreGone(err)
			return true
		}
		alive, err := populated(buf[:n])
		bad = err
		return err != nil || !alive
	})
	if err == nil {
		err = bad
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("wait for %s to be empty: %w", dir, err)
	}
	return nil
}

// ignoreGone drops the errors that say that a cgroup was removed.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}

// kill ends every process in dir and below, forks in flight included.
func kill(ctx context.Context, dir string) error {
	if err := write(dir, "cgroup.kill", "1"); ignoreGone(err) != nil {
		return err
	}
	return waitEmpty(ctx, dir)
}

// remove removes dir and the cgroups below it, bottom up, and waits until ctx
// ends for the processes in them to be gone.
func (t tree) remove(ctx context.Context, dir string) error {
	if !strings.HasPrefix(dir, t.top+"/") {
		return fmt.Errorf("remove %s: not below %s: %w", dir, t.top, errs.Invalid)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreGone(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := t.remove(ctx, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for {
		if err := waitEmpty(ctx, dir); err != nil {
			return err
		}
		err := t.rmdir(dir)
		if !errors.Is(err, unix.EBUSY) {
			return ignoreGone(err)
		}
		// Somebody entered, or made a child, since we looked; the kernel may also
		// need a moment to let go of what has just left.
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(busyRetry):
		}
	}
}

const busyRetry = 10 * time.Millisecond
