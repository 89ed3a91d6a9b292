package wal

import "io"

// FS is one directory. Names are of files in it.
type FS interface {
	// Lock keeps every other writer out until the lock is closed. It makes
	// the directory if there is none.
	Lock() (io.Closer, error)
	List() ([]FileInfo, error)
	// Create makes an empty file, in place of one that is there.
	Create(name string) (File, error)
	Open(name string, write bool) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes what was created, renamed and removed durable.
	SyncDir() error
}

// File is an open file; one that was removed can still be read.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Allocate makes an empty file size bytes long, with room for all of it.
	Allocate(size int64) error
	// Datasync makes what was written durable, and the length.
	Datasync() error
}

// FileInfo is a file of a directory.
type FileInfo struct {
	Name string
	Size int64
}
