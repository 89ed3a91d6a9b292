package containerizer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mezzo/containerizer/logger"
	"mezzo/internal/errs"
)

// logURI tells the shim to run "<program> logger <argument>". Only one key may
// be given: the shim makes words of the command from them in no certain order.
func logURI(program, argument string) string {
	u := url.URL{Scheme: "binary", Path: program, RawQuery: url.Values{logger.Command: {argument}}.Encode()}
	return u.String()
}

// createOutput makes the files that the logger will open, for the user of the
// container. Here an error still has somebody to tell.
func createOutput(sandbox string, uid, gid uint32) error {
	for _, name := range []string{logger.Stdout, logger.Stderr} {
		f, err := openOutput(filepath.Join(sandbox, name), os.O_CREATE)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Chown(int(uid), int(gid)), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func openOutput(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, logger.OpenFlags|flags, 0o644)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file: %w", path, errs.Invalid)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// drained waits until the logger has written all that a container said which has
// ended; or until ctx ends. A logger that is gone has nothing more to write.
func drained(ctx context.Context, sandbox string) error {
	for name, fd := range map[string]int{logger.Stdout: logger.StdoutFD, logger.Stderr: logger.StderrFD} {
		f, err := openOutput(filepath.Join(sandbox, name), 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = awaitIdle(ctx, f, fd)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("await the end of %s: %w", f.Name(), err)
		}
	}
	return nil
}

// idlePoll is how often a logger is looked at.
const idlePoll = 2 * time.Millisecond

func awaitIdle(ctx context.Context, f *os.File, fd int) error {
	pid, err := lockedBy(f, logger.Present)
	if err != nil || pid <= 0 {
		return err
	}
	pipe, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/%d", pid, fd), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer pipe.Close()
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		if idle, err := isIdle(f, pipe); idle || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// isIdle looks at the pipe first: the logger becomes busy before it takes
// something out.
func isIdle(f, pipe *os.File) (bool, error) {
	waiting, err := unix.IoctlGetInt(int(pipe.Fd()), unix.TIOCINQ)
	if err != nil || waiting > 0 {
		return false, err
	}
	pid, err := lockedBy(f, logger.Busy)
	return pid == 0, err
}

// lockedBy is the process that has a lock on one byte of f; 0: none.
func lockedBy(f *os.File, at int64) (pid int32, err error) {
	l := syscall.Flock_t{Type: syscall.F_WRLCK, Start: at, Len: 1}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &l); err != nil {
		return 0, err
	}
	if l.Type == syscall.F_UNLCK {
		return 0, nil
	}
	return l.Pid, nil
}
