//go:build !linux

package wal

// Allocate reserves no blocks here; a segment's are written before it is used.
func (f osFile) Allocate(size int64) error { return f.Truncate(size) }

func (f osFile) Datasync() error { return f.Sync() }
