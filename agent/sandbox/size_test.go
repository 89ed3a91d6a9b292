package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSize(t *testing.T) {
	dir := t.TempDir()
	empty, err := Size(dir)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, n int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("a", 1<<20)
	write("sub/b", 2<<20)
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if got, err := Size(dir); err != nil || got-empty < 3<<20 || got-empty > 3<<20+64<<10 {
		t.Errorf("size %d of which %d for nothing, %v; want 3 MiB", got, empty, err)
	}
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer sparse.Close()
	if err := sparse.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	if got, err := Size(dir); err != nil || got > 4<<20 {
		t.Errorf("size %d with a file of holes, %v", got, err)
	}
	if got, err := Size(filepath.Join(dir, "none")); got != 0 || err != nil {
		t.Errorf("of none: %d, %v", got, err)
	}
}
