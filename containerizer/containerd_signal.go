package containerizer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"golang.org/x/sys/unix"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// kill signals the first process of a container. The kernel keeps from that
// one, as the first of its process namespace, every signal that it has no
// handler for, so that "sleep 1000" could be ended by SIGKILL alone. Where the
// default is to end, that is made good: others in the container get the signal
// in its place and, if there are none, it is ended.
func (e *containerdEngine) kill(ctx context.Context, id isolator.ID, sig int) error {
	ctx = e.context(ctx)
	rec, _, err := e.look(ctx, id)
	if err != nil || rec.state == stopped || rec.state == absent {
		return err
	}
	if rec.state == running && endsByDefault(syscall.Signal(sig)) {
		lost, err := isLost(rec.pid, sig)
		if err != nil {
			return err
		}
		if lost {
			others, err := e.signalOthers(ctx, rec, syscall.Signal(sig))
			if err != nil || others {
				return err
			}
			sig = int(syscall.SIGKILL)
		}
	}
	_, err = e.client.TaskService().Kill(ctx, &tasks.KillRequest{ContainerID: string(id), Signal: uint32(sig)})
	if err := classify(errgrpc.ToNative(err)); err != nil && !errors.Is(err, errs.NotFound) { // else it has ended meanwhile
		return fmt.Errorf("send signal %v: %w", syscall.Signal(sig), err)
	}
	return nil
}

func endsByDefault(sig syscall.Signal) bool {
	return sig == syscall.SIGTERM || sig == syscall.SIGINT || sig == syscall.SIGHUP || sig == syscall.SIGQUIT
}

// isLost tells whether a process neither handles sig nor ignores it on purpose.
// A process that is gone loses nothing.
func isLost(pid uint32, sig int) (bool, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	kept, err := signalsKept(f)
	if errors.Is(err, syscall.ESRCH) {
		return false, nil
	}
	return kept>>(sig-1)&1 == 0, err
}

// signalsKept reads the set of signals that a process handles or ignores from
// its /proc/<pid>/status; bit 0 is signal 1.
func signalsKept(r io.Reader) (set uint64, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if key != "SigIgn" && key != "SigCgt" {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return 0, fmt.Errorf("signals of a process: %q: %w", lines.Text(), errs.Corrupt)
		}
		set |= bits
	}
	return set, lines.Err()
}

// signalOthers signals all but the first process and tells whether there were
// any.
func (e *containerdEngine) signalOthers(ctx context.Context, rec record, sig syscall.Signal) (any bool, err error) {
	r, err := e.client.TaskService().ListPids(ctx, &tasks.ListPidsRequest{ContainerID: string(rec.id)})
	if err != nil {
		return false, fmt.Errorf("list processes: %w", classify(errgrpc.ToNative(err)))
	}
	for _, p := range r.Processes {
		if p.Pid == rec.pid {
			continue
		}
		sent, err := signalSibling(int(rec.pid), int(p.Pid), sig)
		if err != nil {
			return any, err
		}
		any = any || sent
	}
	return any, nil
}

// signalSibling signals pid if it is, for sure and still, in the process
// namespace of first: numbers are used again, the process behind a descriptor
// is not.
func signalSibling(first, pid int, sig syscall.Signal) (sent bool, err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	ours, err1 := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", first))
	its, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err1 != nil || err2 != nil || ours != its {
		return false, nil // one of them has ended
	}
	err = unix.PidfdSendSignal(fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	return err == nil, err
}
