package wal

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"mezzo/internal/dirlock"
)

type osFS struct{ dir string }

type osFile struct{ *os.File }

var (
	_ FS   = osFS{}
	_ File = osFile{}
)

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
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, os.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func (d osFS) List() ([]FileInfo, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var out []FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			out = append(out, FileInfo{Name: e.Name(), Size: info.Size()})
		}
	}
	return out, nil
}

func (d osFS) Create(name string) (File, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func (d osFS) Open(name string, write bool) (File, error) {
	if write {
		return d.open(name, os.O_RDWR)
	}
	return d.open(name, os.O_RDONLY)
}

func (d osFS) open(name string, flags int) (File, error) {
	f, err := os.OpenFile(d.path(name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d osFS) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d osFS) Remove(name string) error     { return os.Remove(d.path(name)) }
func (d osFS) SyncDir() error               { return syncDir(d.dir) }

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
