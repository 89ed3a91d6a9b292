package cgroups2

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mezzo/internal/errs"
)

// cgroupRoot is where systemd and everybody else mounts the hierarchy.
const cgroupRoot = "/sys/fs/cgroup"

// Place finds, and under systemd makes, the place for the containers' cgroups:
// below the holder unit, which is delegated to us, or at the root of a system
// without systemd, where nobody else minds the tree.
func Place(ctx context.Context) (Config, error) {
	if _, err := os.Stat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) {
		return Config{Root: cgroupRoot + "/mezzo/tasks", Top: cgroupRoot + "/mezzo"}, nil
	}
	// The slice is beside system.slice, not one of many in it.
	return holder{unit: "mezzo-tasks.service", slice: "mezzo.slice"}.place(ctx)
}

// holder is the systemd service whose cgroup holds all containers. It only
// sleeps. An agent's own unit could not be restarted with children that have
// controllers enabled (systemd answers 219/CGROUP), so they hang elsewhere.
type holder struct{ unit, slice string }

func (h holder) place(ctx context.Context) (Config, error) {
	dir, err := h.start(ctx)
	if err != nil {
		return Config{}, fmt.Errorf("start %s: %w", h.unit, err)
	}
	if err := vacate(dir); err != nil {
		return Config{}, fmt.Errorf("move the process of %s: %w", h.unit, err)
	}
	return Config{Root: filepath.Join(dir, "tasks")}, nil
}

// start makes sure that the holder's cgroup is there, and returns it. If
// somebody stopped the unit, containers keep the cgroup alive; systemd could
// not start the unit in it again, and need not. Once they are gone systemd
// removes it, but not always (seen with 252): it forgets the unit first, and can
// never start it again in what it left.
func (h holder) start(ctx context.Context) (dir string, err error) {
	state, err := h.property(ctx, "ActiveState")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cgroupRoot, h.slice, h.unit)
	if data, err := os.ReadFile(filepath.Join(dir, "cgroup.events")); err == nil && state != "active" {
		if alive, err := populated(data); err != nil || alive {
			return dir, err
		}
		if state == "inactive" || state == "failed" {
			if err := kernelTree().remove(ctx, dir); err != nil {
				return "", fmt.Errorf("remove what its last run left: %w", err)
			}
		}
	}
	if state != "active" {
		if err := h.run(ctx); err != nil {
			return "", err
		}
	}
	// A unit file that the administrator brought may name another slice.
	path, err := h.property(ctx, "ControlGroup")
	if err == nil && path == "" {
		err = fmt.Errorf("it has no cgroup: %w", errs.Unavailable)
	}
	return filepath.Join(cgroupRoot, path), err
}

func (h holder) run(ctx context.Context) error {
	load, err := h.property(ctx, "LoadState")
	if err != nil {
		return err
	}
	if load == "loaded" {
		_, err = output(ctx, "systemctl", "start", h.unit)
		return err
	}
	_, err = output(ctx, "systemd-run", "--quiet", "--collect", "--unit="+h.unit, "--slice="+h.slice,
		"--description=mezzo containers",
		"-p", "Delegate=yes", "-p", "KillMode=process", "-p", "OOMPolicy=continue", "-p", "TasksMax=infinity",
		"sleep", "infinity")
	return err
}

func (h holder) property(ctx context.Context, name string) (string, error) {
	return output(ctx, "systemctl", "show", "--value", "--property="+name, h.unit)
}

// vacate moves the processes that live in a cgroup itself into a child, since
// only cgroups without any can have children with limits.
func vacate(dir string) error {
	pids, err := words(dir, "cgroup.procs")
	if err != nil || len(pids) == 0 {
		return err
	}
	child := filepath.Join(dir, "holder")
	if err := os.Mkdir(child, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, pid := range pids {
		if err := write(child, "cgroup.procs", pid); err != nil {
			return err
		}
	}
	return nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	text := strings.TrimSpace(string(out))
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s: %w", name, err, strings.TrimSpace(string(exit.Stderr)), errs.Unavailable)
	}
	return text, err
}
