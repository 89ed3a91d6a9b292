package sandbox

// Goal: sandboxes are where tools look for them, and nothing a task or a reader
// does leads out of one. Method: real directories, with what a hostile task
// might leave in them.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mezzo/api/ids"
	"mezzo/internal/errs"
)

var run = Run{Agent: "a1", Framework: "f1", Executor: "t1", Container: "c1"}

func TestMake(t *testing.T) {
	work := t.TempDir()
	got, err := Make(work, run, []string{"data/x", "logs"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := work + "/slaves/a1/frameworks/f1/executors/t1/runs/c1"; got != want || got != run.Path(work) {
		t.Errorf("sandbox %q, want %q", got, want)
	}
	for _, d := range []string{"data/x", "logs"} {
		if st, err := os.Stat(filepath.Join(got, d)); err != nil || !st.IsDir() {
			t.Errorf("%s: %v", d, err)
		}
	}
	// Others get through to their own, and see nothing.
	for dir, want := range map[string]fs.FileMode{got: 0o750, filepath.Dir(got): 0o711, work + "/slaves": 0o711} {
		if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", dir, st.Mode(), err, want)
		}
	}
	second := run
	second.Container = "c2"
	for range 2 { // repeatable
		if _, err := Make(work, second, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if to, err := os.Readlink(filepath.Join(filepath.Dir(got), latest)); err != nil || to != "c2" {
		t.Errorf("latest leads to %q, %v", to, err)
	}
}

func TestMakeRefusesIdsThatLeadOut(t *testing.T) {
	work := t.TempDir()
	for _, bad := range []string{"", ".", "..", "../x", "a/b", "a\x00"} {
		for name, r := range map[string]Run{
			"agent":     {ids.AgentID(bad), "f", "e", "c", ""},
			"framework": {"a", ids.FrameworkID(bad), "e", "c", ""},
			"executor":  {"a", "f", ids.ExecutorID(bad), "c", ""},
			"container": {"a", "f", "e", ids.ContainerID(bad), ""},
		} {
			if _, err := Make(work, r, nil, nil); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %q: %v", name, bad, err)
			}
		}
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("made %v, %v", left, err)
	}
}

// TestMakeNamesWhatIsWrong: an unwritable work_dir and a full disk come to the
// framework as the error says it.
func TestMakeNamesWhatIsWrong(t *testing.T) {
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "slaves"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Make(work, run, nil, nil)
	if err == nil || !strings.Contains(err.Error(), run.Path(work)) {
		t.Errorf("error %v names no path", err)
	}
	if _, err := Make(filepath.Join(work, "gone"), run, nil, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a work_dir: %v", err)
	}
}

// TestMakeFollowsNoLinkOut: a task of an earlier run, which can write to its
// own sandbox only, is no way out; neither is a link planted above.
func TestMakeFollowsNoLinkOut(t *testing.T) {
	work, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(work, "slaves")); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(work, run, nil, nil); err == nil {
		t.Error("made a sandbox outside")
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("made %v, %v outside", left, err)
	}
}

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
		names = append(names, strings.TrimPrefix(i.GetPath(), "/v/"))
		if i.GetPath() == "/v/stdout" && (i.GetSize() != 10 || i.GetMode() != syscall.S_IFREG|0o644 || i.GetNlink() != 1 || i.GetUid() == "") {
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
