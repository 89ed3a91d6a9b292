package projquota

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"mezzo/internal/errs"
)

// Range is the ids that are ours to give, both ends included.
type Range struct{ First, Last uint32 }

// DefaultRange is that of Mesos (--xfs_project_range).
var DefaultRange = Range{5000, 10000}

// Projects are those of one file system.
//
// Concurrency: safe.
type Projects struct {
	root string
	ids  Range

	giving sync.Mutex // held while an id is looked for
	next   uint32
}

// Of Linux uapi: fs.h, quota.h, dqblk_xfs.h.
const (
	fsGetXattr      = 0x801c581f // FS_IOC_FSGETXATTR
	fsSetXattr      = 0x401c5820 // FS_IOC_FSSETXATTR
	projectInherits = 0x200      // FS_XFLAG_PROJINHERIT

	projects = 2 // PRJQUOTA
	getQuota = 0x800007
	setQuota = 0x800008

	spaceLimits = 1    // QIF_BLIMITS
	blockBytes  = 1024 // QIF_DQBLKSIZE
)

type fsxattr struct {
	xflags, extsize, nextents, projid, cowextsize uint32
	_                                             [8]byte
}

// dqblk is struct if_dqblk: limits in blocks, use in bytes.
type dqblk struct {
	hard, soft, spaceBytes       uint64
	inodesHard, inodesSoft, used uint64
	spaceTime, inodesTime        uint64
	valid                        uint32
	_                            uint32
}

// Open finds out whether the file system of a directory has project quotas on.
//
// Errors: errs.Unsupported if not; errs.Invalid.
func Open(root string, ids Range) (*Projects, error) {
	if ids.First == 0 || ids.Last < ids.First {
		return nil, fmt.Errorf("project ids %d to %d: want a range from 1 on: %w", ids.First, ids.Last, errs.Invalid)
	}
	p := &Projects{root: root, ids: ids, next: ids.First}
	if _, err := p.get(ids.First); err != nil {
		return nil, fmt.Errorf("project quotas of %q: %w: %w", root, err, errs.Unsupported)
	}
	return p, nil
}

// Limit holds a directory, which others must not be able to replace, to so many
// bytes: what is in it and what will be. Repeatable.
//
// Errors: errs.Exhausted if all ids are taken.
func (p *Projects) Limit(dir string, bytes int64) error {
	if bytes <= 0 {
		return fmt.Errorf("limit %q to %d bytes of disk: %w", dir, bytes, errs.Invalid)
	}
	id, err := p.own(dir)
	if err == nil {
		err = p.set(id, uint64(bytes))
	}
	if err != nil {
		return fmt.Errorf("limit the disk of %q: %w", dir, err)
	}
	return nil
}

// own is the directory's id; it gets one if it has none of ours.
func (p *Projects) own(dir string) (uint32, error) {
	id, err := project(dir)
	if err != nil || p.ids.First <= id && id <= p.ids.Last {
		return id, err
	}
	p.giving.Lock()
	defer p.giving.Unlock()
	for range p.ids.Last - p.ids.First + 1 {
		id, p.next = p.next, p.next+1
		if p.next > p.ids.Last {
			p.next = p.ids.First
		}
		q, err := p.get(id)
		if err != nil {
			return 0, err
		}
		if q.used > 0 || q.spaceBytes > 0 {
			continue
		}
		return id, assign(dir, id)
	}
	return 0, fmt.Errorf("all project ids from %d to %d are taken: %w", p.ids.First, p.ids.Last, errs.Exhausted)
}

// assign gives a directory, and what it has in it, an id. The directory is last: a
// try that was cut short is made again.
func assign(dir string, id uint32) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch at := filepath.Join(dir, e.Name()); {
		case e.IsDir():
			err = assign(at, id)
		case e.Type().IsRegular():
			err = setProject(at, id, 0)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return setProject(dir, id, projectInherits)
}

func setProject(path string, id, flags uint32) error {
	return withAttributes(path, func(fd uintptr, x *fsxattr) error {
		x.projid, x.xflags = id, x.xflags|flags
		return ioctl(fd, fsSetXattr, x)
	})
}

func project(path string) (id uint32, err error) {
	err = withAttributes(path, func(_ uintptr, x *fsxattr) error {
		id = x.projid
		return nil
	})
	return id, err
}

// withAttributes opens a path, which is no link, and reads what it has.
func withAttributes(path string, do func(fd uintptr, x *fsxattr) error) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var x fsxattr
	if err := ioctl(f.Fd(), fsGetXattr, &x); err != nil {
		return &os.PathError{Op: "project of", Path: path, Err: err}
	}
	if err := do(f.Fd(), &x); err != nil {
		return &os.PathError{Op: "set project of", Path: path, Err: err}
	}
	return nil
}

func ioctl(fd uintptr, request uint, x *fsxattr) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(unsafe.Pointer(x))); e != 0 {
		return e
	}
	return nil
}

// get reads an id's quota; one that never was used has an empty one.
func (p *Projects) get(id uint32) (q dqblk, err error) {
	if err = p.quotactl(getQuota, id, &q); errors.Is(err, unix.ENOENT) {
		return dqblk{}, nil
	}
	return q, err
}

func (p *Projects) set(id uint32, bytes uint64) error {
	blocks := (bytes + blockBytes - 1) / blockBytes
	return p.quotactl(setQuota, id, &dqblk{hard: blocks, soft: blocks, valid: spaceLimits})
}

func (p *Projects) quotactl(command, id uint32, q *dqblk) error {
	f, err := os.Open(p.root)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, _, e := unix.Syscall6(unix.SYS_QUOTACTL_FD, f.Fd(), uintptr(command<<8|projects), uintptr(id), uintptr(unsafe.Pointer(q)), 0, 0); e != 0 {
		return os.NewSyscallError("quotactl_fd", e)
	}
	return nil
}
