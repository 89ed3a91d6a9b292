package cluster

import (
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNetns calls f in the named network namespace. Sockets that f makes stay there.
func inNetns(name string, f func() error) error {
	if name == "" {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread, changed for good, ends with this goroutine.
		runtime.LockOSThread()
		done <- enterNetns(name, f)
	}()
	return <-done
}

func enterNetns(name string, f func() error) error {
	fd, err := unix.Open(filepath.Join("/run/netns", name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", name, err)
	}
	return f()
}
