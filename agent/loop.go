package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mezzo/agent/core"
	"mezzo/agent/fetch"
	"mezzo/agent/nested"
	"mezzo/api/ids"
	"mezzo/api/link"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

const (
	// inboxSize is how many results and questions may wait for the loop; who
	// comes then has to wait as well.
	inboxSize = 256
	// exitTimeout is how long the containers of an agent that ends may take.
	exitTimeout = time.Minute
)

// errEnded answers who asks a loop that is over.
var errEnded = fmt.Errorf("the agent has ended: %w", errs.Unavailable)

// loop owns the agent's state: everything in it but the channels is touched by
// the goroutine of run alone.
type loop struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	home     *home
	bootID   string
	endpoint string // of the HTTP API, "ip:port"
	fetcher  *fetch.Fetcher

	inbox chan func()   // what others want done in the loop
	done  chan struct{} // closed by run at its end

	core       *core.Core
	journal    *journal
	conn       *conn // nil while detached
	containers map[ids.ContainerID]*container
	slots      chan struct{} // held by each launch under way
	probing    chan struct{} // held by each attempt of a check under way
	resisting  []isolator.ID // orphans that recovery could not remove
	sweeping   bool
	measuring  bool
	disk       map[ids.ContainerID]diskUse         // measured last; never changed
	node       *isolator.Usage                     // the node's newest sample
	others     map[ids.ContainerID]*isolator.Usage // newest samples of groups and nested containers
	nested     *nested.Table
	guests     map[ids.ContainerID]*guest // of the table's
	gc         collection
	over       oversubscription
	reports    pace // of usage
	exit       *core.Exit
	streams    map[ids.ContainerID]*executorStream // of executors

	recovered       recovered         // until recover takes it over
	recoveryErrors  int               // what was damaged of it
	recovering      []core.Effect     // to be carried out once run runs
	recoveredNested []ids.ContainerID // to be waited for then

	ctx     context.Context // of the workers; ends with run
	workers sync.WaitGroup
}

// run serves until ctx ends, and then, if tasks are to end with the agent,
// until they have.
func (l *loop) run(ctx context.Context) error {
	var stopWorkers context.CancelFunc
	l.ctx, stopWorkers = context.WithCancel(context.WithoutCancel(ctx))
	defer l.workers.Wait()
	defer stopWorkers()
	defer close(l.done)

	for _, id := range l.resisting {
		l.workers.Go(func() { l.goOnRemoving(id) })
	}
	wake := time.NewTimer(0)
	defer wake.Stop()
	sweep := time.NewTicker(l.cfg.UsageInterval)
	defer sweep.Stop()
	measure := time.NewTicker(l.cfg.ContainerDiskWatchInterval)
	defer measure.Stop()
	collect := time.NewTicker(l.cfg.DiskWatchInterval)
	defer collect.Stop()
	var late <-chan time.Time
	stop := ctx.Done()
	l.take(l.recovering)
	l.recovering = nil
	l.settle() // what they are nested in is there before them
	l.adoptNested()
	if l.cfg.Recover == RecoverCleanup {
		l.step(core.Stop{Why: "The agent was started with --recover=cleanup"})
	}
	for l.settle(); l.exit == nil; l.settle() {
		inbox := l.inbox
		if l.journal.full() {
			inbox = nil
		}
		select {
		case f := <-inbox:
			f()
			l.takeMore()
		case <-l.retry():
		case <-wake.C:
			l.step(core.Tick{})
		case <-sweep.C:
			l.sweep()
		case <-measure.C:
			l.measureDisk()
		case <-collect.C:
			l.collect()
		case <-stop:
			if !l.cfg.DestroyOnExit {
				return nil
			}
			stop = nil
			late = time.After(exitTimeout)
			l.step(core.Stop{Why: "The agent shuts down"})
		case <-late:
			return fmt.Errorf("end containers: not done after %v: %w", exitTimeout, errs.Unavailable)
		}
		l.arm(wake)
	}
	if err := l.endStandalone(context.WithoutCancel(ctx)); err != nil {
		l.log.Warn("end standalone containers", "err", err)
	}
	if l.exit.Removed {
		return errors.Join(fmt.Errorf("removed by the master: %s: %w", l.exit.Why, errs.Conflict), l.home.forget(), l.journal.forget(l.cfg.WorkDir))
	}
	return nil
}

// takeMore takes what else waits, so that it is made durable together.
func (l *loop) takeMore() {
	for range inboxSize {
		select {
		case f := <-l.inbox:
			f()
		default:
			return
		}
	}
}

