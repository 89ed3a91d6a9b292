package files

// Goal: nothing that a reader asks for leads out, whatever lies there. Method: real
// directories, with what a hostile task might leave in them.

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mezzo/internal/errs"
)

// hostile fills a sandbox with what a task might leave to be read.
func hostile(t *testing.T) (root, secret string) {
	t.Helper()
	root, outside := t.TempDir(), t.TempDir()
	secret = filepath.Join(outside, "secret")
	for _, err := range []error{
		os.WriteFile(secret, []byte("secret"), 0o644),
		os.WriteFile(filepath.Join(root, "stdout"), []byte("0123456789"), 0o644),
		os.Mkdir(filepath.Join(root, "dir"), 0o755),
		os.WriteFile(filepath.Join(root, "dir", "f"), nil, 0o600),
		os.Symlink("stdout", filepath.Join(root, "inside")),
		os.Symlink(secret, filepath.Join(root, "absolute")),
		os.Symlink("../"+filepath.Base(outside)+"/secret", filepath.Join(root, "relative")),
		os.Symlink(outside, filepath.Join(root, "away")),
		os.Symlink("loop", filepath.Join(root, "loop")),
		syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return root, secret
}

func TestRead(t *testing.T) {
	root, _ := hostile(t)
	big := strings.Repeat("x", MaxRead+10)
	if err := os.WriteFile(filepath.Join(root, "big"), []byte(big), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		rel            string
		offset, length int64
		want           string
		size           int64
	}{
		{"stdout", 0, -1, "0123456789", 10},
		{"stdout", 3, 4, "3456", 10},
		{"stdout", 8, 100, "89", 10},
		{"stdout", 10, -1, "", 10},
		{"stdout", 1 << 40, 5, "", 10},
		{"stdout", 0, 0, "", 10},
		{"inside", 0, 1, "0", 10},
		{"dir/f", 0, -1, "", 0},
		{"big", 0, -1, big[:MaxRead], MaxRead + 10},
		{"big", 5, 1 << 40, big[:MaxRead], MaxRead + 10},
		{"big", 20, -1, big[:MaxRead-10], MaxRead + 10},
	} {
		data, size, err := Read(Place{Root: root, Rel: tc.rel, Virtual: tc.rel}, tc.offset, tc.length)
		if string(data) != tc.want || size != tc.size || err != nil {
			t.Errorf("%s from %d, %d bytes: got %d bytes of %d, %v", tc.rel, tc.offset, tc.length, len(data), size, err)
		}
	}
}

func TestNothingLeadsOut(t *testing.T) {
	root, secret := hostile(t)
	for _, tc := range []struct {
		rel   string
		class error
	}{
		{"absolute", errs.Invalid},
		{"relative", errs.Invalid},
		{"away/secret", errs.Invalid},
		{"../" + filepath.Base(filepath.Dir(secret)) + "/secret", errs.Invalid},
		{secret, errs.Invalid},
		{"loop", errs.Invalid},
		{"fifo", errs.Invalid},
		{"dir", errs.Invalid},
		{".", errs.Invalid},
		{"none", errs.NotFound},
		{"stdout/x", errs.NotFound},
		{strings.Repeat("x", 300), errs.Invalid},
		{"a\x00b", errs.Invalid},
	} {
		data, _, err := Read(Place{Root: root, Rel: tc.rel, Virtual: tc.rel}, 0, -1)
		if !errors.Is(err, tc.class) || len(data) > 0 {
			t.Errorf("%q: read %q, %v, want class %v", tc.rel, data, err, tc.class)
		}
	}
	if _, err := List(Place{Root: root, Rel: "away", Virtual: "v"}); !errors.Is(err, errs.Invalid) {
		t.Errorf("listed a directory outside: %v", err)
	}
	if _, _, err := Read(Place{Root: root + "/gone", Rel: "x", Virtual: "v"}, 0, -1); !errors.Is(err, errs.NotFound) {
		t.Errorf("read without a sandbox: %v", err)
	}
}

func TestList(t *testing.T) {
	root, _ := hostile(t)
	infos, err := List(Place{Root: root, Rel: ".", Virtual: "/v"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range infos {
		names = append(names, strings.TrimPrefix(i.Path, "/v/"))
		if i.Path == "/v/stdout" && (i.Size != 10 || i.Mode != syscall.S_IFREG|0o644 || i.Nlink != 1 || i.UID == "") {
			t.Errorf("stdout is %v", i)
		}
	}
	if got := strings.Join(names, " "); got != "absolute away dir fifo inside loop relative stdout" {
		t.Errorf("listed %q", got)
	}
	if _, err := List(Place{Root: root, Rel: "stdout", Virtual: "/v/stdout"}); !errors.Is(err, errs.Invalid) {
		t.Errorf("listed a file: %v", err)
	}
	if _, err := List(Place{Root: root, Rel: "none", Virtual: "/v/none"}); !errors.Is(err, errs.NotFound) {
		t.Errorf("listed nothing: %v", err)
	}
}

// FuzzPlace: no path reads the secret beside the sandbox, and no error is
// anything but the reader's own.
func FuzzPlace(f *testing.F) {
	for _, p := range []string{"stdout", "..", "away/secret", "absolute", "relative", "dir/../../x", "/", "", "a\x00", "fifo", "loop/x"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, rel string) {
		root, _ := hostile(t)
		p := Place{Root: root, Rel: rel, Virtual: rel}
		data, _, err := Read(p, 0, -1)
		if strings.Contains(string(data), "secret") {
			t.Fatalf("%q leads out", rel)
		}
		if err != nil && !errors.Is(err, errs.Invalid) && !errors.Is(err, errs.NotFound) {
			t.Fatalf("%q: %v", rel, err)
		}
		if _, err := List(p); err != nil && !errors.Is(err, errs.Invalid) && !errors.Is(err, errs.NotFound) {
			t.Fatalf("list %q: %v", rel, err)
		}
	})
}
