package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	v1 "mezzo/api/mesos/v1"
)

// Deps are the things a master is given.
type Deps struct {
	Log     *slog.Logger
	Flags   map[string]string // as shown by /flags
	Version *v1.VersionInfo   // of the program; version is "x.y.z", for clients parse it
}

// Master is one master process's worth of state and goroutines.
type Master struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	listener net.Listener
}

// New checks cfg and takes the port, so that a busy one is known at once.
// Nothing is served before Run.
func New(cfg Config, d Deps) (*Master, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure master: %w", err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(cfg.IP, strconv.Itoa(cfg.Port)))
	if err != nil {
		return nil, fmt.Errorf("open master's port: %w", err)
	}
	return &Master{cfg: cfg, deps: d, log: d.Log.With("component", "master"), listener: listener}, nil
}

// Addr is the address the master listens on, "ip:port".
func (m *Master) Addr() string { return m.listener.Addr().String() }

// Run serves until ctx ends, then closes every stream and returns nil; an error
// means that it could not go on serving.
func (m *Master) Run(ctx context.Context) error {
	srv := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