// settle makes durable what changed, and does what follows from it.
func (l *loop) settle() {
	for {
		effects, then := l.journal.commit()
		if len(effects)+len(then) == 0 {
			return
		}
		for _, e := range effects {
			l.perform(e)
		}
		for _, f := range then {
			f()
		}
	}
}

// retry comes when a disk that took nothing should be asked again.
func (l *loop) retry() <-chan time.Time {
	if !l.journal.failing {
		return nil
	}
	return time.After(retryPause)
}

// arm sets t to the core's next wake.
func (l *loop) arm(t *time.Timer) {
	if at, ok := l.core.NextWake(); ok {
		t.Reset(time.Until(at))
		return
	}
	t.Stop()
}

// step lets ev happen. What follows from it is done by settle.
func (l *loop) step(ev core.Event) { l.take(l.core.Step(time.Now(), ev)) }

func (l *loop) take(effects []core.Effect) {
	for _, e := range effects {
		if l.journal.take(e) {
			l.perform(e)
		}
	}
}

func (l *loop) perform(e core.Effect) {
	switch e := e.(type) {
	case core.Send:
		if l.conn != nil {
			l.conn.send(e.Message)
		}
	case core.Launch:
		l.launch(e)
	case core.Adopt:
		l.adopt(e)
	case core.Abort:
		if c := l.containers[e.Container]; c != nil { // else it ended before it was durable
			c.abort()
		}
	case core.Terminate:
		l.signal(e.Container, term)
	case core.Slay:
		l.signal(e.Container, kill)
	case core.Destroy:
		l.destroy(e.Container)
	case core.Resize:
		l.resize(e)
	case core.Tell:
		l.tell(e)
	case core.Probe:
		l.probe(e)
	case core.Volumes:
		l.volumes(e)
	case core.Exit:
		l.exit = &e
	case core.Trace:
		l.trace(e)
	}
}

var levels = map[core.Level]slog.Level{core.Debug: slog.LevelDebug, core.Info: slog.LevelInfo, core.Warn: slog.LevelWarn}

func (l *loop) trace(t core.Trace) {
	attrs := make([]slog.Attr, len(t.Attrs))
	for i, a := range t.Attrs {
		attrs[i] = slog.String(a.Key, a.Value)
	}
	l.log.LogAttrs(l.ctx, levels[t.Level], t.Message, attrs...)
}

// post has f done in the loop, some time.
func (l *loop) post(ctx context.Context, f func()) error {
	select {
	case l.inbox <- f:
		return nil
	case <-l.done:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// result posts what a worker found out. A loop that is over needs it no more.
func (l *loop) result(f func()) { _ = l.post(context.WithoutCancel(l.ctx), f) }

// progressed tells of a launch's progress, unless there is more urgent work.
func (l *loop) progressed(id ids.ContainerID, what string) {
	select {
	case l.inbox <- func() { l.step(core.Progressed{Container: id, What: what}) }:
	default:
	}
}

// ask returns what f returns in the loop.
func ask[T any](ctx context.Context, l *loop, f func() T) (T, error) {
	answer := make(chan T, 1)
	var none T
	if err := l.post(ctx, func() { answer <- f() }); err != nil {
		return none, err
	}
	select {
	case v := <-answer:
		return v, nil
	case <-l.done:
		return none, errEnded
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// hello is asked by the linker, as the following are.
func (l *loop) hello(ctx context.Context) (*link.Hello, error) {
	return ask(ctx, l, l.core.Hello)
}

// attached writes down who the agent is before it acts as such.
func (l *loop) attached(ctx context.Context, w *link.Welcome, c *conn) error {
	id := identity{AgentID: ids.AgentID(w.GetAgentId().GetValue()), BootID: l.bootID}
	if err := ids.Validate("agent", string(id.AgentID)); err != nil {
		return fmt.Errorf("welcome of the master: %w", err)
	}
	if err := l.home.save(id); err != nil {
		return err
	}
	return l.post(ctx, func() {
		l.conn = c
		l.reports = pace{every: millis(w.GetUsageIntervalMillis())}
		l.step(core.Attached{Welcome: w})
	})
}

func (l *loop) received(ctx context.Context, m *link.FromMaster) error {
	return l.post(ctx, func() {
		if r := m.GetRunTask(); r != nil {
			l.runTask(r)
			return
		}
		if r := m.GetRunTaskGroup(); r != nil {
			l.runGroup(r)
			return
		}
		if p := m.GetPing(); p != nil {
			l.reports.every = millis(p.GetUsageIntervalMillis())
		}
		l.step(core.Message{Message: m})
	})
}

func (l *loop) detached(ctx context.Context) error {
	return l.post(ctx, func() {
		l.conn = nil
		l.step(core.Detached{})
	})
}
