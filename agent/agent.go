package agent

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"mezzo/agent/core"
	"mezzo/agent/fetch"
	"mezzo/agent/nested"
	"mezzo/agent/session"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
	"mezzo/election"
	"mezzo/images"
	"mezzo/internal/deadline"
	"mezzo/internal/loglevel"
	"mezzo/isolator"
	"mezzo/isolator/node"
)

// Containers is what an agent needs of a containerizer.
type Containers interface {
	// Launch makes and starts a container; once ctx is cancelled it gives up and
	// leaves nothing.
	Launch(ctx context.Context, s containerizer.Spec) (containerizer.Launched, error)
	Wait(ctx context.Context, id isolator.ID) (containerizer.Termination, error)
	Signal(ctx context.Context, id isolator.ID, sig syscall.Signal) error
	// Update changes the limits of a container.
	Update(ctx context.Context, id isolator.ID, l isolator.Limits) error
	Destroy(ctx context.Context, id isolator.ID) error
	Usage(ctx context.Context, id isolator.ID) (isolator.Usage, error)
	// DiskUsage is what a container wrote over its image, in bytes.
	DiskUsage(ctx context.Context, id isolator.ID) (int64, error)
	// Exec starts a further process in a container that runs.
	Exec(ctx context.Context, id isolator.ID, s containerizer.ExecSpec, io containerizer.Streams) (containerizer.Process, error)
	Recover(ctx context.Context, known []isolator.ID) (taken, orphans []isolator.ID, err error)
}

// Deps are the things an agent is given.
type Deps struct {
	Log        *slog.Logger
	LogLevel   *loglevel.Level // of Log; nil: it cannot be changed
	LogFile    string          // that Log is in, for readers; empty: none
	Containers Containers
	Images     Images   // nil: there are none to be pruned
	Projects   Projects // nil: the file system of the work_dir has no project quotas that are on
	Detector   election.Detector
	Flags      map[string]string // as shown by /flags
	Version    *v1.VersionInfo   // of the program; version is "x.y.z"
}

// Projects hold directories to an amount of disk: a *projquota.Projects.
type Projects interface {
	Limit(dir string, bytes int64) error
}

// Agent is one agent process's worth of state and goroutines.
type Agent struct {
	cfg      Config
	log      *slog.Logger
	listener net.Listener
	home     *home
	loop     *loop
	linker   *linker
	server   *server
}

// New checks cfg, takes the work_dir and the port, so that what is in use is
// known at once, and measures the node. Nothing is served before Run, which
// must follow.
func New(ctx context.Context, cfg Config, d Deps) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure agent: %w", err)
	}
	h, err := openHome(cfg.WorkDir)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(cfg.IP, strconv.Itoa(cfg.Port)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open agent's port: %w", err), h.close())
	}
	a := &Agent{cfg: cfg, log: d.Log.With("component", "agent"), listener: listener, home: h}
	if err := a.assemble(d); err != nil {
		return nil, errors.Join(err, listener.Close(), a.closeJournal(), h.close())
	}
	return a, nil
}

func (a *Agent) closeJournal() error {
	if a.loop == nil || a.loop.journal == nil {
		return nil
	}
	return a.loop.journal.close()
}

// assemble makes the parts and connects them.
func (a *Agent) assemble(d Deps) error {
	ip, port := a.cfg.address(a.listener.Addr())
	info, err := a.info(port)
	if err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	fetchCfg := a.cfg.Fetch
	if fetchCfg.Log = d.Log.With("component", "fetcher"); fetchCfg.CacheDir == "" {
		fetchCfg.CacheDir = filepath.Join(a.cfg.WorkDir, "fetch")
	}
	fetcher, err := fetch.New(fetchCfg)
	if err != nil {
		return err
	}
	endpoint := hostPort(ip, port)
	a.loop = &loop{
		cfg: a.cfg, deps: d, log: a.log, home: a.home, bootID: boot, endpoint: endpoint,
		inbox: make(chan func(), inboxSize), done: make(chan struct{}),
		fetcher: fetcher, containers: make(map[ids.ContainerID]*container), others: make(map[ids.ContainerID]*isolator.Usage), nested: nested.New(), guests: make(map[ids.ContainerID]*guest), slots: make(chan struct{}, maxLaunches), probing: make(chan struct{}, maxProbes), streams: make(map[ids.ContainerID]*executorStream),
		over: newOversubscription(a.cfg),
		core: core.New(core.Config{
			Agent: info, Version: d.Version.GetVersion(), Address: endpoint, IP: ip,
			ShutdownGrace:                 a.cfg.ExecutorShutdownGrace,
			ExecutorRegistrationTimeout:   a.cfg.ExecutorRegistrationTimeout,
			ExecutorReregistrationTimeout: a.cfg.ExecutorReregistrationTimeout,
			NewID:                         func() [16]byte { return uuid.New() },
			MaxCompletedFrameworks:        a.cfg.MaxCompletedFrameworks,
			MaxCompletedTasksPerFramework: a.cfg.MaxCompletedTasksPerFramework,
		}),
	}
	if info.Id == nil { // nobody waits to hear of tasks of an agent that is forgotten
		if err := forgetJournal(a.cfg.WorkDir); err != nil {
			return err
		}
	}
	if a.loop.journal, a.loop.recovered, a.loop.recoveryErrors, err = openJournal(a.cfg.WorkDir, a.cfg.Strict, a.log); err != nil {
		return err
	}
	a.linker = &linker{
		detector: d.Detector, dial: dialGRPC, factor: a.cfg.RegistrationBackoffFactor, random: random(),
		log: d.Log.With("component", "link"), owner: a.loop,
	}
	a.server = &server{
		snapshot: a.loop.snapshot, log: d.Log.With("component", "http"), workDir: a.cfg.WorkDir, endpoint: endpoint,
		logLevel: d.LogLevel, logFile: d.LogFile, images: d.Images, flags: d.Flags, version: d.Version, start: time.Now(), owner: a.loop, nestedOwner: a.loop, sessions: session.New(func(ctx context.Context, id isolator.ID, s containerizer.ExecSpec, io containerizer.Streams) (containerizer.Process, error) {
			return d.Containers.Exec(ctx, id, s, io)
		}),
	}
	return nil
}

