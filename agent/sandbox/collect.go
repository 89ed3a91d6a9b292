package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Collected is what a collection did.
type Collected struct {
	Removed int // sandboxes
	Failed  int
	Pending int           // that nobody uses and that are not old enough
	Oldest  time.Duration // of those pending
}

// Collect removes the sandboxes of runs below workDir that inUse does not name
// and that were last changed longer than maxAge ago, with the directories above
// that become empty. inUse has what Run.Path is.
//
// Errors: each of a sandbox that could not be removed; the others are.
func Collect(workDir string, inUse map[string]bool, maxAge time.Duration, now time.Time) (c Collected, err error) {
	root, err := os.OpenRoot(workDir)
	if err != nil {
		return c, fmt.Errorf("collect sandboxes: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var runs []string
	for _, pattern := range []string{"slaves/*/frameworks/*/executors/*/runs/*", Nested("*"), Standalone("*")} {
		some, err := fs.Glob(root.FS(), pattern)
		if err != nil {
			return c, fmt.Errorf("collect sandboxes: %w", err)
		}
		runs = append(runs, some...)
	}
	var problems []error
	for _, run := range runs {
		info, err := root.Lstat(run)
		if err != nil || !info.IsDir() { // gone meanwhile, or the link to the latest
			continue
		}
		if inUse[filepath.Join(workDir, run)] {
			continue
		}
		if age := now.Sub(changed(root, run, info)); age <= maxAge {
			c.Pending++
			c.Oldest = max(c.Oldest, age)
			continue
		}
		if err := root.RemoveAll(run); err != nil {
			c.Failed++
			problems = append(problems, err)
			continue
		}
		c.Removed++
		prune(root, run)
	}
	return c, errors.Join(problems...)
}

// changed is when a sandbox was last written to, as far as its top shows: its own
// entries, and output.
func changed(root *os.Root, run string, info fs.FileInfo) time.Time {
	at := info.ModTime()
	for _, name := range []string{"stdout", "stderr", "tasks"} {
		if f, err := root.Lstat(filepath.Join(run, name)); err == nil && f.ModTime().After(at) {
			at = f.ModTime()
		}
	}
	return at
}

// prune removes what became empty above a run: its link, and its executor's and
// framework's directories. What is not empty stays.
func prune(root *os.Root, run string) {
	runs := filepath.Dir(run)
	if to, err := root.Readlink(filepath.Join(runs, latest)); err == nil && to == filepath.Base(run) {
		_ = root.Remove(filepath.Join(runs, latest)) // a new run makes it anew
	}
	for dir := runs; dir != "slaves" && dir != "."; dir = filepath.Dir(dir) {
		if root.Remove(dir) != nil {
			return
		}
	}
}
