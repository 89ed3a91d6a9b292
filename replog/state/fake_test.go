package state

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"mezzo/replog"
)

// fakeLog is a log in memory, shared by the States of all replicas. Appends wait
// in flying until somebody lands or loses them.
type fakeLog struct {
	mu      sync.Mutex
	entries map[uint64][]byte
	begin   uint64
	end     uint64
	limit   int
	writer  *fakeWriter
	changed chan struct{}
}

func newFakeLog() *fakeLog {
	return &fakeLog{entries: map[uint64][]byte{}, begin: 1, end: 1, limit: 1 << 20, changed: make(chan struct{})}
}

func (f *fakeLog) Wait(ctx context.Context, from uint64) (uint64, error) {
	for {
		f.mu.Lock()
		end, changed := f.end, f.changed
		f.mu.Unlock()
		if end > from {
			return end, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (f *fakeLog) Begin() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.begin
}

func (f *fakeLog) MaxEntryBytes() int { return f.limit }

func (f *fakeLog) Read(from, to uint64) iter.Seq2[replog.Entry, error] {
	return func(yield func(replog.Entry, error) bool) {
		for p := from; p < to; p++ {
			f.mu.Lock()
			data, ok := f.entries[p]
			begin := f.begin
			f.mu.Unlock()
			switch {
			case p < begin:
				yield(replog.Entry{}, replog.ErrTruncated)
				return
			case ok && !yield(replog.Entry{Position: p, Data: data}, nil):
				return
			}
		}
	}
}

func (f *fakeLog) bytes() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		n += len(e)
	}
	return n
}

type flight struct {
	data []byte
	to   uint64 // of a truncation
	done func(uint64, error)
}

type fakeWriter struct {
	log    *fakeLog
	start  uint64
	auto   bool // all lands at once
	done   chan struct{}
	flying []flight
}

// elect ends the writer there is: of what it had under way, the first n land.
func (f *fakeLog) elect(n int, auto bool) *fakeWriter {
	if old := f.writer; old != nil {
		old.land(n)
		f.mu.Lock()
		lost := old.flying
		old.flying = nil
		close(old.done)
		f.writer = nil
		f.mu.Unlock()
		for _, l := range lost {
			l.done(0, replog.ErrDemoted)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end++ // a hole that was filled
	close(f.changed)
	f.changed = make(chan struct{})
	f.writer = &fakeWriter{log: f, start: f.end, auto: auto, done: make(chan struct{})}
	return f.writer
}

// land commits the first n that are under way.
func (w *fakeWriter) land(n int) {
	for range n {
		w.log.mu.Lock()
		if len(w.flying) == 0 {
			w.log.mu.Unlock()
			return
		}
		l := w.flying[0]
		w.flying = w.flying[1:]
		p := w.log.end
		if l.to > 0 {
			for q := w.log.begin; q < l.to; q++ {
				delete(w.log.entries, q)
			}
			w.log.begin = max(w.log.begin, l.to)
		} else {
			w.log.entries[p] = l.data
		}
		w.log.end++
		close(w.log.changed)
		w.log.changed = make(chan struct{})
		w.log.mu.Unlock()
		l.done(p, nil)
	}
}

func (w *fakeWriter) hand(l flight) error {
	w.log.mu.Lock()
	if w.log.writer != w {
		w.log.mu.Unlock()
		return replog.ErrDemoted
	}
	w.flying = append(w.flying, l)
	auto := w.auto
	w.log.mu.Unlock()
	if auto {
		w.land(1)
	}
	return nil
}

func (w *fakeWriter) Start() uint64         { return w.start }
func (w *fakeWriter) Done() <-chan struct{} { return w.done }
func (w *fakeWriter) Confirm(context.Context) error {
	select {
	case <-w.done:
		return replog.ErrDemoted
	default:
		return nil
	}
}

func (w *fakeWriter) Append(_ context.Context, data []byte, done func(uint64, error)) error {
	return w.hand(flight{data: slices.Clone(data), done: done})
}

func (w *fakeWriter) Truncate(_ context.Context, to uint64, done func(error)) error {
	return w.hand(flight{to: to, done: func(_ uint64, err error) { done(err) }})
}

func lead(t testing.TB, s *State, w Writer) *Leader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := s.Lead(ctx, w)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// caughtUp waits until s knows all that the log holds.
func caughtUp(t testing.TB, s *State, end uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l := &Leader{s: s, w: &fakeWriter{done: make(chan struct{})}}
	if err := l.await(ctx, func() bool { return s.applied >= end }); err != nil {
		t.Fatal(err)
	}
}

func dump(s *State) (all []string) {
	for _, v := range s.All("") {
		all = append(all, fmt.Sprintf("%s@%d=%s", v.Name(), v.Version(), v.Value()))
	}
	return all
}

// TestHistory: goal, that whoever leads next, and whoever reads the log from
// where it begins now, has exactly what was decided, and the log stays short;
// method, random changes against a map, with leaders that lose some of what they
// had under way.
func TestHistory(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { history(t, rand.New(rand.NewPCG(seed, 2))) })
	}
}

