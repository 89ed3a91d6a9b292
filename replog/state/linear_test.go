package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/grpc"

	api "mezzo/api/replog"
	"mezzo/replog"
)

// site is a replica over real sockets and disks that leads whenever it can.
type site struct {
	t         testing.TB
	dir, addr string
	peers     []string
	log       *replog.Log
	state     *State
	server    *grpc.Server
	stop      context.CancelFunc
	stopped   chan struct{}

	mu     sync.Mutex
	leader *Leader // nil while it does not lead
}

func (s *site) start() {
	s.t.Helper()
	l, err := replog.Open(replog.Config{Dir: s.dir, Addr: s.addr, Peers: s.peers, Bootstrap: true, SegmentBytes: 64 << 10, Tick: 10 * time.Millisecond},
		replog.Deps{Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }})
	if err != nil {
		s.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.log, s.state = l, Open(l, Config{SpareBytes: 8 << 10})
	s.server = grpc.NewServer()
	api.RegisterReplicaServer(s.server, l.Server())
	go s.server.Serve(listener)
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.stopped = make(chan struct{})
	go func() {
		defer close(s.stopped)
		for ctx.Err() == nil {
			w, err := l.Elect(ctx)
			if err != nil {
				continue
			}
			if led, err := s.state.Lead(ctx, w); err == nil {
				s.set(led)
				select {
				case <-w.Done():
				case <-ctx.Done():
				}
			}
			s.set(nil)
		}
	}()
}

func (s *site) set(l *Leader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader = l
}

func (s *site) end() {
	s.stop()
	s.state.Close()
	if err := s.log.Close(); err != nil {
		s.t.Error(err)
	}
	<-s.stopped
	s.server.Stop()
}

// op is what a client did to a variable, and what came of it.
type op struct {
	name    string
	kind    string // fetch, store or expunge
	version uint64 // that it had
	value   string
}

type outcome struct {
	unknown bool
	ok      bool
	version uint64
	value   string
}

type register struct {
	version uint64
	value   string
}

// model is a variable on its own. Versions are given by the log: greater each time.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, o := range history {
			by[o.Input.(op).name] = append(by[o.Input.(op).name], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return register{} },
	Step: func(state, input, output any) (bool, any) {
		r, in, out := state.(register), input.(op), output.(outcome)
		if r.version == unknownVersion && !out.unknown && r.value == out.value && (in.kind == "fetch" || in.kind == "store" && !out.ok) {
			r.version = out.version // who sees it first learns what was given
		}
		seen := out.version == r.version && out.value == r.value
		switch {
		case in.kind == "fetch":
			return out.unknown || seen, r
		case out.unknown && in.version != r.version:
			return true, r
		case out.unknown && in.kind == "expunge":
			return true, register{}
		case out.unknown:
			return true, register{unknownVersion, in.value}
		case !out.ok:
			return in.version != r.version && (seen || in.kind == "expunge"), r
		case in.kind == "expunge":
			return in.version == r.version, register{}
		default:
			return in.version == r.version && out.version > r.version && out.value == in.value, register{out.version, in.value}
		}
	},
}

const unknownVersion = 1<<64 - 1

// TestLinearizable: goal, that clients of a state whose leaders are lost see one
// history for each variable; method, clients that fetch, store and expunge against
// whoever leads, leaders stopped and started, and porcupine as the judge.
func TestLinearizable(t *testing.T) {
	var addrs []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		defer l.Close()
		_ = l.Close()
	}
	var sites []*site
	for _, addr := range addrs {
		s := &site{t: t, dir: t.TempDir(), addr: addr, peers: slices.Clone(addrs)}
		sites = append(sites, s)
		s.start()
	}
	var mu sync.Mutex
	var history []porcupine.Operation
	begun := time.Now()
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for id := range 6 {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(id)))
			seen := map[string]Variable{}
			for n := 0; ctx.Err() == nil; n++ {
				s := sites[rng.IntN(3)]
				s.mu.Lock()
				l := s.leader
				s.mu.Unlock()
				if l == nil {
					select {
					case <-time.After(time.Millisecond):
					case <-ctx.Done():
					}
					continue
				}
				name := fmt.Sprint("v", rng.IntN(3))
				old, ok := seen[name]
				if !ok {
					old = New(name)
				}
				in := op{name: name, kind: []string{"fetch", "store", "store", "expunge"}[rng.IntN(4)], version: old.Version(), value: fmt.Sprintf("%d.%d%s", id, n, strings.Repeat("x", rng.IntN(100)))}
				call := time.Since(begun).Nanoseconds()
				out, now := act(l, in, old)
				mu.Lock()
				o := porcupine.Operation{ClientId: id, Input: in, Output: out, Call: call, Return: time.Since(begun).Nanoseconds()}
				if out.unknown && in.kind != "fetch" {
					o.Return = 1 << 62 // any time later, or never
				}
				history = append(history, o)
				mu.Unlock()
				delete(seen, name)
				if now.name != "" {
					seen[name] = now
				}
			}
		})
	}
	for round := range 6 {
		for before, now := -1, 0; before < 0 || now < before+150; { // some load
			mu.Lock()
			if now = len(history); before < 0 {
				before = now
			}
			mu.Unlock()
			runtime.Gosched()
		}
		i := slices.IndexFunc(sites, func(s *site) bool { s.mu.Lock(); defer s.mu.Unlock(); return s.leader != nil })
		if i < 0 {
			i = round % 3
		}
		sites[i].end()
		sites[i].start()
	}
	stop()
	clients.Wait()
	for _, s := range sites {
		s.end()
	}
	result, _ := porcupine.CheckOperationsVerbose(model, history, time.Minute)
	if result != porcupine.Ok {
		t.Fatalf("%d operations: %v", len(history), result)
	}
	t.Logf("%d operations", len(history))
}

// act does what in says.
func act(l *Leader, in op, old Variable) (outcome, Variable) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var now Variable
	var ok bool
	var err error
	switch in.kind {
	case "fetch":
		now, err = l.Fetch(ctx, in.name)
	case "store":
		now, ok, err = l.Store(ctx, old.Mutate([]byte(in.value)))
	default:
		ok, err = l.Expunge(ctx, old)
	}
	if err != nil {
		if !errors.Is(err, replog.ErrDemoted) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, replog.ErrClosed) && !errors.Is(err, context.Canceled) {
			panic(err)
		}
		return outcome{unknown: true}, Variable{}
	}
	return outcome{ok: ok, version: now.Version(), value: string(now.Value())}, now
}
