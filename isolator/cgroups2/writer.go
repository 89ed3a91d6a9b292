package cgroups2

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mezzo/internal/errs"
	"mezzo/isolator/internal/kfile"
)

// apply writes settings to a cgroup, in order, and reads each back.
//
// Errors: errs.NotFound if the cgroup is gone, errs.Unsupported if the kernel
// lacks a file that is not optional, errs.Conflict if it keeps another value.
func apply(dir string, settings []Setting, pageBytes int64) error {
	for _, s := range settings {
		err := set(dir, s, pageBytes)
		if err == nil || (s.Optional && errors.Is(err, errs.Unsupported)) {
			continue
		}
		return err
	}
	return nil
}

func set(dir string, s Setting, pageBytes int64) error {
	path := filepath.Join(dir, s.File)
	if err := write(dir, s.File, s.Value); err != nil {
		return missing(dir, err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		return missing(dir, fmt.Errorf("read back: %w", err))
	}
	if !same(s.File, s.Value, string(got), pageBytes) {
		return fmt.Errorf("set %s to %q: the kernel keeps %q: %w", path, s.Value, bytes.TrimSpace(got), errs.Conflict)
	}
	return nil
}

// missing tells a file that the kernel lacks from a cgroup that is gone.
func missing(dir string, err error) error {
	if errors.Is(err, syscall.ENODEV) {
		return fmt.Errorf("%w: %w", errs.NotFound, err)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	class := errs.Unsupported
	if _, stat := os.Stat(dir); errors.Is(stat, fs.ErrNotExist) {
		class = errs.NotFound
	}
	return fmt.Errorf("%w: %w", class, err)
}

// write puts a value into a file that is there. A file that is not there is
// fs.ErrNotExist: the cgroup is gone, or the kernel lacks the feature.
func write(dir, file, value string) error {
	path := filepath.Join(dir, file)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("set %s to %q: %w", path, value, err)
	}
	_, err = f.WriteString(value)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("set %s to %q: %w", path, value, err)
	}
	return nil
}

// same tells whether the kernel keeps what was written. It keeps memory in
// whole pages, rounded down, and shows more than it can count as "max".
func same(file, want, got string, pageBytes int64) bool {
	w, g := strings.Fields(want), strings.Fields(got)
	if len(w) != len(g) {
		return false
	}
	for i := range w {
		if w[i] == g[i] {
			continue
		}
		n, limited, err := kfile.Limit([]byte(w[i]))
		if err != nil || !limited || !strings.HasPrefix(file, "memory.") {
			return false
		}
		kept, limited, err := kfile.Limit([]byte(g[i]))
		page := uint64(pageBytes)
		if err != nil || (limited && kept != n/page*page) || (!limited && n/page*page != 1<<63-page) {
			return false
		}
	}
	return true
}

// ignoreMissing drops the error that says that a file is not there.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
