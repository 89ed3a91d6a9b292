package logger

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestArgument(t *testing.T) {
	for _, row := range []struct {
		r   Rotation
		dir string
	}{{Rotation{}, "/a"}, {Rotation{16 << 20, 4}, "/a/b:c"}, {Rotation{1, 1}, "/1:2:3"}} {
		r, dir := parseArgument(Argument(row.r, row.dir))
		if r != row.r || dir != row.dir {
			t.Errorf("%+v became %+v, %q", row, r, dir)
		}
	}
	for _, arg := range []string{"/a", "1:/a", "x:1:/a", "", "1", "1:2"} {
		if r, dir := parseArgument(arg); r != (Rotation{}) || dir != arg {
			t.Errorf("%q is %+v, %q", arg, r, dir)
		}
	}
}

// TestRotation: a real logger keeps the newest of what it gets, in order, in
// files that are no larger than they may be; what the task puts in the way is not
// followed.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{Stdout, Stderr} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(outside, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, ".stdout.next")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "stdout.1")); err != nil {
		t.Fatal(err)
	}
	const most = 100_000
	l := startLogger(t, Argument(Rotation{most, 3}, dir))
	var all strings.Builder
	for i := range 30_000 {
		line := fmt.Sprintf("line %d\n", i)
		all.WriteString(line)
		io.WriteString(l.stdout, line)
	}
	io.WriteString(l.stderr, "an error\n")
	l.stdout.Close()
	l.stderr.Close()
	if err := l.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	kept := ""
	for _, name := range []string{"stdout.2", "stdout.1", "stdout"} {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > most || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kept += string(b)
	}
	if !strings.HasSuffix(all.String(), kept) || len(kept) <= 2*most-bufferBytes {
		t.Errorf("kept %d bytes that are not the end of all", len(kept))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("there are %v, %v", entries, err)
	}
	if b, err := os.ReadFile(outside); err != nil || string(b) != "kept" {
		t.Errorf("outside: %q, %v", b, err)
	}
}
