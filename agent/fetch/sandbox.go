package fetch

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"mezzo/internal/errs"
)

// Modes of what is fetched. An archive's own members keep theirs.
const (
	dirMode  = 0o755
	fileMode = 0o644
	execMode = 0o755
)

// sandbox is a task's directory, and whom things in it belong to.
type sandbox struct {
	root     *os.Root
	uid, gid int
}

// deliver puts what fill writes where u lands, once it is complete, and returns
// it from its beginning.
func (s sandbox) deliver(u uri, fill func(io.Writer) error) (_ *os.File, err error) {
	if _, err := s.mkdirAll(path.Dir(u.lands)); err != nil {
		return nil, err
	}
	temp := ".fetching-" + rand.Text()
	file, err := s.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreGone(s.root.Remove(temp)), file.Close())
		}
	}()
	if err := fill(file); err != nil {
		return nil, err
	}
	mode := fs.FileMode(fileMode)
	if u.executable {
		mode = execMode
	}
	if err := errors.Join(file.Chown(s.uid, s.gid), file.Chmod(mode)); err != nil {
		return nil, err
	}
	if err := s.root.Rename(temp, u.lands); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return file, nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// mkdirAll makes dir and what leads to it, and returns how many that were.
func (s sandbox) mkdirAll(dir string) (made int, err error) {
	if st, err := s.root.Stat(dir); err == nil && st.IsDir() {
		return 0, nil
	}
	at := ""
	for part := range strings.SplitSeq(dir, "/") {
		at = path.Join(at, part)
		switch err := s.root.Mkdir(at, dirMode); {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil:
			return made, err
		}
		made++
		if err := errors.Join(s.root.Lchown(at, s.uid, s.gid), s.root.Chmod(at, dirMode)); err != nil {
			return made, err
		}
	}
	return made, nil
}

// vacate makes room at name for something new: what is there may be a link, or
// have other names. A directory stays.
func (s sandbox) vacate(name string) error {
	switch st, err := s.root.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.IsDir():
		return fmt.Errorf("%q is a directory already: %w", name, errs.Invalid)
	}
	return ignoreGone(s.root.Remove(name))
}
