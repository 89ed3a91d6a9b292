package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mezzo/api/ids"
)

// Modes of sandboxes, which Launch gives to their tasks' users, and of what leads
// to them: a task that is not root and sees the host's files has to get through,
// but need not find out who else is there.
const (
	runMode = 0o750
	dirMode = 0o711
)

// latest is the link to an executor's newest run.
const latest = "latest"

// Run names one sandbox: an executor's one container or, with Task, that of a
// task in a group, below it.
type Run struct {
	Agent     ids.AgentID
	Framework ids.FrameworkID
	Executor  ids.ExecutorID
	Container ids.ContainerID
	Task      ids.TaskID
}

// Path is where r's sandbox is, or would be, below workDir.
func (r Run) Path(workDir string) string {
	return filepath.Join(workDir, r.dir())
}

// Nested is where the sandbox of a nested container is below the work_dir, and
// Standalone that of a standalone one: in none that a task can write in, as a link
// there would lead where the task likes.
func Nested(name ids.ContainerID) string { return filepath.Join("nested", string(name)) }

// Standalone is described at Nested.
func Standalone(id ids.ContainerID) string { return filepath.Join("standalone", string(id)) }

// MakeAt makes the sandbox at dir, one of Nested or Standalone, and the directories
// in it, and in the sandbox of the group that it is nested in, if any, those that
// all in the group share.
func MakeAt(workDir, dir string, dirs []string, group Run, shared []string) (err error) {
	root, err := os.OpenRoot(workDir)
	if err != nil {
		return fmt.Errorf("make sandbox %q: %w", dir, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err = root.MkdirAll(filepath.Dir(dir), dirMode); err == nil {
		err = makeDirs(root, dir, dirs)
	}
	if err == nil {
		err = makeShared(root, group, shared)
	}
	if err != nil {
		return fmt.Errorf("make sandbox %q: %w", dir, err)
	}
	return nil
}

// Remove removes the sandbox at dir, as MakeAt has it, if it is there.
func Remove(workDir, dir string) (err error) {
	root, err := os.OpenRoot(workDir)
	if err != nil {
		return fmt.Errorf("remove sandbox %q: %w", dir, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := root.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove sandbox %q: %w", dir, err)
	}
	return nil
}

// makeDirs makes a sandbox and what is in it.
func makeDirs(root *os.Root, dir string, dirs []string) error {
	for _, d := range append([]string{"."}, dirs...) {
		if err := root.MkdirAll(filepath.Join(dir, d), runMode); err != nil {
			return err
		}
	}
	return nil
}

// makeShared makes directories in a group's sandbox.
func makeShared(root *os.Root, r Run, shared []string) error {
	for _, d := range shared {
		dir := filepath.Join(r.runs(), string(r.Container), d)
		if err := root.MkdirAll(dir, runMode); err != nil {
			return err
		}
		if err := root.Chmod(dir, sharedMode); err != nil {
			return err
		}
	}
	return nil
}

// dir is where r's sandbox is below the work_dir.
func (r Run) dir() string {
	dir := filepath.Join(r.runs(), string(r.Container))
	if r.Task != "" {
		dir = filepath.Join(dir, "tasks", string(r.Task))
	}
	return dir
}

// runs is the directory of all runs of r's executor, relative to the work_dir.
func (r Run) runs() string {
	return filepath.Join("slaves", string(r.Agent), "frameworks", string(r.Framework), "executors", string(r.Executor), "runs")
}

func (r Run) validate() error {
	if r.Task != "" {
		if err := ids.Validate("task", string(r.Task)); err != nil {
			return err
		}
	}
	return errors.Join(
		ids.Validate("agent", string(r.Agent)),
		ids.Validate("framework", string(r.Framework)),
		ids.Validate("executor", string(r.Executor)),
		ids.Validate("container", string(r.Container)),
	)
}

// Make makes r's sandbox and the directories in it, and returns its path. Shared
// are directories in the sandbox above it, that of a task's group, in which all
// tasks of the group can write.
func Make(workDir string, r Run, dirs, shared []string) (path string, err error) {
	if err := r.validate(); err != nil {
		return "", fmt.Errorf("make sandbox: %w", err)
	}
	path = r.Path(workDir)
	root, err := os.OpenRoot(workDir)
	if err != nil {
		return "", fmt.Errorf("make sandbox %q: %w", path, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := makeRun(root, r, dirs, shared); err != nil {
		return "", fmt.Errorf("make sandbox %q: %w", path, err)
	}
	return path, nil
}

// sharedMode is as that of /tmp: tasks of a group may have different users.
const sharedMode = 0o777 | os.ModeSticky

func makeRun(root *os.Root, r Run, dirs, shared []string) error {
	above := r.runs()
	if r.Task != "" {
		above = filepath.Dir(r.dir())
	}
	if err := root.MkdirAll(above, dirMode); err != nil {
		return err
	}
	if err := makeDirs(root, r.dir(), dirs); err != nil {
		return err
	}
	if err := makeShared(root, r, shared); err != nil {
		return err
	}
	// A link can't be changed, only replaced: at once, so that it is always there.
	link := filepath.Join(r.runs(), latest)
	if to, err := root.Readlink(link); err == nil && to == string(r.Container) {
		return nil
	}
	// Tasks of a group do this at the same time.
	fresh := link + "." + string(r.Container)
	if r.Task != "" {
		sum := sha256.Sum256([]byte(r.Task)) // an id may be as long as a name
		fresh += "." + hex.EncodeToString(sum[:6])
	}
	if err := root.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.Symlink(string(r.Container), fresh); err != nil {
		return err
	}
	return root.Rename(fresh, link)
}
