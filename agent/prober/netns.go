package prober

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNetns calls f in the network namespace of a process. The thread that f runs
// on is not used for anything else then: it dies with its goroutine.
func inNetns(pid uint32, f func() error) error {
	if pid == 0 {
		return f()
	}
	path := fmt.Sprintf("/proc/%d/ns/net", pid)
	its, err := os.Readlink(path)
	if err != nil {
		return fmt.Errorf("find the task's network: %w", err)
	}
	ours, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("find our network: %w", err)
	}
	if its == ours {
		return f()
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		ns, err := os.Open(path)
		if err != nil {
			result <- fmt.Errorf("open the task's network: %w", err)
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("join the task's network: %w", err)
			return
		}
		result <- f()
	}()
	return <-result
}
