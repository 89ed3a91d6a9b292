package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mezzo/test/e2e/cluster"
)

// workplace is where things are: the checkout and, outside it, the cache.
type workplace struct {
	root  string // of the checkout
	cache string // images and, in them, templates
	id    string // of the checkout, in names of namespaces and machines
	state string // of this checkout's nodes, one directory each
	start time.Time
}

func openWorkplace() (*workplace, error) {
	root, err := cluster.Root()
	if err != nil {
		return nil, err
	}
	cache := os.Getenv("MEZZO_VM_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("%w; set MEZZO_VM_CACHE", err)
		}
		cache = filepath.Join(user, "mezzo", "vm")
	}
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(root)))[:8]
	w := &workplace{root: root, cache: cache, id: id, state: filepath.Join(cache, "run-"+id), start: time.Now()}
	// The longest socket address the kernel takes has 107 bytes.
	if longest := filepath.Join(w.state, "n100", "serial"); len(longest) > 107 {
		return nil, fmt.Errorf("path %s is too long for a socket; set MEZZO_VM_CACHE to a shorter one", longest)
	}
	return w, nil
}

// log says how far a slow step has come.
func (w *workplace) log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "vm: %6.1fs %s\n", time.Since(w.start).Seconds(), fmt.Sprintf(format, args...))
}

// lock keeps other runs out until unlock is called.
func (w *workplace) lock(ctx context.Context, path string) (unlock func(), err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("needs root, for network namespaces and the image; without it use Vagrant")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	waits := false
	err = poll(ctx, time.Hour, func() error {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil && !waits {
			waits = true
			w.log("waiting for another run")
		}
		return err
	})
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// image is a directory that build-image.sh made.
type image struct{ dir string }

func (i image) disk() string   { return filepath.Join(i.dir, "disk.raw") }
func (i image) kernel() string { return filepath.Join(i.dir, "vmlinuz") }
func (i image) initrd() string { return filepath.Join(i.dir, "initrd") }
func (i image) key() string    { return filepath.Join(i.dir, "key") }

// image builds the image unless it is there.
func (w *workplace) image(ctx context.Context) (image, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(w.root, "test/e2e/vm/build-image.sh"))
	cmd.Env = append(os.Environ(), "MEZZO_VM_CACHE="+w.cache)
	cmd.Stderr = os.Stderr
	// Ended as a whole: the shell alone would wait for what it runs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	out, err := cmd.Output()
	if err != nil {
		return image{}, fmt.Errorf("build image: %w", err)
	}
	return image{strings.TrimSpace(string(out))}, nil
}

// command runs a short host command that must succeed.
func command(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
