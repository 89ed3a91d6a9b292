package master

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/election"
	"mezzo/master/registry"
	"mezzo/replog"
	"mezzo/replog/state"
)

// Ensemble contends through the replicated log, and keeps the registry in it.
// With ZooKeeper, that decides who contends.
type Ensemble struct {
	log     *replog.Log
	state   *state.State
	zk      *election.ZooKeeper // nil: the log alone decides
	logger  *slog.Logger
	leader  atomic.Pointer[string]       // as ZooKeeper says
	current atomic.Pointer[state.Leader] // nil while this master does not lead
	stop    context.CancelFunc
	ended   chan struct{}
}

var _ Contender = (*Ensemble)(nil)

// NewEnsemble follows the log, and closes it when it is closed itself.
func NewEnsemble(log *replog.Log, zk *election.ZooKeeper, logger *slog.Logger) *Ensemble {
	ctx, stop := context.WithCancel(context.Background())
	e := &Ensemble{log: log, state: state.Open(log, state.Config{}), zk: zk, logger: logger, stop: stop, ended: make(chan struct{})}
	e.leader.Store(new(string))
	go e.watch(ctx)
	return e
}

// Close ends the replica.
func (e *Ensemble) Close() error {
	e.stop()
	<-e.ended
	e.state.Close()
	return e.log.Close()
}

// State is what the log holds, as this replica knows it.
func (e *Ensemble) State() *state.State { return e.state }

// watch keeps what ZooKeeper says.
func (e *Ensemble) watch(ctx context.Context) {
	defer close(e.ended)
	if e.zk == nil {
		return
	}
	detector := e.zk.Detector()
	for before := ""; ctx.Err() == nil; {
		leader, err := detector.Watch(ctx, before)
		if err != nil {
			leader = ""
		}
		e.leader.Store(&leader)
		before = leader
	}
}

// Leader is who leads: as ZooKeeper says, or the log.
func (e *Ensemble) Leader() string {
	if e.zk != nil {
		return *e.leader.Load()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	addr, err := e.log.Leader(ctx)
	if err != nil {
		return ""
	}
	return addr
}

// Alone says that there are no other masters.
func (e *Ensemble) Alone() bool { return e.zk == nil && e.log.Voters() == 1 }

// Replicas is how many vote, and whether this one knows what is chosen.
func (e *Ensemble) Replicas() (voters int, recovered bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := e.log.Status(ctx)
	if err != nil {
		return 0, false
	}
	for _, m := range s.GetMembers() {
		if m.GetVotes() {
			voters++
		}
	}
	return voters, s.GetEnsemble() != ""
}

// electTimeout is how long ZooKeeper's leader may need to lead the log, before
// another one has a try.
// Source: mesos, --registry_fetch_timeout.
const electTimeout = time.Minute

// Contend implements Contender.
func (e *Ensemble) Contend(ctx context.Context, info *v1.MasterInfo) (Reign, error) {
	for {
		r, err := e.contend(ctx, info)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		e.logger.Warn("did not come to lead, trying on", "err", err)
		select { // who fails at once is not to try at once
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (e *Ensemble) contend(ctx context.Context, info *v1.MasterInfo) (_ Reign, err error) {
	r := &reign{}
	defer func() {
		if err != nil {
			r.Resign()
		}
	}()
	within := ctx
	if e.zk != nil {
		if r.term, err = e.zk.Contend(ctx, info); err != nil {
			return nil, err
		}
		timed, cancel := context.WithTimeoutCause(r.term.Context(), electTimeout, fmt.Errorf("the log elected nobody within %v", electTimeout))
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		within = timed
	}
	if r.writer, err = e.log.Elect(within); err != nil {
		return nil, err
	}
	if r.leader, err = e.state.Lead(within, r.writer); err != nil {
		return nil, err
	}
	r.state = e.state
	e.current.Store(r.leader)
	base := context.WithoutCancel(ctx)
	if r.term != nil {
		base = r.term.Context()
	}
	r.ctx, r.end = context.WithCancelCause(base)
	go func() {
		select {
		case <-r.writer.Done():
			r.end(replog.ErrDemoted)
		case <-r.ctx.Done():
		}
		e.current.CompareAndSwap(r.leader, nil)
	}()
	return r, nil
}

// reign is a term of the log, and of ZooKeeper if that decides.
type reign struct {
	ctx    context.Context
	end    context.CancelCauseFunc
	term   election.Term // nil without ZooKeeper
	writer *replog.Writer
	leader *state.Leader
	state  *state.State
}

func (r *reign) Context() context.Context { return r.ctx }

func (r *reign) Until() time.Time {
	until := r.writer.Until()
	if r.term != nil && r.term.Until().Before(until) {
		return r.term.Until()
	}
	return until
}

func (r *reign) Load() iter.Seq2[registry.Change, error] {
	return func(yield func(registry.Change, error) bool) {
		for _, v := range r.state.All(registry.Prefix) {
			if !yield(registry.Change{Name: v.Name(), Value: v.Value()}, nil) {
				return
			}
		}
	}
}

func (r *reign) SizeBytes() int64 { return r.state.Stats().LiveBytes }

// together bounds what is one entry of the log, in changes and bytes: agents that
// come back to a new master come by thousands.
const (
	together      = 1000
	togetherBytes = 1 << 20
)

// Commit implements Reign. What is too much for one entry is several, of which
// the last is told: a master that fails between them has acted on none.
func (r *reign) Commit(ctx context.Context, changes []registry.Change, done func(error)) {
	for len(changes) > 0 {
		n, bytes, t := 0, 0, state.Txn{}
		for ; n < len(changes) && n < together && bytes < togetherBytes; n++ {
			v := state.New(changes[n].Name)
			if bytes += len(changes[n].Value); changes[n].Value == nil {
				t.Delete = append(t.Delete, v)
			} else {
				t.Put = append(t.Put, v.Mutate(changes[n].Value))
			}
		}
		changes = changes[n:]
		told := func(error) {}
		if len(changes) == 0 {
			told = done
		}
		if err := r.leader.Set(ctx, t, told); err != nil {
			done(err)
			return
		}
	}
}

// resignTimeout bounds how long giving up may take.
const resignTimeout = time.Second

func (r *reign) Resign() {
	if r.end != nil {
		r.end(context.Canceled)
	}
	if r.writer != nil {
		ctx, cancel := context.WithTimeout(context.Background(), resignTimeout)
		defer cancel()
		_ = r.writer.Resign(ctx) // or its lease ends
	}
	if r.term != nil {
		r.term.Resign()
	}
}
