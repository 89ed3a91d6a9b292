package sandbox

import (
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

// Run names one sandbox: an executor's one container.
type Run struct {
	Agent     ids.AgentID
	Framework ids.FrameworkID
	Executor  ids.ExecutorID
	Container ids.ContainerID
}

// Path is where r's sandbox is, or would be, below workDir.
func (r Run) Path(workDir string) string {
	return filepath.Join(workDir, r.runs(), string(r.Container))
}

// runs is the directory of all runs of r's executor, relative to the work_dir.
func (r Run) runs() string {
	return filepath.Join("slaves", string(r.Agent), "frameworks", string(r.Framework), "executors", string(r.Executor), "runs")
}

func (r Run) validate() error {
	return errors.Join(
		ids.Validate("agent", string(r.Agent)),
		ids.Validate("framework", string(r.Framework)),
		ids.Validate("executor", string(r.Executor)),
		ids.Validate("container", string(r.Container)),
	)
}

// Make makes r's sandbox and the directories in it, and returns its path.
func Make(workDir string, r Run, dirs []string) (path string, err error) {
	if err := r.validate(); err != nil {
		return "", fmt.Errorf("make sandbox: %w", err)
	}
	path = r.Path(workDir)
	root, err := os.OpenRoot(workDir)
	if err != nil {
		return "", fmt.Errorf("make sandbox %q: %w", path, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := makeRun(root, r, dirs); err != nil {
		return "", fmt.Errorf("make sandbox %q: %w", path, err)
	}
	return path, nil
}

func makeRun(root *os.Root, r Run, dirs []string) error {
	run := filepath.Join(r.runs(), string(r.Container))
	if err := root.MkdirAll(r.runs(), dirMode); err != nil {
		return err
	}
	for _, d := range append([]string{"."}, dirs...) {
		if err := root.MkdirAll(filepath.Join(run, d), runMode); err != nil {
			return err
		}
	}
	// A link can't be changed, only replaced: at once, so that it is always there.
	link := filepath.Join(r.runs(), latest)
	fresh := link + "." + string(r.Container)
	if err := root.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.Symlink(string(r.Container), fresh); err != nil {
		return err
	}
	return root.Rename(fresh, link)
}
