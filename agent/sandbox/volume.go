package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/resources"
)

// VolumePath is where the data of a persistent volume is: below the work_dir, below
// the root of a disk of type PATH, or all of a disk of type MOUNT.
//
// Source: mesos slave/paths.cpp, getPersistentVolumePath.
func VolumePath(workDir string, v resources.Resource) string {
	root := workDir
	switch source := v.Disk().GetSource(); {
	case source == nil:
	case source.GetType() == v1.Resource_DiskInfo_Source_MOUNT:
		return source.GetMount().GetRoot()
	default:
		root = source.GetPath().GetRoot()
	}
	// A role has no blanks, but may have slashes.
	return filepath.Join(root, "volumes", "roles", strings.ReplaceAll(v.ReservedTo(), "/", " "), v.PersistenceID())
}

// MakeVolume makes the directory of a new volume. What lies there of another one
// is put aside, next to it: nobody gave it to this one. A whole disk is taken as it
// is.
func MakeVolume(path string, whole bool, now time.Time) error {
	if whole {
		return checkDir(path)
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		aside := filepath.Join(filepath.Dir(path), fmt.Sprintf(".aside-%s-%d", filepath.Base(path), now.UnixNano()))
		if err := os.Rename(path, aside); err != nil {
			return fmt.Errorf("make volume %q: %w", path, err)
		}
	}
	return EnsureVolume(path, false)
}

// EnsureVolume makes the directory of a volume if it is not there. In a shared one
// every user can write.
func EnsureVolume(path string, shared bool) error {
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return fmt.Errorf("make volume %q: %w", path, err)
	}
	if err := os.Mkdir(path, runMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make volume %q: %w", path, err)
	}
	if err := checkDir(path); err != nil || !shared {
		return err
	}
	if err := os.Chmod(path, sharedMode); err != nil {
		return fmt.Errorf("share volume: %w", err)
	}
	return nil
}

func checkDir(path string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("volume %q: %w", path, err)
	}
	if !st.IsDir() {
		return fmt.Errorf("volume %q is not a directory: %w", path, fs.ErrInvalid)
	}
	return nil
}

// RemoveVolume removes a volume's data. The directory is out of the way at once.
func RemoveVolume(path string, whole bool, now time.Time) (rest func() error, err error) {
	if whole {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("remove volume %q: %w", path, err)
		}
		return func() (all error) {
			for _, e := range entries {
				all = errors.Join(all, os.RemoveAll(filepath.Join(path, e.Name())))
			}
			return all
		}, nil
	}
	gone := filepath.Join(filepath.Dir(path), fmt.Sprintf(".gone-%s-%d", filepath.Base(path), now.UnixNano()))
	if err := os.Rename(path, gone); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return func() error { return nil }, nil
		}
		return nil, fmt.Errorf("remove volume %q: %w", path, err)
	}
	return func() error { return os.RemoveAll(gone) }, nil
}
