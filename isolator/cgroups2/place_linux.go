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

// holderUnit is the systemd service whose cgroup holds all containers. It only
// sleeps. An agent's own unit could not be restarted with children that have
// controllers enabled (systemd answers 219/CGROUP), so they hang elsewhere.
const (
	holderUnit  = "mezzo-tasks.service"
	holderSlice = "mezzo.slice" // beside system.slice, not one of many in it
)

// Place finds, and under systemd makes, the place for the containers' cgroups:
// below the holder unit, which is delegated to us, or at the root of a system
// without systemd, where nobody else minds the tree.
func Place(ctx context.Context) (Config, error) {
	const top = "/sys/fs/cgroup"
	if _, err := os.Stat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) {
		return Config{Root: top + "/mezzo/tasks", Top: top + "/mezzo"}, nil
	}
	holder := filepath.Join(top, holderSlice, holderUnit)
	if err := startHolder(ctx, holder); err != nil {
		return Config{}, fmt.Errorf("start %s: %w", holderUnit, err)
	}
	// Where the administrator brought the unit, the slice may be another.
	path, err := property(ctx, "ControlGroup")
	if err != nil {
		return Config{}, err
	}
	if path != "" {
		holder = filepath.Join(top, path)
	}
	if err := vacate(holder); err != nil {
		return Config{}, fmt.Errorf("move the holder's process: %w", err)
	}
	return Config{Root: filepath.Join(holder, "tasks")}, nil
}

// startHolder makes sure that the holder's cgroup is there. If somebody stopped
// the unit, containers keep it alive; systemd could not start the unit in it
// again, and need not.
func startHolder(ctx context.Context, dir string) error {
	state, err := property(ctx, "ActiveState")
	if err != nil || state == "active" {
		return err
	}
	if data, err := os.ReadFile(filepath.Join(dir, "cgroup.events")); err == nil {
		if alive, err := populated(data); err != nil || alive {
			return err
		}
	}
	load, err := property(ctx, "LoadState")
	if err != nil {
		return err
	}
	if load == "loaded" {
		_, err = output(ctx, "systemctl", "start", holderUnit)
		return err
	}
	_, err = output(ctx, "systemd-run", "--quiet", "--collect", "--unit="+holderUnit, "--slice="+holderSlice,
		"--description=mezzo containers",
		"-p", "Delegate=yes", "-p", "KillMode=process", "-p", "OOMPolicy=continue", "-p", "TasksMax=infinity",
		"sleep", "infinity")
	return err
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

func property(ctx context.Context, name string) (string, error) {
	return output(ctx, "systemctl", "show", "--value", "--property="+name, holderUnit)
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	text := strings.TrimSpace(string(out))
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s: %w", name, err, strings.TrimSpace(string(exit.Stderr)), errs.Unavailable)
	}
	return text, err
}
