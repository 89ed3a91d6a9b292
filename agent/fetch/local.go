package fetch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"mezzo/internal/errs"
)

// local opens a file of this machine.
func (f *Fetcher) local(j Job, u uri) (stream, error) {
	path := u.path
	if u.kind == relative {
		path = filepath.Join(f.cfg.FrameworksHome, path)
	}
	file, err := openAs(j, path)
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path is in the URI
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stream{}, fmt.Errorf("%w: %w", err, errs.NotFound)
	case errors.Is(err, fs.ErrPermission):
		return stream{}, fmt.Errorf("user %s may not read it: %w", owner(j), errs.Invalid)
	case err != nil:
		return stream{}, err
	}
	st, err := regular(file)
	if err != nil {
		return stream{}, errors.Join(err, file.Close())
	}
	return stream{file, st.Size()}, nil
}

// regular refuses what has no end, or is not content.
func regular(file *os.File) (fs.FileInfo, error) {
	st, err := file.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = invalid("it is no regular file")
	}
	return st, err
}

// owner is j's user for people.
func owner(j Job) string {
	if j.User != "" {
		return j.User
	}
	return strconv.Itoa(int(j.UID))
}

// openFlags never wait for whoever holds the other end of a pipe.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// openAs opens path if j's user may: the agent can read more than its tasks.
func openAs(j Job, path string) (*os.File, error) {
	if os.Geteuid() != 0 || j.UID == 0 {
		return os.OpenFile(path, openFlags, 0)
	}
	type opened struct {
		file *os.File
		err  error
	}
	c := make(chan opened, 1)
	go func() {
		// Never unlocked: the thread, which is now the user's, ends with this
		// goroutine.
		runtime.LockOSThread()
		if err := becomeForFiles(j); err != nil {
			c <- opened{nil, err}
			return
		}
		file, err := os.OpenFile(path, openFlags, 0)
		c <- opened{file, err}
	}()
	o := <-c
	return o.file, o.err
}

// becomeForFiles leaves this thread, and no other of the process, the rights to
// files that j's user has. With the uid for files, the kernel takes the
// capabilities that overrule them.
func becomeForFiles(j Job) error {
	groups := groupsOf(j)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))), 0); errno != 0 {
		return fmt.Errorf("become user %s: %w", owner(j), errno)
	}
	// They return what was before, and have no other way to fail.
	_, _ = unix.SetfsgidRetGid(int(j.GID))
	_, _ = unix.SetfsuidRetUid(int(j.UID))
	gid, _ := unix.SetfsgidRetGid(-1)
	uid, _ := unix.SetfsuidRetUid(-1)
	if uint32(gid) != j.GID || uint32(uid) != j.UID {
		return fmt.Errorf("become user %s: %w", owner(j), unix.EPERM)
	}
	return nil
}

// groupsOf is what groups j's user is in, as this machine knows it.
func groupsOf(j Job) []uint32 {
	groups := []uint32{j.GID}
	if j.User == "" {
		return groups
	}
	u, err := user.Lookup(j.User)
	if err != nil || u.Uid != strconv.Itoa(int(j.UID)) {
		return groups
	}
	ids, _ := u.GroupIds() // of a user whom the machine knows by half, less
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			groups = append(groups, uint32(n))
		}
	}
	return groups
}
