package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mezzo/containerizer"
	"mezzo/containerizer/daemon"
	"mezzo/containerizer/logger"
	"mezzo/images"
	"mezzo/internal/errs"
	"mezzo/internal/flags"
	"mezzo/isolator"
	"mezzo/isolator/cgroups2"
	"mezzo/isolator/security"
)

// Values of --isolation.
const (
	isolationCgroups2 = "cgroups2"
	isolationNone     = "none"
)

// nodeConfig is how a machine holds containers, for all agents on it.
type nodeConfig struct {
	isolation  string
	containerd string
	images     images.Config
	rotation   logger.Rotation
}

func (c *nodeConfig) add(s *flags.Set) {
	c.isolation = isolationCgroups2
	c.images.SetDefaults()
	c.rotation = logger.Rotation{MaxBytes: 16 << 20, Files: 4}
	s.Var("isolation", "What holds tasks to their CPU, memory and processes: cgroups2, or none for work on\nframeworks, which enforces nothing.", c.setIsolation, func() string { return c.isolation })
	s.Path(&c.containerd, "containerd", "Socket of the containerd to use, or private for one of the agent's own. Unless given: the\nprivate one if the work_dir has one, else the system's if it runs, else a private one.")
	s.Path(&c.images.DockerConfig, "docker_config", "A docker client's config.json with credentials for registries.")
	s.Path(&c.images.HostsDir, "registry_hosts_dir", "Tree of <host>/hosts.toml with mirrors and certificates, as containerd has it.")
	s.Strings(&c.images.InsecureRegistries, "insecure_registries", "Registries spoken to without TLS, separated by commas.")
	s.Bytes(&c.rotation.MaxBytes, "max_log_size", "A task's stdout and stderr are begun anew when they have grown to this; 0B lets them grow for ever.")
	s.Int(&c.rotation.Files, "max_log_files", "How many of each are kept then, the newest included: stdout, stdout.1 and so on.")
	s.Int(&c.images.MaxPulls, "max_pulls", "Images that are pulled at once.")
}

func (c *nodeConfig) setIsolation(v string) error {
	if v != isolationCgroups2 && v != isolationNone {
		return fmt.Errorf("want cgroups2 or none; what Mesos lists as cgroups/cpu,cgroups/mem,cgroups/pids,filesystem/linux and the like is all in cgroups2: %w", errs.Invalid)
	}
	c.isolation = v
	return nil
}

// machine is a node on which containers can be launched.
type machine struct {
	cfg    nodeConfig
	daemon *daemon.Daemon
	images *images.Store
	place  cgroups2.Config // zero without isolation
	log    *slog.Logger
}

// open connects to containerd, whose private one lives in dir, and finds the
// place for cgroups.
func (c nodeConfig) open(ctx context.Context, dir string, log *slog.Logger) (*machine, error) {
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("agents need root, for containerd and cgroups: start with sudo: %w", errs.Unsupported)
	}
	m := &machine{cfg: c, log: log}
	var err error
	if c.isolation == isolationNone {
		log.Warn("isolation is none: tasks are held to NO limits", "component", "isolator")
	} else if _, err = cgroups2.Probe(); err != nil {
		return nil, err
	} else if m.place, err = cgroups2.Place(ctx); err != nil {
		return nil, err
	}
	if m.daemon, err = daemon.Connect(ctx, daemon.Config{Address: c.containerd, Dir: filepath.Join(dir, "containerd"), Keep: true}, log); err != nil {
		return nil, err
	}
	if m.images, err = images.New(c.images, images.Deps{Client: m.daemon.Client(), Log: log}); err != nil {
		return nil, errors.Join(err, m.abandon(ctx))
	}
	return m, nil
}

// containers makes the containerizer of the agent with that work_dir.
func (m *machine) containers(workDir string, progress func(isolator.ID, images.Progress)) (*containerizer.Containerizer, error) {
	isolators := []isolator.Isolator{security.New()}
	if m.cfg.isolation == isolationCgroups2 {
		sum := sha256.Sum256([]byte(workDir))
		held, err := cgroups2.New(cgroups2.Config{
			Root: filepath.Join(m.place.Root, hex.EncodeToString(sum[:6])), Top: cmp.Or(m.place.Top, m.place.Root),
		})
		if err != nil {
			return nil, err
		}
		isolators = append(isolators, held)
	}
	set, err := isolator.NewSet(isolators...)
	if err != nil {
		return nil, err
	}
	return containerizer.New(containerizer.Config{StateDir: filepath.Join(workDir, "containers"), Rotation: m.cfg.rotation}, containerizer.Deps{
		Daemon: m.daemon, Images: m.images, Isolators: set, Log: m.log, Progress: progress,
	})
}

// stop ends a private containerd; close leaves it to the next agent.
func (m *machine) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return errors.Join(m.daemon.Stop(ctx), m.daemon.Close())
}

// abandon ends what was started for an agent that never came to be, and no more:
// another one may use a containerd that was there.
func (m *machine) abandon(ctx context.Context) error {
	if m.daemon.Started() {
		return m.stop(ctx)
	}
	return m.close()
}

func (m *machine) close() error { return m.daemon.Close() }
