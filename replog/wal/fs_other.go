//go:build !linux

package wal

import "os"

// allocate reserves no blocks here.
func allocate(f *os.File, size int64) error { return f.Truncate(size) }

func (f osFile) Datasync() error { return f.Sync() }
