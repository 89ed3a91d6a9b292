package replog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
)

// ensemble is replicas in one process, over real sockets and disks.
type ensemble struct {
	t     testing.TB
	addrs []string
	cfg   Config // of each, but for Dir, Addr and Peers
	nodes []*replica
}

type replica struct {
	dir, addr string
	log       *Log
	server    *grpc.Server
}

// reserve finds n addresses.
func reserve(t testing.TB, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

func newEnsemble(t testing.TB, n int, cfg Config) *ensemble {
	t.Helper()
	e := &ensemble{t: t, addrs: reserve(t, n), cfg: cfg}
	e.cfg.Bootstrap = true
	for i := range n {
		e.nodes = append(e.nodes, &replica{dir: t.TempDir(), addr: e.addrs[i]})
		e.start(i)
	}
	t.Cleanup(func() {
		for i := range e.nodes {
			e.stop(i)
		}
	})
	return e
}

func (e *ensemble) open(i int) (*Log, error) {
	cfg := e.cfg
	cfg.Dir, cfg.Addr, cfg.Peers = e.nodes[i].dir, e.addrs[i], slices.Clone(e.addrs)
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = 1 << 20
	}
	return Open(cfg, Deps{Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }})
}

func (e *ensemble) start(i int) {
	e.t.Helper()
	n := e.nodes[i]
	log, err := e.open(i)
	if err != nil {
		e.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", n.addr)
	if err != nil {
		e.t.Fatal(err)
	}
	n.log, n.server = log, grpc.NewServer(grpc.MaxRecvMsgSize(api.MaxMessageBytes))
	api.RegisterReplicaServer(n.server, log.Server())
	go n.server.Serve(listener)
}

func (e *ensemble) stop(i int) {
	n := e.nodes[i]
	if n.log == nil {
		return
	}
	if err := n.log.Close(); err != nil {
		e.t.Errorf("close %d: %v", i, err)
	}
	n.server.Stop()
	n.log = nil
}

// elect lets all that run contend, and returns who wins.
func (e *ensemble) elect() (int, *Writer) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	type won struct {
		i int
		w *Writer
	}
	results := make(chan won)
	n := 0
	for i, r := range e.nodes {
		if r.log != nil {
			n++
			go func() {
				w, _ := r.log.Elect(ctx)
				results <- won{i, w}
			}()
		}
	}
	var all []won
	for range n {
		if r := <-results; r.w != nil {
			all = append(all, r)
			cancel()
		}
	}
	if len(all) == 0 {
		e.t.Fatal("nobody was elected")
	}
	// Who heard too late that no more is wanted may have deposed the winner.
	for _, r := range all {
		if r.w.Confirm(e.t.Context()) == nil {
			return r.i, r.w
		}
	}
	return e.elect()
}

func contents(t testing.TB, l *Log, end uint64) (all []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := l.Wait(ctx, end-1); err != nil {
		t.Fatal(err)
	}
	for entry, err := range l.Read(l.Begin(), end) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(entry.Position, " ", string(entry.Data)))
	}
	return all
}

func appendAll(t testing.TB, w *Writer, data ...string) (end uint64) {
	t.Helper()
	for _, d := range data {
		p, err := w.AppendWait(t.Context(), []byte(d))
		if err != nil {
			t.Fatal(err)
		}
		end = p + 1
	}
	return end
}

