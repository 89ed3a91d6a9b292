package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"mezzo/agent"
	"mezzo/cli"
	"mezzo/election"
	"mezzo/internal/dirlock"
	"mezzo/internal/errs"
	"mezzo/internal/loglevel"
	"mezzo/master"
)

// local is `mezzo local`: what its flags say.
type local struct {
	loud    *loglevel.Level
	logFile string
	p       process
	master  master.Config
	agent   agent.Config // of each agent, less what tells them apart
	node    nodeConfig
	agents  int
	workDir string
	flags   func() map[string]string
}

func newLocal(p process, name string) *service {
	s := newService(p, name, "Runs a master and agents in one process: a cluster to try. Its tasks end with it.")
	l := &local{p: p, master: master.Default(), agent: agent.Default(), agents: 1, workDir: "/var/lib/mezzo/local", flags: s.flags.Values}
	l.master.IP = "127.0.0.1"
	s.flags.String(&l.master.IP, "ip", "Address that master and agents listen on.")
	s.flags.Int(&l.master.Port, "port", "Port of the master; 0 takes a free one. Beside the default, agents take 5051 and up,\notherwise free ports.")
	s.flags.Int(&l.agents, "agents", "Number of agents. Each offers the whole machine unless --resources are given.")
	s.flags.String(&l.master.Hostname, "hostname", "Name told to others.")
	s.flags.Path(&l.workDir, "work_dir", "Directory for everything.")
	masterTuning(s.flags, &l.master)
	agentTuning(s.flags, &l.agent)
	l.node.add(s.flags)
	s.run = func(ctx context.Context, log *slog.Logger) error {
		l.loud, l.logFile = s.loud, s.logFile()
		return l.run(ctx, log)
	}
	return s
}

func (l *local) run(ctx context.Context, log *slog.Logger) error {
	if l.agents < 0 || l.agents > 1000 {
		return fmt.Errorf("--agents=%d: want 0 to 1000: %w", l.agents, errs.Invalid)
	}
	dir, err := filepath.Abs(l.workDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil { // tasks of any user have sandboxes in it
		return fmt.Errorf("open work_dir: %w", err)
	}
	// Before anything else: what a second one made, it would end.
	lock, err := dirlock.Take(dir)
	if err != nil {
		return fmt.Errorf("open work_dir: %w", err)
	}
	defer lock.Close()
	l.master.WorkDir = filepath.Join(dir, "master")
	e, replica, err := (&replicaConfig{initialize: true}).open(ctx, &l.master, log)
	if err != nil {
		return err
	}
	return errors.Join(l.lead(ctx, master.Deps{Log: log, LogLevel: l.loud, LogFile: l.logFile, Flags: l.flags(), Version: versionInfo(), Contender: e, Replica: replica.Server()}, dir), e.Close())
}

// lead runs the master, and the agents if there are to be any.
func (l *local) lead(ctx context.Context, d master.Deps, dir string) error {
	m, err := master.New(l.master, d)
	if err != nil {
		return err
	}
	if l.agents == 0 {
		l.greet(m.Addr())
		return m.Run(ctx)
	}
	machine, err := l.node.open(ctx, dir, d.Log)
	if err != nil {
		return err
	}
	return errors.Join(l.together(ctx, m, machine, dir), machine.stop(ctx))
}

// together runs master and agents until ctx ends or one of them fails; agents
// end first, so that the master hears of their tasks' end.
func (l *local) together(ctx context.Context, m *master.Master, machine *machine, dir string) error {
	detector, err := election.Parse(m.Addr())
	if err != nil {
		return err
	}
	var agents []*agent.Agent
	for i := range l.agents {
		a, err := machine.agent(ctx, l.agentConfig(i, dir), agentDeps{detector: detector, flags: l.flags(), loud: l.loud, logFile: l.logFile})
		if err != nil {
			return err
		}
		agents = append(agents, a)
	}
	masterCtx, stopMaster := context.WithCancel(context.WithoutCancel(ctx))
	defer stopMaster()
	running, agentsCtx := errgroup.WithContext(ctx)
	masterDone := make(chan error, 1)
	go func() { masterDone <- m.Run(masterCtx) }()
	running.Go(func() error {
		select {
		case err := <-masterDone:
			masterDone <- err
			return fmt.Errorf("master ended: %w", err)
		case <-agentsCtx.Done():
			return nil
		}
	})
	for _, a := range agents {
		running.Go(func() error { return a.Run(agentsCtx) })
	}
	l.greet(m.Addr())
	err = running.Wait()
	stopMaster()
	return errors.Join(err, <-masterDone)
}

func (l *local) agentConfig(i int, dir string) agent.Config {
	c := l.agent
	c.IP, c.Hostname, c.DestroyOnExit = l.master.IP, l.master.Hostname, true
	c.WorkDir = filepath.Join(dir, "agent"+strconv.Itoa(i))
	c.Port = 0
	if l.master.Port == master.DefaultPort {
		c.Port = agent.DefaultPort + i
	}
	if l.agents > 1 {
		c.Hostname += "-" + strconv.Itoa(i)
	}
	return c
}

// greet tells on stdout what is there and what to do with it.
func (l *local) greet(addr string) {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	fmt.Fprintf(l.p.stdout, "mezzo is up at http://%s with %d agent(s). In another terminal:\n\n", addr, l.agents)
	if addr != cli.DefaultMaster {
		fmt.Fprintf(l.p.stdout, "  export MEZZO_MASTER=%s\n", addr)
	}
	fmt.Fprint(l.p.stdout, "  mezzo run --image busybox -- echo hello\n  mezzo ps\n  mezzo top\n\nCtrl-C ends it, with all its tasks.\n")
}
