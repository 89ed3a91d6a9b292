package checkpoint

// Goal: what was committed is read again, all or nothing; damage is an error and
// never more. Method: a naive map beside the store, copies of the file taken at
// any moment, and files with bytes changed anywhere.

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mezzo/internal/errs"
)

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // it may be closed
	load(t, s)
	return s
}

func load(t testing.TB, s *Store) map[string][]byte {
	t.Helper()
	all, problems, err := s.Load()
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return all
}

func TestCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := mustOpen(t, path)
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string][]byte{}
	for range 60 {
		var changes []Change
		for range 1 + rng.IntN(5) {
			c := Change{Key: fmt.Sprint("k", rng.IntN(30))}
			if rng.IntN(3) > 0 {
				c.Value = bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(3000))
			}
			changes = append(changes, c)
			if delete(want, c.Key); c.Value != nil {
				want[c.Key] = c.Value
			}
		}
		if err := s.Commit(changes); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(5) == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, path)
		}
		if got := load(t, s); !maps.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("got %d records, want %d", len(got), len(want))
		}
	}
}

// TestImages: the file as it is between commits, as a process finds it that
// comes after one which was killed.
func TestImages(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	s := mustOpen(t, path)
	for i := range 20 {
		if err := s.Commit([]Change{{"a", fmt.Append(nil, i)}, {"b", fmt.Append(nil, i)}}); err != nil {
			t.Fatal(err)
		}
		image, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, fmt.Sprint("copy", i))
		if err := os.WriteFile(copied, image, 0o600); err != nil {
			t.Fatal(err)
		}
		got := load(t, mustOpen(t, copied))
		if want := fmt.Sprint(i); string(got["a"]) != want || string(got["b"]) != want {
			t.Fatalf("after commit %d: %q", i, got)
		}
	}
}

func TestDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	s := mustOpen(t, path)
	for i := range 200 {
		if err := s.Commit([]Change{{fmt.Sprintf("key %03d", i), bytes.Repeat([]byte("value"), i)}}); err != nil {
			t.Fatal(err)
		}
	}
	want := load(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	outcomes := map[string]int{}
	for i := range 400 {
		// A file that made bbolt panic while it was opened stays locked.
		path := filepath.Join(dir, fmt.Sprint("damaged", i))
		damaged := slices.Clone(sound)
		switch rng.IntN(3) {
		case 0: // a few bytes
			for range 1 + rng.IntN(4) {
				damaged[rng.IntN(len(damaged))] ^= byte(1 + rng.IntN(255))
			}
		case 1: // a stretch
			from := rng.IntN(len(damaged))
			for i := range damaged[from:min(len(damaged), from+rng.IntN(9000))] {
				damaged[from+i] = byte(rng.Uint32())
			}
		case 2: // the end is missing
			damaged = damaged[:rng.IntN(len(damaged))]
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		outcomes[damage(t, path, want)]++
	}
	t.Log(outcomes)
	if outcomes["problems"] == 0 || outcomes["error"] == 0 {
		t.Errorf("damage was never seen: %v", outcomes)
	}
}

func damage(t *testing.T, path string, want map[string][]byte) string {
	s, err := Open(path)
	if err != nil {
		return "error"
	}
	defer s.Close()
	got, problems, err := s.Load()
	if err != nil {
		return "error"
	}
	for k, v := range got {
		if !bytes.Equal(want[k], v) {
			t.Fatalf("record %q was read as what it never was", k)
		}
	}
	if len(problems) > 0 {
		return "problems"
	}
	if len(got) != len(want) {
		t.Fatalf("%d of %d records are missing without a word", len(want)-len(got), len(want))
	}
	return "fine"
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	if err := os.WriteFile(path, []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, errs.Corrupt) {
		t.Errorf("a text: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none", "db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

func BenchmarkCommit(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "db"))
	value := bytes.Repeat([]byte("x"), 600)
	for i := 0; b.Loop(); i++ {
		if err := s.Commit([]Change{{fmt.Sprint("life/", i%500), value}}); err != nil {
			b.Fatal(err)
		}
	}
}
