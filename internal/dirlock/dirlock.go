package dirlock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"mezzo/internal/errs"
)

// Take takes dir, which it makes a file called "lock" in, until the file
// returned is closed or the process ends.
//
// Errors: errs.Conflict if another process has it, or this one already.
func Take(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s is used by another process: %w", dir, errs.Conflict)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}
