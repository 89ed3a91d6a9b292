package logger

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// This test binary is a logger too: the package's init sees to that.

// TestProcess runs a logger as the shim does.
func TestProcess(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{Stdout, Stderr} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("before\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := startLogger(t, dir)
	for range 100 {
		io.WriteString(l.stdout, strings.Repeat("o", 10_000))
		io.WriteString(l.stderr, strings.Repeat("e", 1_000))
	}
	// The shim asks it to end at once; what is in the pipes is kept all the same.
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	io.WriteString(l.stdout, "last")
	l.stdout.Close()
	l.stderr.Close()
	if err := l.cmd.Wait(); err != nil {
		t.Error(err)
	}
	want := map[string]string{
		Stdout: "before\n" + strings.Repeat("o", 1_000_000) + "last",
		Stderr: "before\n" + strings.Repeat("e", 100_000),
	}
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != text {
			t.Errorf("%s has %d bytes, %v; want %d", name, len(got), err, len(text))
		}
	}
}

type process struct {
	cmd            *exec.Cmd
	stdout, stderr *os.File
}

func startLogger(t *testing.T, dir string) process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW := pipe(t)
	errR, errW := pipe(t)
	readyR, readyW := pipe(t)
	cmd := exec.Command(self, Command, dir)
	cmd.Env = []string{containerEnv + "=c1"}
	cmd.ExtraFiles = []*os.File{outR, errR, readyW}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range cmd.ExtraFiles {
		f.Close()
	}
	if b, err := io.ReadAll(readyR); err != nil || len(b) != 1 {
		t.Fatalf("ready: %q, %v", b, err)
	}
	return process{cmd, outW, errW}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// TestNoFollow: a link in the place of a file ends the logger before it is
// ready, and leaves what the link leads to alone.
func TestNoFollow(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := errors.Join(os.WriteFile(other, nil, 0o600), os.Symlink(other, filepath.Join(dir, Stdout))); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, Command, dir)
	cmd.Env = []string{containerEnv + "=c1"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), Stdout) {
		t.Errorf("got %v, %q", err, out)
	}
}

// full takes some bytes and then none, until there is room again.
type full struct {
	bytes.Buffer
	room int
}

func (f *full) Write(p []byte) (int, error) {
	if n := min(len(p), f.room); n < len(p) {
		f.room = 0
		f.Buffer.Write(p[:n])
		return n, syscall.ENOSPC
	}
	f.room -= len(p)
	return f.Buffer.Write(p)
}

func TestKeeper(t *testing.T) {
	out := &full{room: 6}
	k := keeper{out: out}
	k.keep([]byte("1234"))
	k.keep([]byte("5678"))
	k.keep([]byte("9"))
	out.room = 1000
	k.keep([]byte("abc"))
	k.close()
	want := "123456\n[mezzo: 3 bytes of output dropped: no space left on device]\nabc"
	if got := out.String(); got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	out.Reset()
	out.room = 0
	k.keep([]byte("lost"))
	out.room = 1000
	k.close()
	if got := out.String(); got != "\n[mezzo: 4 bytes of output dropped: no space left on device]\n" {
		t.Errorf("at the end: got %q", got)
	}
}

func TestDecimal(t *testing.T) {
	for n, want := range map[int]string{0: "0", 9: "9", 10: "10", 1234567890: "1234567890"} {
		if got := decimal(n); got != want {
			t.Errorf("decimal(%d) = %q", n, got)
		}
	}
}
