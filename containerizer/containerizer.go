package containerizer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerd/containerd/v2/pkg/namespaces"

	"mezzo/containerizer/daemon"
	"mezzo/containerizer/logger"
	"mezzo/images"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// Config is how containers are held.
type Config struct {
	Namespace   string // containerd's; default "mezzo"
	Snapshotter string // default "overlayfs"
	Runtime     string // default "io.containerd.runc.v2"

	// StateDir is the containerizer's own directory, absolute, and the mark of its
	// containers: agents that share a containerd must not share it.
	StateDir string
	// Logger is the program that the shim runs to receive a container's output; it
	// must have package containerizer/logger linked in. Default: this program.
	Logger string
	// Rotation is how large the files of output may grow.
	Rotation logger.Rotation
}

// SetDefaults fills the fields that were left out.
func (c *Config) SetDefaults() error {
	if c.Namespace == "" {
		c.Namespace = daemon.DefaultNamespace
	}
	if c.Snapshotter == "" {
		c.Snapshotter = "overlayfs"
	}
	if c.Runtime == "" {
		c.Runtime = "io.containerd.runc.v2"
	}
	if c.Logger == "" {
		var err error
		if c.Logger, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program, to receive output by: %w", err)
		}
	}
	return nil
}

// Validate tells everything that is wrong with c.
func (c *Config) Validate() error {
	var all error
	for name, p := range map[string]string{"state directory": c.StateDir, "logger": c.Logger} {
		if !cleanAbs(p) {
			all = errors.Join(all, invalid("%s %q is not a clean absolute path", name, p))
		}
	}
	return all
}

// Deps are what a Containerizer works with.
type Deps struct {
	Daemon    *daemon.Daemon
	Images    *images.Store
	Isolators *isolator.Set
	Log       *slog.Logger
	// Progress is told how far the pull for a container's launch has come, a few
	// times a second at most; nil: nobody is.
	Progress func(isolator.ID, images.Progress)
}

// Containerizer holds containers.
//
// Concurrency: all methods may be called at once. For one container, launch and
// destruction take turns; a Destroy ends a Launch that is under way.
type Containerizer struct {
	cfg       Config
	engine    engine
	isolators *isolator.Set
	hidden    []string
	log       *slog.Logger
	progress  func(isolator.ID, images.Progress)
	turns     turns
	execs     execs
}

// New returns a Containerizer.
func New(cfg Config, d Deps) (*Containerizer, error) {
	if err := cfg.SetDefaults(); err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Clean(cfg.StateDir), 0o711); err != nil {
		return nil, fmt.Errorf("containerizer's state: %w", err)
	}
	c := newContainerizer(cfg, d, &containerdEngine{
		cfg: cfg, client: d.Daemon.Client(), images: d.Images, runcRoot: d.Daemon.RuncRoot(), address: d.Daemon.Address(),
	})
	c.hidden = withTargets(append(c.hidden, d.Daemon.Hidden()...))
	return c, nil
}

// withTargets adds what paths lead to that go through links.
func withTargets(paths []string) []string {
	all := slices.Clone(paths)
	for _, p := range paths {
		if to, err := filepath.EvalSymlinks(p); err == nil && to != p {
			all = append(all, to)
		}
	}
	return all
}

func newContainerizer(cfg Config, d Deps, e engine) *Containerizer {
	c := &Containerizer{
		cfg: cfg, engine: e, isolators: d.Isolators, hidden: []string{cfg.StateDir},
		log: d.Log.With("component", "containerizer"), progress: d.Progress,
	}
	if c.progress == nil {
		c.progress = func(isolator.ID, images.Progress) {}
	}
	return c
}

// Labels of a container's record.
const (
	labelOwner     = "mezzo/owner"     // Config.StateDir
	labelSpec      = "mezzo/spec"      // digest of the Spec
	labelContainer = "mezzo/container" // what isolators were told, as JSON
	labelSandbox   = "mezzo/sandbox"
	labelImage     = "mezzo/image" // digest
)

// context carries containerd's namespace.
func (c *Containerizer) context(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, c.cfg.Namespace)
}

// ErrEnded is in the error of a launch of what was launched before, from the same
// Spec, and has ended: Wait knows how.
var ErrEnded = fmt.Errorf("it has been started before and has ended: %w", errs.Exists)
