package state

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/replog"
)

// Writer is what is needed of a term of leadership; *replog.Writer is one.
type Writer interface {
	Start() uint64
	Append(ctx context.Context, data []byte, done func(position uint64, err error)) error
	Truncate(ctx context.Context, to uint64, done func(error)) error
	Confirm(ctx context.Context) error
	Done() <-chan struct{}
}

// Store is what a program does with variables: where the log is led (Leader), or
// from elsewhere (mezzo/replog/state/remote).
type Store interface {
	// Fetch is the newest of a variable: New(name) if there is none.
	Fetch(ctx context.Context, name string) (Variable, error)
	// Names are the names with a prefix, in order.
	Names(ctx context.Context, prefix string) ([]string, error)
	// Store stores a variable unless it was stored or expunged since it was
	// fetched; then it is not stored, and what is returned is what there is.
	Store(ctx context.Context, v Variable) (stored Variable, ok bool, err error)
	// Expunge removes a variable unless it was stored or expunged since it was
	// fetched; then it says false.
	Expunge(ctx context.Context, v Variable) (bool, error)
	// Commit makes all changes of a transaction, if none of its variables was
	// stored or expunged since it was fetched; else none. It returns what there is
	// then of those in Put.
	Commit(ctx context.Context, t Txn) (now []Variable, ok bool, err error)
}

var _ Store = (*Leader)(nil)

// Leader is a State whose replica leads: it changes variables, and knows the
// newest. All methods may be called by any goroutine.
//
// Errors of all: replog.ErrDemoted, in which case a change may have been made or
// not; ctx's, likewise.
type Leader struct {
	s *State
	w Writer

	order      sync.Mutex     // held from deciding about an entry until it is appended
	flying     map[string]int // changes under way; guarded by s.mu
	truncating bool           // guarded by s.mu
}

// Lead begins a term, once all that is from before it is applied.
func (s *State) Lead(ctx context.Context, w Writer) (*Leader, error) {
	l := &Leader{s: s, w: w, flying: map[string]int{}}
	err := l.await(ctx, func() bool { return s.applied >= w.Start() })
	if err != nil {
		return nil, fmt.Errorf("lead from position %d: %w", w.Start(), err)
	}
	return l, nil
}

