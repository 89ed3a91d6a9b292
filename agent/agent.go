package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
	"mezzo/election"
	"mezzo/isolator"
)

// Containers is what an agent needs of a containerizer.
type Containers interface {
	Launch(ctx context.Context, s containerizer.Spec) (containerizer.Launched, error)
	Wait(ctx context.Context, id isolator.ID) (containerizer.Termination, error)
	Signal(ctx context.Context, id isolator.ID, sig syscall.Signal) error
	Destroy(ctx context.Context, id isolator.ID) error
	Usage(ctx context.Context, id isolator.ID) (isolator.Usage, error)
	Recover(ctx context.Context, known []isolator.ID) (orphans []isolator.ID, err error)
}

// Deps are the things an agent is given.
type Deps struct {
	Log        *slog.Logger
	Containers Containers
	Detector   election.Detector
	Node       func() (isolator.Usage, error) // samples the whole node
	Flags      map[string]string              // as shown by /flags
	Version    *v1.VersionInfo                // of the program; version is "x.y.z"
}

// Agent is one agent process's worth of state and goroutines.
type Agent struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	listener net.Listener
}

// New checks cfg, takes the port and the work_dir, so that a busy one is known
// at once. Nothing is served before Run.
func New(ctx context.Context, cfg Config, d Deps) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure agent: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(cfg.IP, strconv.Itoa(cfg.Port)))
	if err != nil {
		return nil, fmt.Errorf("open agent's port: %w", err)
	}
	return &Agent{cfg: cfg, deps: d, log: d.Log.With("component", "agent"), listener: listener}, nil
}

// Addr is the address the agent listens on, "ip:port".
func (a *Agent) Addr() string { return a.listener.Addr().String() }

// Run serves until ctx ends and returns nil; an error means that it could not
// go on, or that the master removed the agent.
func (a *Agent) Run(ctx context.Context) error {
	srv := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
