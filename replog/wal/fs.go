package wal

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"mezzo/internal/dirlock"
)

// FS is one directory. Names are of files in it.
type FS interface {
	// Lock makes the directory and keeps other writers out until it is closed.
	Lock() (io.Closer, error)
	// List is the files' sizes in bytes.
	List() (map[string]int64, error)
	// Create makes a file with room for all of its bytes, or leaves none.
	Create(name string, size int64) (File, error)
	Open(name string, write bool) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes what was created, renamed and removed durable.
	SyncDir() error
}

// File is an open file, to be read also when it was removed. Close fails reads.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Datasync makes what was written durable, and the length.
	Datasync() error
}

type osFS struct{ dir string }

type osFile struct{ *os.File }

// OS is a directory of this machine.
func OS(dir string) FS { return osFS{dir} }

func (d osFS) path(name string) string { return filepath.Join(d.dir, name) }

func (d osFS) Lock() (io.Closer, error) {
	if err := makeDir(d.dir); err != nil {
		return nil, err
	}
	return dirlock.Take(d.dir)
}

// makeDir makes a directory durably, with those above it that are missing.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	return errors.Join(os.Mkdir(dir, 0o700), osFS{filepath.Dir(dir)}.SyncDir())
}

func (d osFS) List() (map[string]int64, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		out[e.Name()] = info.Size()
	}
	return out, nil
}

func (d osFS) Create(name string, size int64) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := allocate(f, size); err != nil {
		return nil, errors.Join(err, f.Close(), d.Remove(name))
	}
	return osFile{f}, nil
}

func (d osFS) Open(name string, write bool) (File, error) {
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	f, err := os.OpenFile(d.path(name), flags, 0)
	return osFile{f}, err
}

func (d osFS) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d osFS) Remove(name string) error     { return os.Remove(d.path(name)) }

func (d osFS) SyncDir() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
