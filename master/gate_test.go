package master

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mezzo/internal/errs"
	"mezzo/master/core"
	"mezzo/master/registry"
)

// slowReign is a reign of which the test decides when commits are durable, and
// how long it is certain.
type slowReign struct {
	ctx context.Context
	mu  sync.Mutex
	end time.Time
	got [][]registry.Change
	to  []func(error)
}

func (r *slowReign) Context() context.Context { return r.ctx }
func (r *slowReign) Until() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end
}
func (r *slowReign) last(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = time.Now().Add(d)
}
func (r *slowReign) Load() iter.Seq2[registry.Change, error] {
	return func(func(registry.Change, error) bool) {}
}
func (r *slowReign) SizeBytes() int64 { return 0 }
func (r *slowReign) Resign()          {}
func (r *slowReign) Commit(_ context.Context, changes []registry.Change, done func(error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.to = append(r.got, changes), append(r.to, done)
}

// landed makes the oldest commit durable, or fail, once there is one.
func (r *slowReign) landed(t *testing.T, err error) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		if len(r.to) > 0 {
			done := r.to[0]
			r.to = r.to[1:]
			r.mu.Unlock()
			done(err)
			return
		}
		r.mu.Unlock()
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nothing is committed")
		}
	}
}

func gateOf(t *testing.T, timeout time.Duration) (*gate, *slowReign) {
	r := &slowReign{ctx: t.Context()}
	r.last(time.Hour)
	g := newGate(r, timeout)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { g.run(ctx, r); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return g, r
}

func line(text string) held { return held{effect: core.Trace{Message: text}} }

func store(name string) held {
	return held{effect: core.Store{Changes: []registry.Change{{Name: name, Value: []byte(name)}}}}
}

// out is what the gate lets through, as text.
func out(t *testing.T, g *gate) (all []string) {
	t.Helper()
	list, err := g.free()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range list {
		all = append(all, h.effect.(core.Trace).Message)
	}
	return all
}

// TestGate: goal, that nothing is seen before what it depends on is durable, and
// all of it in order; method, effects and Stores in turn, that land one by one.
func TestGate(t *testing.T) {
	g, r := gateOf(t, 0)
	if !g.pass(line("before")) {
		t.Fatal("what depends on nothing is held")
	}
	g.pass(store("x"))
	for _, text := range []string{"a", "b"} {
		if g.pass(line(text)) {
			t.Fatalf("%s is seen before x is durable", text)
		}
	}
	if got := out(t, g); got != nil {
		t.Fatalf("%q is seen before x is durable", got)
	}
	r.landed(t, nil)
	<-g.signal
	g.pass(store("y"))
	g.pass(line("c"))
	if got := out(t, g); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("%q is seen, want a, b", got)
	}
	r.landed(t, nil)
	<-g.signal
	if got := out(t, g); !slices.Equal(got, []string{"c"}) {
		t.Fatalf("%q is seen, want c", got)
	}
	if !g.pass(line("after")) {
		t.Error("what depends on nothing is held")
	}
}

// TestGateUncertain: goal, that nothing is seen while somebody else may lead.
func TestGateUncertain(t *testing.T) {
	g, r := gateOf(t, 0)
	r.last(-time.Second)
	if g.pass(line("a")) || out(t, g) != nil {
		t.Fatal("it is seen")
	}
	g.pass(store("x"))
	g.pass(line("b"))
	r.landed(t, nil)
	<-g.signal
	if got := out(t, g); got != nil {
		t.Fatalf("%q is seen", got)
	}
	r.last(time.Hour)
	if got := out(t, g); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("%q is seen, want a, b", got)
	}
}

// TestGateFails: goal, that a Store that fails, or takes too long, ends the reign
// and shows nothing.
func TestGateFails(t *testing.T) {
	g, r := gateOf(t, 0)
	g.pass(store("x"))
	g.pass(line("a"))
	r.landed(t, errs.Unavailable)
	<-g.signal
	if list, err := g.free(); len(list) > 0 || !errors.Is(err, errs.Unavailable) {
		t.Errorf("%v, %v", list, err)
	}
	g, _ = gateOf(t, time.Nanosecond)
	g.pass(store("x"))
	g.pass(line("a"))
	if list, err := g.free(); len(list) > 0 || !errors.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "registry_store_timeout") {
		t.Errorf("%v, %v", list, err)
	}
}

// TestGateTogether: goal, that Stores that wait together are one commit, in which
// the later change of a variable counts.
func TestGateTogether(t *testing.T) {
	change := func(name, value string) registry.Change { return registry.Change{Name: name, Value: []byte(value)} }
	got := newest([]registry.Change{change("x", "1"), {Name: "y"}, change("x", "2"), change("y", "3"), {Name: "z"}})
	want := []registry.Change{change("x", "2"), change("y", "3"), {Name: "z"}}
	if !slices.EqualFunc(got, want, func(a, b registry.Change) bool { return a.Name == b.Name && string(a.Value) == string(b.Value) }) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestLoopHolds: goal, that a loop answers nobody before what they asked for is
// durable, views included, and ends if it never is.
func TestLoopHolds(t *testing.T) {
	cfg := Config{IP: "127.0.0.1"}
	cfg.SetDefaults()
	m, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.listener.Close()
	r := &slowReign{ctx: t.Context()}
	r.last(time.Hour)
	term, err := m.begin(m.identity(), r)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- term.loop.run(t.Context()) }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go term.loop.gate.run(ctx, r)
	answered, seen := make(chan error, 1), make(chan *core.Snapshot, 1)
	go func() {
		answered <- term.loop.ask(request{event: core.SetWeights{Weights: map[string]core.Weight{"web": 2000}}})
	}()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for waits := false; !waits; {
		select {
		case <-tick.C:
			r.mu.Lock()
			waits = len(r.to) == 1
			r.mu.Unlock()
		case <-deadline:
			t.Fatal("nothing is committed")
		}
	}
	go func() {
		s, _ := term.loop.read()
		seen <- s
	}()
	select {
	case err := <-answered:
		t.Fatalf("answered before it is durable: %v", err)
	case <-seen:
		t.Fatal("shown before it is durable")
	case <-time.After(50 * time.Millisecond): // what must not happen has no end to wait for
	}
	r.landed(t, nil)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if s := <-seen; s.Weights["web"] != 2000 {
		t.Errorf("weights %v", s.Weights)
	}
	go func() {
		answered <- term.loop.ask(request{event: core.SetWeights{Weights: map[string]core.Weight{"web": 3000}}})
	}()
	r.landed(t, errs.Unavailable)
	if err := <-ended; !errors.Is(err, errs.Unavailable) {
		t.Errorf("loop ended with %v", err)
	}
	if err := <-answered; !errors.Is(err, errs.Unavailable) {
		t.Errorf("answered %v", err)
	}
}