// await waits for something of the state. ok is called with s.mu held.
func (l *Leader) await(ctx context.Context, ok func() bool) error {
	for {
		l.s.mu.Lock()
		done, err, changed := ok(), l.s.err, l.s.changed
		l.s.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-l.w.Done():
			return replog.ErrDemoted
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Fetch implements Store.
func (l *Leader) Fetch(ctx context.Context, name string) (Variable, error) {
	if err := checkName(name); err != nil {
		return Variable{}, fmt.Errorf("fetch variable: %w", err)
	}
	v := l.s.Get(name)
	if err := l.w.Confirm(ctx); err != nil {
		return Variable{}, fmt.Errorf("fetch variable %q: %w", name, err)
	}
	return v, nil
}

// Names implements Store.
func (l *Leader) Names(ctx context.Context, prefix string) ([]string, error) {
	all := l.s.All(prefix)
	if err := l.w.Confirm(ctx); err != nil {
		return nil, fmt.Errorf("list variables %q: %w", prefix, err)
	}
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = v.name
	}
	return names, nil
}

// Store implements Store.
func (l *Leader) Store(ctx context.Context, v Variable) (stored Variable, ok bool, err error) {
	all, ok, err := l.Commit(ctx, Txn{Put: []Variable{v}})
	if err != nil {
		return Variable{}, false, err
	}
	return all[0], ok, nil
}

// Expunge implements Store.
func (l *Leader) Expunge(ctx context.Context, v Variable) (bool, error) {
	_, ok, err := l.Commit(ctx, Txn{Delete: []Variable{v}})
	return ok, err
}

// Txn is what is changed together or not at all.
type Txn struct {
	Put, Delete []Variable
}

func (t Txn) all() []Variable { return append(append([]Variable{}, t.Put...), t.Delete...) }

// Commit implements Store.
func (l *Leader) Commit(ctx context.Context, t Txn) (now []Variable, ok bool, err error) {
	if err := l.check(t); err != nil {
		return nil, false, fmt.Errorf("commit: %w", err)
	}
	for {
		// A change under way decides which versions are the newest.
		idle := func() bool { return l.idle(t) }
		if err := l.await(ctx, idle); err != nil {
			return nil, false, fmt.Errorf("commit: %w", err)
		}
		l.order.Lock()
		l.s.mu.Lock()
		still, stale := l.idle(t), l.stale(t)
		l.s.mu.Unlock()
		switch {
		case !still:
			l.order.Unlock()
			continue
		case stale:
			l.order.Unlock()
			now := l.current(t)
			if err := l.w.Confirm(ctx); err != nil {
				return nil, false, fmt.Errorf("commit: %w", err)
			}
			return now, false, nil
		}
		version, err := l.appendWait(ctx, t) // unlocks order
		if err != nil {
			return nil, false, fmt.Errorf("commit %d changes: %w", len(t.Put)+len(t.Delete), err)
		}
		for _, v := range t.Put {
			now = append(now, Variable{v.name, version, v.value})
		}
		return now, true, nil
	}
}

func (l *Leader) appendWait(ctx context.Context, t Txn) (version uint64, err error) {
	type result struct {
		version uint64
		err     error
	}
	done := make(chan result, 1)
	err = l.append(ctx, t, func(p uint64, err error) { done <- result{p, err} })
	l.order.Unlock()
	if err != nil {
		return 0, err
	}
	select {
	case r := <-done:
		return r.version, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("outcome unknown: %w", context.Cause(ctx))
	}
}

// Set makes all changes of a transaction whatever there was, after all that was
// handed over before. done is told when it is done; it must not block.
func (l *Leader) Set(ctx context.Context, t Txn, done func(error)) error {
	if err := l.check(t); err != nil {
		return fmt.Errorf("set: %w", err)
	}
	l.order.Lock()
	defer l.order.Unlock()
	return l.append(ctx, t, func(_ uint64, err error) { done(err) })
}

func (l *Leader) check(t Txn) error {
	bytes, seen := 0, map[string]bool{}
	for _, v := range t.all() {
		if err := checkName(v.name); err != nil {
			return err
		}
		if seen[v.name] {
			return fmt.Errorf("variable %q is in it twice: %w", v.name, errs.Invalid)
		}
		seen[v.name] = true
		bytes += len(v.name) + len(v.value) + overhead
	}
	if limit := l.limit(); bytes > limit {
		return fmt.Errorf("%d variables of %d bytes are more than the %d that may change together: %w", len(seen), bytes, limit, errs.Exhausted)
	}
	return nil
}

// limit leaves room in an entry to take along a variable as large.
func (l *Leader) limit() int { return l.s.log.MaxEntryBytes() / 2 }

// overhead is more than what a change takes beside name and value.
const overhead = 40

func (l *Leader) idle(t Txn) bool {
	for _, v := range t.all() {
		if l.flying[v.name] > 0 {
			return false
		}
	}
	return true
}

func (l *Leader) stale(t Txn) bool {
	for _, v := range t.all() {
		if l.s.get(v.name).version != v.version {
			return true
		}
	}
	return false
}

func (l *Leader) current(t Txn) []Variable {
	now := make([]Variable, len(t.Put))
	for i, v := range t.Put {
		now[i] = l.s.Get(v.name)
	}
	return now
}

// append hands an entry to the log: the changes, and what cleaning takes along.
// l.order is held.
func (l *Leader) append(ctx context.Context, t Txn, done func(version uint64, err error)) error {
	changes := &api.Changes{}
	for _, v := range t.Put {
		changes.Changes = append(changes.Changes, put(v.name, 0, v.value))
	}
	for _, v := range t.Delete {
		changes.Changes = append(changes.Changes, &api.Change{Change: &api.Change_Delete{Delete: v.name}})
	}
	own := proto.Size(changes)
	l.s.mu.Lock()
	for _, c := range changes.GetChanges() {
		l.flying[nameOf(c)]++
	}
	for _, c := range l.keep(own) {
		l.flying[nameOf(c)]++
		changes.Changes = append(changes.Changes, c)
	}
	l.s.mu.Unlock()
	data, err := proto.Marshal(changes)
	if err == nil {
		err = l.w.Append(ctx, data, func(position uint64, err error) {
			if err == nil {
				err = l.s.apply(replog.Entry{Position: position, Data: data}, changes)
			}
			l.landed(changes)
			done(position, err)
		})
	}
	if err != nil {
		l.landed(changes)
	}
	return err
}

func put(name string, version uint64, value []byte) *api.Change {
	return &api.Change{Change: &api.Change_Put{Put: &api.Variable{Name: name, Version: version, Value: value}}}
}

func nameOf(c *api.Change) string {
	if p := c.GetPut(); p != nil {
		return p.GetName()
	}
	return c.GetDelete()
}

func (l *Leader) landed(changes *api.Changes) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	for _, c := range changes.GetChanges() {
		name := nameOf(c)
		if l.flying[name]--; l.flying[name] == 0 {
			delete(l.flying, name)
		}
	}
	l.s.notify()
	l.truncate()
}
