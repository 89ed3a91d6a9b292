package wal

import (
	"errors"
	"os"
	"syscall"
)

// again repeats a call that a signal interrupted: that is no answer of the disk.
func again(name string, call func() error) error {
	err := call()
	for errors.Is(err, syscall.EINTR) {
		err = call()
	}
	return os.NewSyscallError(name, err)
}

func allocate(f *os.File, size int64) error {
	err := again("fallocate", func() error { return syscall.Fallocate(int(f.Fd()), 0, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return f.Truncate(size)
	}
	return err
}

func (f osFile) Datasync() error {
	return again("fdatasync", func() error { return syscall.Fdatasync(int(f.Fd())) })
}
