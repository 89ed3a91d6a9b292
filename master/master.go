package master

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"mezzo/allocator"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/deadline"
	"mezzo/master/core"
)

// Deps are the things a master is given.
type Deps struct {
	Log     *slog.Logger
	Flags   map[string]string // as shown by /flags
	Version *v1.VersionInfo   // of the program; version is "x.y.z", for clients parse it
}

// Master is one master process's worth of state and goroutines.
type Master struct {
	cfg        Config
	deps       Deps
	log        *slog.Logger
	listener   net.Listener
	info       *v1.MasterInfo
	advertised string // "ip:port"
	started    time.Time
	loop       *loop
	whitelist  *whitelist // nil: none
	grpc       *grpc.Server
	handlers   map[string]http.HandlerFunc
	api        http.Handler   // all but gRPC
	streams    sync.WaitGroup // goroutines of agents' streams
	queued     atomic.Int64   // bytes that wait in all queues
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
	id := uuid.New()
	at := advertise(cfg, listener.Addr())
	m := &Master{
		cfg:        cfg,
		deps:       d,
		log:        d.Log.With("component", "master"),
		listener:   listener,
		info:       identity(id.String(), cfg, at, d.Version.GetVersion()),
		advertised: at.String(),
		started:    time.Now(),
	}
	c, err := core.New(m.started, m.coreConfig(binary.BigEndian.Uint64(id[:8])))
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("configure master: %w", err)
	}
	m.loop = newLoop(c, m.log)
	if cfg.Whitelist != "" {
		m.whitelist = &whitelist{path: cfg.Whitelist}
		ev, _, err := m.whitelist.look()
		if err != nil {
			_ = listener.Close()
			return nil, fmt.Errorf("configure master: %w", err)
		}
		c.Step(m.started, ev)
	}
	m.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(link.MaxMessageBytes), grpc.MaxSendMsgSize(link.MaxMessageBytes))
	link.RegisterAgentLinkServer(m.grpc, &agentLink{m: m})
	m.handlers = m.routes()
	m.api = deadline.Handler(http.HandlerFunc(m.serveAPI), dawdleTimeout)
	return m, nil
}

func (m *Master) coreConfig(seed uint64) core.Config {
	return core.Config{
		Master:                 m.info,
		Heartbeat:              heartbeatInterval,
		AllocationInterval:     m.cfg.AllocationInterval,
		OfferTimeout:           m.cfg.OfferTimeout,
		PingInterval:           m.cfg.AgentPingTimeout,
		MaxMissedPings:         m.cfg.MaxAgentPingTimeouts,
		RootSubmissions:        m.cfg.RootSubmissions,
		Roles:                  m.cfg.Roles,
		Allocator:              m.allocatorConfig(seed),
		Weights:                m.cfg.Weights,
		MaxCompletedFrameworks: m.cfg.MaxCompletedFrameworks,
		MaxCompletedTasks:      m.cfg.MaxCompletedTasksPerFramework,
		MaxUnreachableTasks:    m.cfg.MaxUnreachableTasksPerFramework,
		MaxUnreachableAgents:   maxUnreachableAgents,
	}
}

func (m *Master) allocatorConfig(seed uint64) allocator.Config {
	c := allocator.Config{
		Seed:            seed,
		MinRefuse:       m.cfg.AllocationInterval,
		WholeAgents:     m.cfg.WholeAgents,
		MinShare:        m.cfg.MinOfferShare,
		MinAllocatable:  m.cfg.MinAllocatableResources,
		GPUsForAll:      !m.cfg.FilterGPUResources,
		Region:          m.cfg.Domain.GetFaultDomain().GetRegion().GetName(),
		UnfairNames:     m.cfg.FairSharingExcludedResourceNames,
		RoleSorter:      m.cfg.RoleSorter,
		FrameworkSorter: m.cfg.FrameworkSorter,
	}
	c.SetDefaults()
	return c
}

// maxUnreachableAgents bounds the agents remembered as unreachable.
// Source: mesos master/constants.hpp, removed agents.
const maxUnreachableAgents = 100_000

// Addr is the address the master listens on, "ip:port".
func (m *Master) Addr() string { return m.listener.Addr().String() }

// stopTimeout bounds how long Run waits for answers under way and streams to
// end. Connections that never said anything would make it wait much longer.
const stopTimeout = time.Second

// dawdleTimeout bounds how long a request may take to arrive, and each part of
// an answer to be taken.
const dawdleTimeout = 30 * time.Second

// Run serves until ctx ends, then closes every stream and returns nil; an error
// means that it could not go on serving.
func (m *Master) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler:           m,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
	m.log.Info("master started", "addr", m.Addr(), "advertised", m.advertised, "id", m.info.GetId())
	group.Go(func() error { return m.loop.run(ctx) })
	if m.whitelist != nil {
		group.Go(func() error { m.watchWhitelist(ctx, m.whitelist); return nil })
	}
	group.Go(func() error {
		if err := srv.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := srv.Shutdown(stopping); err != nil {
			return srv.Close()
		}
		return nil
	})
	err := group.Wait()
	m.grpc.Stop()
	m.streams.Wait()
	m.log.Info("master stopped")
	return err
}
