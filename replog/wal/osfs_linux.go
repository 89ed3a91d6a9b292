package wal

import (
	"errors"
	"os"
	"syscall"
)

func (f osFile) Allocate(size int64) error {
	err := again(func() error { return syscall.Fallocate(int(f.Fd()), 0, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return f.Truncate(size)
	}
	return wrap("fallocate", f, err)
}

func (f osFile) Datasync() error {
	return wrap("fdatasync", f, again(func() error { return syscall.Fdatasync(int(f.Fd())) }))
}

// again repeats a call that a signal interrupted: that is no answer of the disk.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func wrap(op string, f osFile, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: f.Name(), Err: err}
}
