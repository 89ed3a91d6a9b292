package logger

import (
	"os"
	"syscall"
	"unsafe"
)

// rotating is a file of a sandbox that is begun anew when it is full. What it
// was is kept beside it under its name with .1, and so on, the oldest with the
// highest number. All of it goes on below the sandbox's descriptor and follows no
// link: the names there are the task's to change, and then so is the loss.
type rotating struct {
	dir      int // descriptor of the sandbox
	name     string
	f        *os.File
	size     int64
	maxBytes int64 // 0: never
	keep     int   // files beside the one that is written
	busy     bool
}

// openRotating opens the file, which is there already.
func openRotating(dir int, path, name string, maxBytes int64, keep int) (*rotating, error) {
	f, err := os.OpenFile(path+"/"+name, OpenFlags, 0)
	if err != nil {
		return nil, err
	}
	r := &rotating{dir: dir, name: name, f: f, maxBytes: maxBytes, keep: keep}
	if info, err := f.Stat(); err == nil {
		r.size = info.Size()
	}
	mark(f, Present, syscall.F_WRLCK)
	return r, nil
}

// setBusy tells others whether there are bytes that are not in the file yet.
func (r *rotating) setBusy(busy bool) {
	if r.busy = busy; busy {
		mark(r.f, Busy, syscall.F_WRLCK)
	} else {
		mark(r.f, Busy, syscall.F_UNLCK)
	}
}

func (r *rotating) Write(p []byte) (int, error) {
	if r.maxBytes > 0 && r.size > 0 && r.size+int64(len(p)) > r.maxBytes {
		r.rotate()
	}
	n, err := r.f.Write(p)
	r.size += int64(max(n, 0))
	return n, err
}

// rotate begins a new file. If it can't, the old one grows on until it is time
// to try again.
func (r *rotating) rotate() {
	r.size = 0
	fresh, err := r.create()
	if err != nil {
		return
	}
	temp := r.temp()
	for i := r.keep - 1; i >= 1; i-- {
		syscall.Renameat(r.dir, r.numbered(i), r.dir, r.numbered(i+1)) // it may not be there
	}
	// At no moment is there no file of that name.
	if exchange(r.dir, temp, r.name) != nil {
		if err := syscall.Renameat(r.dir, temp, r.dir, r.name); err != nil {
			fresh.Close()
			syscall.Unlinkat(r.dir, temp)
			return
		}
	} else if r.keep == 0 || syscall.Renameat(r.dir, temp, r.dir, r.numbered(1)) != nil {
		syscall.Unlinkat(r.dir, temp)
	}
	r.f.Close()
	r.f = fresh
}

// create makes the next file, for the same owner, under another name.
func (r *rotating) create() (*os.File, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(r.f.Fd()), &st); err != nil {
		return nil, err
	}
	syscall.Unlinkat(r.dir, r.temp()) // of a logger that was killed
	fd, err := syscall.Openat(r.dir, r.temp(), OpenFlags|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), r.name)
	if err := syscall.Fchown(fd, int(st.Uid), int(st.Gid)); err != nil {
		f.Close()
		return nil, err
	}
	syscall.Fchmod(fd, st.Mode&0o777) // it is ours
	mark(f, Present, syscall.F_WRLCK)
	if r.busy {
		mark(f, Busy, syscall.F_WRLCK)
	}
	return f, nil
}

func (r *rotating) temp() string { return "." + r.name + ".next" }

func (r *rotating) numbered(i int) string { return r.name + "." + decimal(i) }

// exchange swaps two names (renameat2(2), RENAME_EXCHANGE).
func exchange(dir int, a, b string) error {
	const renameExchange = 2
	pa, err := syscall.BytePtrFromString(a)
	if err != nil {
		return err
	}
	pb, err := syscall.BytePtrFromString(b)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall6(sysRenameat2, uintptr(dir), uintptr(unsafe.Pointer(pa)), uintptr(dir), uintptr(unsafe.Pointer(pb)), renameExchange, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Rotation is how large files may grow and how many are kept of each, the one
// that is written included.
type Rotation struct {
	MaxBytes int64 // 0: they grow for ever
	Files    int
}

// Argument is the word after Command: the sandbox, and how its files are rotated.
func Argument(r Rotation, sandbox string) string {
	if r.MaxBytes <= 0 {
		return sandbox
	}
	return decimal64(r.MaxBytes) + ":" + decimal(max(1, r.Files)) + ":" + sandbox
}

// parseArgument is the inverse of Argument.
func parseArgument(arg string) (r Rotation, sandbox string) {
	var numbers [2]int64
	rest := arg
	for i := range numbers {
		j := 0
		for j < len(rest) && rest[j] >= '0' && rest[j] <= '9' && j < 18 {
			numbers[i] = numbers[i]*10 + int64(rest[j]-'0')
			j++
		}
		if j == 0 || j == len(rest) || rest[j] != ':' {
			return Rotation{}, arg
		}
		rest = rest[j+1:]
	}
	return Rotation{numbers[0], int(numbers[1])}, rest
}

func decimal64(n int64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal64(n/10) + string(rune('0'+n%10))
}
