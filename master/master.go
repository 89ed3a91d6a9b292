package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"mezzo/allocator"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	replica "mezzo/api/replog"
	"mezzo/internal/deadline"
	"mezzo/internal/loglevel"
	"mezzo/master/core"
)

// Deps are the things a master is given.
type Deps struct {
	Log       *slog.Logger
	LogLevel  *loglevel.Level // of Log; nil: it cannot be changed
	LogFile   string          // that Log is in, for readers; empty: none
	Contender Contender       // how it comes to lead; nil: it leads, and keeps nothing
	// Replica, if not nil, is served beside agents: the replicated log's side of
	// this master.
	Replica replica.ReplicaServer
	// State, if not nil, serves the log's variables to programs elsewhere.
	State   replica.StateServer
	Flags   map[string]string // as shown by /flags
	Version *v1.VersionInfo   // of the program; version is "x.y.z", for clients parse it
}

// Master is one master process's worth of state and goroutines.
type Master struct {
	cfg        Config
	deps       Deps
	log        *slog.Logger
	contender  Contender
	listener   net.Listener
	at         netip.AddrPort
	advertised string // "ip:port"
	started    time.Time
	current    atomic.Pointer[term]
	led        chan struct{} // closed once it has led
	leads      sync.Once     // closes led
	whitelist  *whitelist    // nil: none
	grpc       *grpc.Server
	handlers   map[string]http.HandlerFunc
	api        http.Handler   // all but gRPC
	streams    sync.WaitGroup // goroutines of agents' streams
	queued     atomic.Int64   // bytes that wait in the queues of frameworks and agents
	watched    atomic.Int64   // bytes that wait in those of operators
	texts      written
	fading     *time.Timer   // runs out when no document was made for a while
	encoders   chan struct{} // holds one token for each document that is made
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
	m := &Master{
		cfg:       cfg,
		deps:      d,
		log:       d.Log.With("component", "master"),
		contender: d.Contender,
		listener:  listener,
		at:        advertise(cfg, listener.Addr()),
		started:   time.Now(),
		led:       make(chan struct{}),
		encoders:  newEncoders(),
		texts:     newWritten(),
	}
	m.advertised = m.at.String()
	if cfg.Whitelist != "" {
		m.whitelist = &whitelist{path: cfg.Whitelist}
		if _, _, err = m.whitelist.look(); err != nil {
			_ = listener.Close()
			return nil, fmt.Errorf("configure master: %w", err)
		}
	}
	// A trial finds what the configuration has wrong. Without others it is the
	// first term.
	first, err := m.begin(m.identity(), forever{context.Background()})
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("configure master: %w", err)
	}
	m.current.Store(first)
	if m.contender != nil {
		m.current.Store(m.idle())
	}
	m.fading = time.AfterFunc(keepDocuments, m.forgetDocuments)
	m.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(link.MaxMessageBytes), grpc.MaxSendMsgSize(link.MaxMessageBytes))
	link.RegisterAgentLinkServer(m.grpc, &agentLink{m: m})
	if d.Replica != nil {
		replica.RegisterReplicaServer(m.grpc, d.Replica)
	}
	if d.State != nil {
		replica.RegisterStateServer(m.grpc, d.State)
	}
	m.handlers = m.routes()
	m.api = deadline.Handler(http.HandlerFunc(m.serveAPI), dawdleTimeout)
	return m, nil
}

// lead is the term there is.
func (m *Master) lead() *term { return m.current.Load() }

func (m *Master) coreConfig(info *v1.MasterInfo, seed uint64) core.Config {
	return core.Config{
		Master:                 info,
		Heartbeat:              heartbeatInterval,
		AllocationInterval:     m.cfg.AllocationInterval,
		OfferTimeout:           m.cfg.OfferTimeout,
		PingInterval:           m.cfg.AgentPingTimeout,
		MaxMissedPings:         m.cfg.MaxAgentPingTimeouts,
		MaxUsageSamples:        m.cfg.MaxUsageSamplesPerSecond,
		RootSubmissions:        m.cfg.RootSubmissions,
		Roles:                  m.cfg.Roles,
		Allocator:              m.allocatorConfig(seed),
		Weights:                m.cfg.Weights,
		AgentReregisterTimeout: m.cfg.AgentReregisterTimeout,
		RecoveryRemovalLimit:   m.cfg.RecoveryAgentRemovalLimit,
		RemovalGap:             m.cfg.AgentRemovalGap,
		CollectInterval:        m.cfg.RegistryGCInterval,
		MaxAgentAge:            m.cfg.RegistryMaxAgentAge,
		MaxCompletedFrameworks: m.cfg.MaxCompletedFrameworks,
		MaxCompletedTasks:      m.cfg.MaxCompletedTasksPerFramework,
		MaxUnreachableTasks:    m.cfg.MaxUnreachableTasksPerFramework,
		MaxUnreachableAgents:   m.cfg.RegistryMaxAgentCount,
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

// Addr is the address the master listens on, "ip:port".
func (m *Master) Addr() string { return m.listener.Addr().String() }

// stopTimeout bounds how long Run waits for answers under way and streams to
// end. Connections that never said anything would make it wait much longer.
const stopTimeout = time.Second

// headStart is what a lone master has to lead before it answers anybody.
const headStart = 2 * time.Second

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
	m.log.Info("master started", "addr", m.Addr(), "advertised", m.advertised)
	group.Go(func() error {
		if m.contender == nil {
			return m.run(ctx, m.lead(), forever{ctx})
		}
		return m.reign(ctx)
	})
	if m.whitelist != nil {
		group.Go(func() error { m.watchWhitelist(ctx, m.whitelist); return nil })
	}
	group.Go(func() error {
		if m.contender != nil && m.contender.Alone() {
			select { // who comes now need not come again
			case <-m.led:
			case <-time.After(headStart):
			case <-ctx.Done():
			}
		}
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
