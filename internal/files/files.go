// Package files reads and lists files that people and tools name, below a directory
// of which nothing leads them out, in the form of the endpoints below /files.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mezzo/internal/errs"
)

// MaxRead is the most that one Read returns (mesos files/files.cpp: 16 pages).
const MaxRead = 16 * 4096

// Place is something that a reader asks for.
type Place struct {
	Root    string // what nobody is led out of, on the host
	Rel     string // within it; "." for itself
	Virtual string // as the reader names it
}

// Log is the place of a daemon's own log, which need not have one.
func Log(file, virtual string) (Place, error) {
	if file == "" {
		return Place{}, fmt.Errorf("%q: the log is in no file that is known here (--log_dir, --external_log_file): %w", virtual, errs.NotFound)
	}
	return Place{Root: filepath.Dir(file), Rel: filepath.Base(file), Virtual: virtual}, nil
}

// Open opens the regular file at p.
//
// Errors: errs.NotFound; errs.Invalid if it is something else or leads out.
func Open(p Place) (*os.File, error) {
	f, err := open(p)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a regular file: %w", p.Virtual, errs.Invalid)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Identity tells an open file from all others that have or had its name: by its
// inode and, as those are used again, its birth where the file system knows that
// (statx(2)).
func Identity(f *os.File) (string, error) {
	var st unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		return "", fmt.Errorf("statx: %w", err)
	}
	return fmt.Sprintf("%x-%x.%x", st.Ino, st.Btime.Sec, st.Btime.Nsec), nil
}

// Read returns up to length bytes of the file at p from offset on, at most
// MaxRead, and the size of the file. A length below zero stands for all.
func Read(p Place, offset, length int64) (data []byte, size int64, err error) {
	f, err := Open(p)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("read %q: %w", p.Virtual, err)
	}
	size = st.Size()
	if length < 0 || length > MaxRead {
		length = MaxRead
	}
	length = min(length, max(0, size-offset))
	data = make([]byte, length)
	n, err := f.ReadAt(data, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("read %q: %w", p.Virtual, err)
	}
	return data[:n], size, nil
}

// Info is what is told of a file.
type Info struct {
	Path     string // as a reader names it
	Size     int64
	Modified time.Time
	Nlink    uint32
	Mode     uint32 // st_mode of inode(7)
	UID, GID string // names, or numbers where there are none
}

// List returns what is in the directory at p, by name.
func List(p Place) ([]Info, error) {
	d, err := open(p)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("%q is not a directory: %w", p.Virtual, errs.Invalid)
	}
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", p.Virtual, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	owners := make(owners)
	var infos []Info
	for _, e := range entries {
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return nil, fmt.Errorf("list %q: %w", p.Virtual, err)
		}
		infos = append(infos, owners.info(path.Join(p.Virtual, e.Name()), st))
	}
	return infos, nil
}

// open opens whatever is at p, without waiting for the other end of a fifo.
func open(p Place) (f *os.File, err error) {
	root, err := os.OpenRoot(p.Root)
	if err != nil {
		return nil, classify(p, err)
	}
	defer func() {
		if err = errors.Join(err, root.Close()); err != nil && f != nil {
			f.Close()
		}
	}()
	f, err = root.OpenFile(p.Rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, classify(p, err)
	}
	return f, nil
}

// classify tells what a reader did wrong from what went wrong here. What is no
// error of the system comes from os.Root: the path leads out.
func classify(p Place, err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%q: %w", p.Virtual, errs.NotFound)
	case !errors.As(err, &errno), errno == syscall.ELOOP, errno == syscall.ENAMETOOLONG, errno == syscall.ENXIO, errno == syscall.EINVAL:
		return fmt.Errorf("%q can't be read: %w: %w", p.Virtual, err, errs.Invalid)
	default:
		return fmt.Errorf("open %q: %w", p.Virtual, err)
	}
}

// owners remembers the names of users and groups, "u0" and "g0".
type owners map[string]string

func (o owners) info(path string, st fs.FileInfo) Info {
	i := Info{Path: path, Size: max(0, st.Size()), Modified: st.ModTime()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		i.Nlink, i.Mode = uint32(sys.Nlink), sys.Mode
		i.UID, i.GID = o.user(sys.Uid), o.group(sys.Gid)
	}
	return i
}

// user is the name of a user, or the number where there is none.
func (o owners) user(id uint32) string {
	return o.name("u", id, func(n string) (string, error) {
		u, err := user.LookupId(n)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
}

func (o owners) group(id uint32) string {
	return o.name("g", id, func(n string) (string, error) {
		g, err := user.LookupGroupId(n)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

func (o owners) name(kind string, id uint32, look func(string) (string, error)) string {
	n := strconv.FormatUint(uint64(id), 10)
	name, ok := o[kind+n]
	if !ok {
		var err error
		if name, err = look(n); err != nil {
			name = n
		}
		o[kind+n] = name
	}
	return name
}
