package sandbox

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCollect(t *testing.T) {
	work := t.TempDir()
	now := time.Now()
	make := func(r Run, age time.Duration) string {
		t.Helper()
		path, err := Make(work, r, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "data"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/etc", filepath.Join(path, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(r.Path(work), now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return r.Path(work)
	}
	used := make(Run{"a", "f", "e", "used", ""}, 100*time.Hour)
	old := make(Run{"a", "f", "e", "old", ""}, 100*time.Hour)
	young := make(Run{"a", "f", "e", "young", ""}, time.Hour)
	alone := make(Run{"before", "g", "e2", "alone", ""}, 50*time.Hour)
	written := make(Run{"a", "f", "e3", "written", ""}, 100*time.Hour)
	if err := os.WriteFile(filepath.Join(written, "stdout"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(written, now.Add(-100*time.Hour), now.Add(-100*time.Hour)); err != nil {
		t.Fatal(err)
	}
	group := Run{"a", "f", "pod", "c", "t1"}
	make(group, 0)
	group.Task = ""
	got, err := Collect(work, map[string]bool{used: true, group.Path(work): true}, 10*time.Hour, now)
	if err != nil || got.Removed != 2 || got.Pending != 2 || got.Failed != 0 || got.Oldest.Round(time.Minute) != time.Hour {
		t.Errorf("collected %+v, %v", got, err)
	}
	for path, there := range map[string]bool{
		used: true, young: true, written: true, filepath.Join(group.Path(work), "tasks", "t1", "data"): true,
		old: false, alone: false, filepath.Join(work, "slaves", "before"): false, "/etc/passwd": true,
		filepath.Join(work, "slaves", "a", "frameworks", "f", "executors", "e", "runs", "latest"): true,
	} {
		if _, err := os.Stat(path); (err == nil) != there {
			t.Errorf("%s: %v", path, err)
		}
	}
	got, err = Collect(work, nil, -time.Second, now)
	if err != nil || got.Removed != 4 {
		t.Errorf("all: %+v, %v", got, err)
	}
	if left, err := os.ReadDir(filepath.Join(work, "slaves")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := Collect(filepath.Join(work, "none"), nil, 0, now); err == nil {
		t.Error("no work_dir is no error")
	}
}
