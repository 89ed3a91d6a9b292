package election

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"mezzo/internal/errs"
)

// Why a term ends.
var (
	errSilence  = fmt.Errorf("leadership is in doubt: no answer of ZooKeeper for most of the session timeout: %w", errs.Unavailable)
	errExpired  = fmt.Errorf("leadership is lost: ZooKeeper has ended the session: %w", errs.Unavailable)
	errRemoved  = fmt.Errorf("leadership is lost: the contender's znode is gone: %w", errs.Unavailable)
	errResigned = errors.New("leadership was given up")
)

// asksPerLease is how often the servers are asked in the time after which
// leadership would be in doubt. What counts for them is when they were last told
// of the one before, so it must be small beside the third that lease leaves.
const asksPerLease = 8

// term is a candidacy, and what follows if it is won.
type term struct {
	s    session
	log  *slog.Logger
	path string // of the contest
	name string // of our znode in it

	ctx    context.Context // ends with the candidacy, or the term
	end    context.CancelCauseFunc
	won    chan struct{} // closed when the term begins
	closed chan struct{} // closed when the session is
	until  atomic.Pointer[time.Time]

	// Of keep alone.
	leads   bool
	doubt   *time.Timer     // fires at until, if leads
	asking  bool            // an answer is to come
	changed <-chan struct{} // nil if no watch is set
	answers chan answer
}

// answer is what was said to the question who contends.
type answer struct {
	asked   time.Time
	names   []string
	changed <-chan struct{}
	err     error
}

func newTerm(ctx context.Context, s session, log *slog.Logger, path, name string) *term {
	t := &term{
		s: s, log: log, path: path, name: name,
		won: make(chan struct{}), closed: make(chan struct{}), answers: make(chan answer, 1),
	}
	t.ctx, t.end = context.WithCancelCause(ctx)
	t.until.Store(new(time.Time))
	return t
}

// Context ends when leadership does.
func (t *term) Context() context.Context { return t.ctx }

// Until is when it does, unless ZooKeeper answers before.
func (t *term) Until() time.Time { return *t.until.Load() }

// Resign ends the session, and with it our znode.
func (t *term) Resign() {
	t.end(errResigned)
	<-t.closed
}

// keep asks who contends, at each change and often enough to know that the
// session lives, until the end. It owns the session.
func (t *term) keep() {
	defer close(t.closed)
	defer t.s.close()
	t.doubt = time.NewTimer(0)
	<-t.doubt.C
	tick := time.NewTicker(t.s.lease() / asksPerLease)
	defer tick.Stop()
	t.ask()
	for t.ctx.Err() == nil {
		select {
		case <-t.ctx.Done():
		case <-t.doubt.C:
			t.end(errSilence)
		case <-t.s.expired():
			t.end(errExpired)
		case <-tick.C:
			t.ask()
		case <-t.changed:
			t.changed = nil
			t.ask()
		case a := <-t.answers:
			t.asking = false
			t.take(a)
		}
	}
	t.doubt.Stop()
	if t.leads {
		t.log.Info("leadership ended", "znode", t.name, "err", context.Cause(t.ctx))
	}
}

// ask sends a question, unless an answer is still to come.
func (t *term) ask() {
	if t.asking {
		return
	}
	t.asking = true
	watch := t.changed == nil
	go func() {
		a := answer{asked: time.Now()}
		if a.err = t.s.prove(t.path + "/" + t.name); a.err == nil {
			a.names, a.changed, a.err = t.s.children(t.path, watch)
		}
		t.answers <- a
	}()
}

// take learns from an answer. One with an error says nothing, not even that the
// session is lost: the next tick asks again.
func (t *term) take(a answer) {
	select {
	case <-t.s.expired(): // what the library's next session says counts for nothing
		t.end(errExpired)
		return
	default:
	}
	if a.err != nil && !errors.Is(a.err, errs.NotFound) {
		t.log.Debug("no answer from ZooKeeper", "err", a.err)
		return
	}
	if a.changed != nil {
		t.changed = a.changed
	}
	names := contenders(a.names)
	if !slices.Contains(names, t.name) {
		t.end(errRemoved)
		return
	}
	until := a.asked.Add(t.s.lease())
	t.until.Store(&until)
	left := time.Until(until)
	if !t.leads && names[0] == t.name && left > 0 {
		t.leads = true
		t.log.Info("elected as leading master", "znode", t.name)
		close(t.won)
	}
	if t.leads {
		t.doubt.Reset(left)
	}
	if t.changed == nil {
		t.ask() // a change came while we asked
	}
}
