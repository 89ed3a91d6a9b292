package logger

import (
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// Command is the word after the program's name that makes it a logger.
const Command = "logger"

// Names of the files in a sandbox.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// What the shim gives to a logger: descriptors, and the container in its
// environment.
const (
	StdoutFD     = 3
	StderrFD     = 4
	readyFD      = 5
	containerEnv = "CONTAINER_ID"
)

// Bytes of a file on which a logger has a lock, for others to see: as long as it
// lives, and while it holds bytes that are not in the file.
const (
	Present = 0
	Busy    = 1
)

// OpenFlags open a file of a sandbox: whatever lies there by now, this neither
// follows it elsewhere nor waits for it.
const OpenFlags = os.O_WRONLY | os.O_APPEND | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func init() { Run() }

// Run makes this process a logger, and ends it, if the shim started it as one.
// It needs not be called: see the package's description.
func Run() {
	if len(os.Args) == 3 && os.Args[1] == Command && os.Getenv(containerEnv) != "" {
		os.Exit(run(os.Args[2]))
	}
}

// run copies until the container's ends of the pipes are closed.
func run(arg string) int {
	rotation, path := parseArgument(arg)
	dir, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		os.Stderr.WriteString("mezzo logger: open " + path + ": " + err.Error() + "\n")
		return 1
	}
	// The shim asks to end while bytes may still be in the pipes. They end by
	// themselves.
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		ignore(sig)
	}
	var wg sync.WaitGroup
	for _, s := range []struct {
		name string
		fd   int
	}{{Stdout, StdoutFD}, {Stderr, StderrFD}} {
		out, err := openRotating(dir, path, s.name, rotation.MaxBytes, rotation.Files-1)
		if err == nil {
			err = syscall.SetNonblock(s.fd, true)
		}
		if err != nil {
			os.Stderr.WriteString("mezzo logger: " + err.Error() + "\n")
			return 1
		}
		in := os.NewFile(uintptr(s.fd), s.name)
		wg.Go(func() { copyAll(out, in) })
	}
	// Containerd 1.6 waits for the end of this pipe, 2.4 may wait for a byte.
	ready := os.NewFile(readyFD, "ready")
	ready.Write([]byte{0})
	ready.Close()
	wg.Wait()
	return 0
}

// mark sets a lock that others look at but nobody needs: if it cannot be set,
// because something in the container holds it, so be it.
func mark(f *os.File, at int64, kind int16) {
	l := syscall.Flock_t{Type: kind, Start: at, Len: 1}
	syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &l)
}

// bufferBytes is what a pipe holds: one read empties it.
const bufferBytes = 64 << 10

// copyAll is busy from before it reads until what it read is written.
func copyAll(out *rotating, in *os.File) {
	pipe, err := in.SyscallConn()
	if err != nil {
		return
	}
	k := keeper{out: out}
	buf := make([]byte, bufferBytes)
	for open := true; open; {
		err := pipe.Read(func(fd uintptr) (done bool) {
			out.setBusy(true)
			defer out.setBusy(false)
			n, err := syscall.Read(int(fd), buf)
			switch {
			case err == syscall.EAGAIN:
				return false
			case err == syscall.EINTR:
			case n <= 0:
				k.close()
				open = false
			default:
				k.keep(buf[:n])
			}
			return true
		})
		open = open && err == nil
	}
}

// keeper writes what it can. The rest is dropped and counted, and the count is
// written as soon as there is room again.
type keeper struct {
	out     interface{ Write([]byte) (int, error) }
	dropped int
	cause   error
}

func (k *keeper) keep(p []byte) {
	k.note()
	if k.dropped == 0 {
		var n int
		n, k.cause = k.out.Write(p)
		p = p[n:]
	}
	k.dropped += len(p)
}

func (k *keeper) close() { k.note() }

// note tells what is missing at this place.
func (k *keeper) note() {
	if k.dropped == 0 {
		return
	}
	text := "\n[mezzo: " + decimal(k.dropped) + " bytes of output dropped: " + k.cause.Error() + "]\n"
	if n, err := k.out.Write([]byte(text)); err == nil || n > 0 {
		k.dropped = 0
	}
}

// ignore is what os/signal's Ignore does, without what that package imports.
func ignore(sig syscall.Signal) {
	const ignored = 1 // SIG_IGN
	action := [4]uintptr{ignored}
	const setBytes = 8 // of a set of signals
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, setBytes, 0, 0)
}

// decimal prints n, which is not negative, without package strconv.
func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + decimal(n%10)
}
