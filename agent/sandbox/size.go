package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Size is what the files below a directory take of the disk, in bytes: their
// blocks, of a file with several names once. What a task removes meanwhile is
// not counted, links are not followed, and of a directory that cannot be read it
// is the directory itself.
func Size(root string) (bytes int64, err error) {
	type file struct{ dev, ino uint64 }
	seen := make(map[file]bool)
	err = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return gone(err)
		}
		info, err := d.Info()
		if err != nil {
			return gone(err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		if st.Nlink > 1 && !d.IsDir() {
			id := file{uint64(st.Dev), st.Ino}
			if seen[id] {
				return nil
			}
			seen[id] = true
		}
		bytes += st.Blocks * 512 // stat(2): whatever the block size is
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measure sandbox: %w", err)
	}
	return bytes, nil
}

// gone is err unless it is about something that a task may do to its files.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
