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