// random returns a source of numbers that no other agent has.
func random() func() float64 {
	var seed [32]byte
	_, _ = cryptorand.Read(seed[:]) // never fails (package crypto/rand)
	return rand.New(rand.NewChaCha8(seed)).Float64
}

// info is how the agent registers: under the id it had, if it had one.
func (a *Agent) info(port int) (*v1.AgentInfo, error) {
	id, err := a.home.load()
	if err != nil {
		return nil, err
	}
	sample, err := node.Read(os.DirFS("/proc"))
	if err != nil {
		return nil, err
	}
	disk, err := diskBytes(a.cfg.WorkDir)
	if err != nil {
		return nil, err
	}
	total, err := capacity(a.cfg.Resources, machine{cpus: sample.CPUs, memBytes: sample.MemTotalBytes, diskBytes: disk})
	if err != nil {
		return nil, err
	}
	attributes, err := parseAttributes(a.cfg.Attributes)
	if err != nil {
		return nil, err
	}
	info := &v1.AgentInfo{
		Hostname: proto.String(a.cfg.Hostname), Port: proto.Int32(int32(port)),
		Resources: total.Proto(), Attributes: attributes,
	}
	if id.AgentID != "" {
		info.Id = id.AgentID.Proto()
	}
	return info, nil
}

// Addr is the address the agent listens on, "ip:port".
func (a *Agent) Addr() string { return a.listener.Addr().String() }

// Progress tells the agent how far the pull for a container's launch has come.
// Call it as often as is known; what is worth it is passed on to the framework.
func (a *Agent) Progress(id isolator.ID, p images.Progress) {
	a.loop.progressed(ids.ContainerID(id), pulled(p))
}

// pulled says p in words.
func pulled(p images.Progress) string {
	switch {
	case p.TotalBytes == 0:
		return "Pulling the image"
	case p.DoneBytes >= p.TotalBytes:
		return "Unpacking the image"
	}
	return fmt.Sprintf("Pulling the image: %d of %d MiB", p.DoneBytes>>20, p.TotalBytes>>20)
}

// Run serves until ctx ends and returns nil; an error means that it could not
// go on, or that the master removed the agent. First it takes over what an
// earlier agent on the same work_dir left, and destroys what is nobody's.
func (a *Agent) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.loop.journal.close(), a.home.close()) }()
	if err := a.loop.recover(ctx); err != nil {
		return errors.Join(err, a.listener.Close())
	}
	a.log.Info("agent started", "address", a.Addr(), "work_dir", a.cfg.WorkDir)
	// The loop ends when ctx does, or one of the others fails, and only then do
	// they: it may need them to end its tasks.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var g errgroup.Group
	g.Go(func() error {
		defer end()
		return a.loop.run(ctx)
	})
	g.Go(func() error {
		defer stop()
		return a.linker.run(serving)
	})
	g.Go(func() error {
		defer stop()
		return a.serve(serving)
	})
	err = g.Wait()
	a.server.sessions.Close(context.WithoutCancel(ctx))
	return err
}

// dawdleTimeout bounds how long a request may take to arrive, and each part of
// an answer to be taken.
const dawdleTimeout = 30 * time.Second

// serve answers HTTP until ctx ends.
func (a *Agent) serve(ctx context.Context) error {
	srv := &http.Server{
		Handler:           deadline.Handler(a.server, dawdleTimeout),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })() // Serve returns the reason
	if err := srv.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
