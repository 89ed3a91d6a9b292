package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	containerd "github.com/containerd/containerd/v2/client"

	"mezzo/internal/errs"
)

// Addresses with a meaning.
const (
	// SystemAddress is where a distribution's containerd listens.
	SystemAddress = "/run/containerd/containerd.sock"
	// Private asks for a private containerd, whoever else runs one.
	Private = "private"
)

// Config says which containerd to use. The zero value of each field has a
// meaning of its own, so there is nothing to default but Namespace and Binary.
type Config struct {
	// Address is the socket of a running containerd, or Private. Empty: the
	// private one when Dir holds one from before, else the system's if it
	// answers, else a new private one.
	Address string
	// Dir is where a private containerd lives; absolute.
	Dir string
	// Namespace is the client's default; empty: "mezzo".
	Namespace string
	// Binary is what is run for a private one; empty: "containerd" in PATH.
	Binary string
	// Keep starts a private containerd again when it ends, until Stop or Close. Of
	// one that is not ours its owner takes care.
	Keep bool
}

// DefaultNamespace is the containerd namespace of everything mezzo creates.
const DefaultNamespace = "mezzo"

// Daemon is a connection to a containerd that answers.
type Daemon struct {
	client   *containerd.Client
	address  string
	hidden   []string
	runcRoot string
	version  Version

	// Of a private one.
	private bool
	places  places
	binary  string
	proc    *process // nil: an earlier process started it
	unkeep  context.CancelFunc
	keeping sync.WaitGroup
}

// Connect returns a connection to the containerd that cfg names, after it has
// answered once. Versions found are logged, with a warning for those with known
// holes.
//
// Errors: errs.Invalid for a bad Config, errs.NotFound when nothing listens at
// Address or there is no containerd to start, errs.Unavailable when it does not
// answer in time.
func Connect(ctx context.Context, cfg Config, log *slog.Logger) (*Daemon, error) {
	log = log.With("component", "containerd")
	if cfg.Namespace == "" {
		cfg.Namespace = DefaultNamespace
	}
	if cfg.Binary == "" {
		cfg.Binary = "containerd"
	}
	d, err := connect(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	ctx, d.unkeep = context.WithCancel(context.WithoutCancel(ctx))
	if d.private && cfg.Keep {
		d.keeping.Go(func() { d.keep(ctx, log) })
	}
	return d, nil
}

func connect(ctx context.Context, cfg Config, log *slog.Logger) (*Daemon, error) {
	if cfg.Address != "" && cfg.Address != Private {
		return dial(ctx, cfg.Address, cfg.Namespace, log)
	}
	if !filepath.IsAbs(cfg.Dir) {
		return nil, fmt.Errorf("private containerd: directory %q is not absolute: %w", cfg.Dir, errs.Invalid)
	}
	p := newPlaces(cfg.Dir)
	if _, err := os.Stat(p.config); errors.Is(err, fs.ErrNotExist) && cfg.Address == "" {
		if d, err := dial(ctx, SystemAddress, cfg.Namespace, log); err == nil {
			return d, nil
		}
	}
	return startOrFind(ctx, cfg, p, log)
}

// dial connects to a containerd that should be running.
func dial(ctx context.Context, address, namespace string, log *slog.Logger) (*Daemon, error) {
	if err := probe(address); err != nil {
		return nil, err
	}
	c, err := containerd.New(address, containerd.WithDefaultNamespace(namespace))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd at %s: %w", address, err)
	}
	d := &Daemon{client: c, address: address, hidden: []string{filepath.Dir(address), "/run/containerd", "/var/lib/containerd", runDir}}
	err = d.answer(ctx)
	if err == nil {
		err = d.preflight(ctx, log)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return d, nil
}

// probe tells quickly, and in words, why nobody is at a socket.
func probe(address string) error {
	c, err := net.DialTimeout("unix", address, 5*time.Second)
	switch {
	case err == nil:
		return c.Close()
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("containerd at %s: %w (containerd is for root only)", address, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("containerd at %s: no such socket: %w", address, errs.NotFound)
	default:
		return fmt.Errorf("containerd at %s does not answer: %w: %w", address, err, errs.Unavailable)
	}
}

// answerWithin is how long a containerd may take from connect to first answer;
// a start on a cold, loaded machine was seen to take 10 s.
const answerWithin = 60 * time.Second

func (d *Daemon) answer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if ok, err := d.client.IsServing(ctx); err != nil || !ok {
		return fmt.Errorf("containerd at %s does not answer: %w: %w", d.address, errors.Join(err, ctx.Err()), errs.Unavailable)
	}
	return nil
}

// Client is the connection; it reconnects by itself when containerd restarts.
func (d *Daemon) Client() *containerd.Client { return d.client }

// Address is the socket that Client is connected to.
func (d *Daemon) Address() string { return d.address }

// Version is what the preflight found.
func (d *Daemon) Version() Version { return d.version }

// Private tells whether this containerd is the agent's own.
func (d *Daemon) Private() bool { return d.private }

// Started tells whether it was this process that started a private containerd.
func (d *Daemon) Started() bool { return d.proc != nil }

// RuncRoot is where runc keeps its state for a private containerd, so that it
// does not meet that of another; empty: containerd's default.
func (d *Daemon) RuncRoot() string { return d.runcRoot }

// Hidden are directories that no container may see: who has the socket is root,
// and who has the files can be.
func (d *Daemon) Hidden() []string { return d.hidden }

// Close closes the connection. A private containerd and all tasks go on.
func (d *Daemon) Close() error {
	d.letGo()
	return d.client.Close()
}

// letGo ends the keeping.
func (d *Daemon) letGo() {
	if d.unkeep != nil {
		d.unkeep()
	}
	d.keeping.Wait()
}