func history(t *testing.T, rng *rand.Rand) {
	f := newFakeLog()
	cfg := Config{SpareBytes: 2000}
	states := []*State{Open(f, cfg), Open(f, cfg), Open(f, cfg)}
	defer func() {
		for _, s := range states {
			s.Close()
		}
	}()
	model := map[string]string{}
	for range 12 {
		s := states[rng.IntN(len(states))]
		w := f.elect(rng.IntN(4), true)
		l := lead(t, s, w)
		for range 60 {
			name := fmt.Sprint("v", rng.IntN(12))
			old, err := l.Fetch(t.Context(), name)
			if err != nil || string(old.Value()) != model[name] {
				t.Fatalf("%s is %q, %v; want %q", name, old.Value(), err, model[name])
			}
			value := fmt.Sprint(rng.Uint64(), string(make([]byte, rng.IntN(200))))
			switch rng.IntN(5) {
			case 0:
				if ok, err := l.Expunge(t.Context(), old); !ok || err != nil {
					t.Fatalf("expunge %s: %v, %v", name, ok, err)
				}
				delete(model, name)
				if _, ok, err := l.Store(t.Context(), old.Mutate(nil)); ok != (old.Version() == 0) || err != nil {
					t.Fatalf("store of expunged %s at %d: %v, %v", name, old.Version(), ok, err)
				} else if ok {
					model[name] = ""
				}
			case 1:
				done := make(chan error, 1)
				if err := l.Set(t.Context(), Txn{Put: []Variable{New(name).Mutate([]byte(value))}}, func(err error) { done <- err }); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				model[name] = value
			default:
				v, ok, err := l.Store(t.Context(), old.Mutate([]byte(value)))
				if !ok || err != nil || string(v.Value()) != value {
					t.Fatalf("store %s: %v, %v, %v", name, v, ok, err)
				}
				model[name] = value
				if now, ok, err := l.Store(t.Context(), old.Mutate([]byte("stale"))); ok || err != nil || now.Version() != v.Version() {
					t.Fatalf("stale store of %s: %v, %v, %v", name, now, ok, err)
				}
			}
		}
		bounded(t, f, s)
		f.mu.Lock()
		w.auto = false
		f.mu.Unlock()
		for k := range 3 { // the first n of these land with the next election
			name, value := fmt.Sprint("v", k), fmt.Sprint("late ", rng.Uint64())
			err := l.Set(t.Context(), Txn{Put: []Variable{New(name).Mutate([]byte(value))}}, func(err error) {
				if err == nil {
					model[name] = value
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		next := f.elect(rng.IntN(5), true)
		fresh := Open(f, cfg)
		for _, s := range append(states, fresh) {
			caughtUp(t, s, next.start)
		}
		want := dump(states[0])
		for i, s := range append(states, fresh) {
			if got := dump(s); !slices.Equal(got, want) {
				t.Fatalf("state %d is\n%q, the first\n%q", i, got, want)
			}
		}
		fresh.Close()
		if len(want) != len(model) {
			t.Fatalf("%d variables, want %d", len(want), len(model))
		}
		for _, v := range states[0].All("") {
			if model[v.Name()] != string(v.Value()) {
				t.Fatalf("%s is %q, want %q", v.Name(), v.Value(), model[v.Name()])
			}
		}
	}
}

// bounded waits until the log is short for what lives in it.
func bounded(t testing.TB, f *fakeLog, s *State) {
	t.Helper()
	limit := 2*int(s.Stats().LiveBytes) + 2000 + 2000 + keepBytes
	for deadline := time.Now().Add(time.Minute); f.bytes() > limit; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("log has %d bytes, %d live, want at most %d", f.bytes(), s.Stats().LiveBytes, limit)
		}
	}
}