// TestOne: goal, that a lone replica is a log; method, append, restart, read.
func TestOne(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	_, w := e.elect()
	end := appendAll(t, w, "a", "b", "c")
	if err := w.Confirm(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := contents(t, e.nodes[0].log, end)
	e.stop(0)
	if _, err := w.AppendWait(t.Context(), nil); !errors.Is(err, errs.Unavailable) {
		t.Fatalf("append to a closed log: %v", err)
	}
	e.start(0)
	_, w = e.elect()
	if got := contents(t, e.nodes[0].log, w.Start()); !slices.Equal(got, want) || len(got) != 3 {
		t.Fatalf("read %q, want %q", got, want)
	}
}

// TestThree: goal, that replicas agree, survive the loss of any one, and of a
// disk; method, leaders stopped in turn, a directory emptied.
func TestThree(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	var want []string
	end := uint64(0)
	for round := range 4 {
		i, w := e.elect()
		for k := range 10 {
			text := fmt.Sprint("round ", round, " ", k)
			end = appendAll(t, w, text)
			want = append(want, fmt.Sprint(end-1, " ", text))
		}
		if got := contents(t, e.nodes[i].log, end); !slices.Equal(got, want) {
			t.Fatalf("round %d: read\n%q, want\n%q", round, got, want)
		}
		e.stop(i)
		select {
		case <-w.Done():
		default:
			t.Fatal("writer of a closed log is not done")
		}
		if round == 2 {
			e.nodes[i].dir = t.TempDir()
		}
		j, w := e.elect()
		end = appendAll(t, w, "without")
		want = append(want, fmt.Sprint(end-1, " without"))
		e.start(i)
		if got := contents(t, e.nodes[i].log, end); !slices.Equal(got, want) {
			t.Fatalf("round %d: replica that came back reads\n%q, want\n%q", round, got, want)
		}
		back, err := e.nodes[i].log.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e.until(j, "the replica to vote", func(s *api.StatusReply) bool {
			return votes(s) == 3 && slices.ContainsFunc(s.GetMembers(), func(m *api.Member) bool { return m.GetId() == back.GetMember() })
		})
		if err := w.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func votes(s *api.StatusReply) (n int) {
	for _, m := range s.GetMembers() {
		if m.GetVotes() {
			n++
		}
	}
	return n
}

// until waits for a replica's status.
func (e *ensemble) until(i int, what string, ok func(*api.StatusReply) bool) {
	e.t.Helper()
	deadline := time.Now().Add(time.Minute)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for ; ; <-ticker.C {
		s, err := e.nodes[i].log.Status(context.Background())
		if err != nil {
			e.t.Fatal(err)
		}
		if ok(s) {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("waited too long for %s: %v", what, s)
		}
	}
}

// TestTruncate: goal, that what is given up is gone everywhere and frees the
// disk, and that a replica far behind still catches up.
func TestTruncate(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	i, w := e.elect()
	away := (i + 1) % 3
	e.stop(away)
	big := string(make([]byte, 100<<10))
	var end uint64
	for range 60 {
		end = appendAll(t, w, big)
	}
	to := end - 5
	done := make(chan error, 1)
	if err := w.Truncate(t.Context(), to, func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	end = appendAll(t, w, "x")
	e.start(away)
	for _, n := range e.nodes {
		if got := contents(t, n.log, end); len(got) != 6 || n.log.Begin() != to {
			t.Errorf("%s has %d entries from %d on, want 6 from %d", n.addr, len(got), n.log.Begin(), to)
		}
		for _, err := range n.log.Read(1, end) {
			if !errors.Is(err, ErrTruncated) {
				t.Fatalf("read from 1: %v", err)
			}
		}
	}
	if bytes := e.nodes[i].log.DiskBytes(); bytes > 3<<20 {
		t.Errorf("%d bytes of disk for 500 KB", bytes)
	}
	if err := w.Truncate(t.Context(), end+100, func(error) {}); !errors.Is(err, errs.Invalid) {
		t.Errorf("truncated beyond the end: %v", err)
	}
	if err := w.Append(t.Context(), make([]byte, maxEntryBytes+1), nil); !errors.Is(err, errs.Exhausted) {
		t.Errorf("appended too much: %v", err)
	}
}

// TestPipeline: goal, that appends of many at once are acknowledged in order;
// method, writers of small and large entries side by side.
func TestPipeline(t *testing.T) {
	e := newEnsemble(t, 3, Config{SegmentBytes: 16 << 20})
	i, w := e.elect()
	var wait sync.WaitGroup
	var end atomic.Uint64
	for k := range 20 {
		wait.Go(func() {
			last := uint64(0)
			for n := range 50 {
				data := make([]byte, 1+(k*n)%7*30_000)
				p, err := w.AppendWait(t.Context(), data)
				if err != nil || p <= last {
					t.Errorf("append %d of %d: position %d after %d, %v", n, k, p, last, err)
					return
				}
				last = p
			}
			for old := end.Load(); old < last && !end.CompareAndSwap(old, last); old = end.Load() {
			}
		})
	}
	wait.Wait()
	if got := contents(t, e.nodes[i].log, end.Load()+1); len(got) != 1000 {
		t.Errorf("%d entries, want 1000", len(got))
	}
}

// TestGrow: goal, that one replica becomes three without a break, and that too
// few told of is refused with both numbers.
func TestGrow(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	_, w := e.elect()
	end := appendAll(t, w, "alone")
	e.addrs = append(e.addrs, reserve(t, 2)...)
	e.stop(0)
	for i := 1; i < 3; i++ {
		e.nodes = append(e.nodes, &replica{dir: t.TempDir(), addr: e.addrs[i]})
	}
	for i := range 3 {
		e.start(i)
	}
	i, w := e.elect()
	end = appendAll(t, w, "more")
	e.until(i, "three members", func(s *api.StatusReply) bool { return votes(s) == 3 })
	for _, n := range e.nodes {
		if got := contents(t, n.log, end); len(got) != 2 {
			t.Errorf("%s reads %q", n.addr, got)
		}
	}
	e.until(1, "members to be known", func(s *api.StatusReply) bool { return votes(s) == 3 })
	e.stop(1)
	all := e.addrs
	e.addrs = e.addrs[:2]
	if l, err := e.open(1); !errors.Is(err, errs.Conflict) {
		t.Errorf("opened with two of three: %v, %v", l, err)
	}
	e.addrs = all
}
