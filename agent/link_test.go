package agent

// Goal: the agent stays attached to the leading master and is gentle about it.
// Method: a linker in a synctest bubble, with streams of channels and an owner
// that writes down what it is told; time is exact.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/election"
)

// fakeStream is the agent's end; the test holds the other.
type fakeStream struct {
	ctx     context.Context
	sent    chan *link.FromAgent
	deliver chan *link.FromMaster // closed: the master ends the stream
	trailer metadata.MD
}

func (s *fakeStream) Send(m *link.FromAgent) error {
	select {
	case s.sent <- m:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func (s *fakeStream) Recv() (*link.FromMaster, error) {
	select {
	case m, ok := <-s.deliver:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *fakeStream) Trailer() metadata.MD { return s.trailer }

// diary is an owner that writes everything down.
type diary struct {
	begin   time.Time
	fatal   error // of attached
	dialing func(addr string) (*fakeStream, error)

	mu      sync.Mutex
	lines   []string
	dialed  []string
	streams []*fakeStream
	conns   []*conn
}

// read lets f look at what was written.
func (d *diary) read(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) hello(context.Context) (*link.Hello, error) {
	return &link.Hello{Agent: &v1.AgentInfo{Hostname: proto.String("h")}}, nil
}

func (d *diary) attached(_ context.Context, w *link.Welcome, c *conn) error {
	d.note("attached as %s", w.GetAgentId().GetValue())
	d.read(func() { d.conns = append(d.conns, c) })
	return d.fatal
}

func (d *diary) received(_ context.Context, m *link.FromMaster) error {
	d.note("received %T", m.GetMessage())
	return nil
}

func (d *diary) detached(context.Context) error {
	d.note("detached")
	return nil
}

func (d *diary) dial(ctx context.Context, addr string) (stream, func(), error) {
	d.note("dial %s at %v", addr, time.Since(d.begin).Round(time.Second))
	d.read(func() { d.dialed = append(d.dialed, addr) })
	s, err := d.dialing(addr)
	if err != nil {
		return nil, nil, err
	}
	s.ctx = ctx
	d.read(func() { d.streams = append(d.streams, s) })
	return s, func() { d.note("closed %s", addr) }, nil
}

func (d *diary) has(line string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.lines, line)
}

// startLinker runs a linker on the masters a and b; the returned function ends it.
func startLinker(t *testing.T, d *diary) func() error {
	t.Helper()
	det, err := election.Parse("a,b")
	if err != nil {
		t.Fatal(err)
	}
	d.begin = time.Now()
	l := &linker{detector: det, dial: d.dial, factor: time.Second, random: random(), log: testLog(t), owner: d}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// pass lets time go by and everything settle.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func newStream() *fakeStream {
	return &fakeStream{sent: make(chan *link.FromAgent, 8), deliver: make(chan *link.FromMaster, 8)}
}

func welcome() *link.FromMaster {
	return &link.FromMaster{Message: &link.FromMaster_Welcome{Welcome: &link.Welcome{
		AgentId: &v1.AgentID{Value: proto.String("a1")}, PingIntervalMillis: 1000, MaxMissedPings: 5,
	}}}
}

func ping() *link.FromMaster {
	return &link.FromMaster{Message: &link.FromMaster_Ping{Ping: &link.Ping{}}}
}

func TestBackoffGrowsUpToAMinute(t *testing.T) {
	for _, tc := range []struct {
		failures  int
		low, high time.Duration
	}{
		{0, 0, time.Second},
		{1, 500 * time.Millisecond, time.Second},
		{2, time.Second, 2 * time.Second},
		{6, 16 * time.Second, 32 * time.Second},
		{7, 30 * time.Second, time.Minute},
		{8, 30 * time.Second, time.Minute},
		{1000, 30 * time.Second, time.Minute},
	} {
		if got := backoff(time.Second, tc.failures, 0); got != tc.low {
			t.Errorf("after %d failures at least %v, want %v", tc.failures, got, tc.low)
		}
		if got := backoff(time.Second, tc.failures, 0.999999); got > tc.high || got < tc.high-tc.high/100 {
			t.Errorf("after %d failures at most %v, want %v", tc.failures, got, tc.high)
		}
	}
}

func TestMastersAreAskedInTurnWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{dialing: func(string) (*fakeStream, error) { return nil, errors.New("refused") }}
		stop := startLinker(t, d)
		synctest.Wait()
		d.read(func() {
			if len(d.dialed) > 0 {
				t.Error("dialed before any wait")
			}
		})
		pass(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		// 6 tries in the first minute, at most, then one or two in each.
		if n := len(d.dialed); n < 10 || n > 27 || !slices.Equal(d.dialed[:3], []string{"a:5050", "b:5050", "a:5050"}) {
			t.Errorf("%d tries in ten minutes: %v", n, d.dialed)
		}
	})
}

func TestSilentMasterIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{dialing: func(string) (*fakeStream, error) {
			s := newStream()
			s.deliver <- welcome()
			return s, nil
		}}
		stop := startLinker(t, d)
		pass(2 * time.Second)
		for range 4 { // pinged every four seconds: just not silent
			d.read(func() { d.streams[0].deliver <- ping() })
			pass(4 * time.Second)
		}
		if d.has("detached") {
			t.Fatalf("left a master that speaks: %v", d.lines)
		}
		pass(3 * time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(d.streams) != 2 || !d.has("detached") {
			t.Errorf("stayed with a silent master: %v", d.lines)
		}
	})
}

func TestMasterThatNeverAnswersIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{dialing: func(string) (*fakeStream, error) { return newStream(), nil }}
		stop := startLinker(t, d)
		pass(welcomeTimeout + 3*time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(d.dialed) != 2 {
			t.Errorf("%d tries: %v", len(d.dialed), d.lines)
		}
	})
}

func TestNamedLeaderIsCalledNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leader := newStream()
		leader.deliver <- welcome()
		d := &diary{dialing: func(addr string) (*fakeStream, error) {
			if addr == "leader:1" {
				return leader, nil
			}
			s := newStream()
			s.trailer = metadata.Pairs(link.LeaderTrailer, "leader:1")
			close(s.deliver)
			return s, nil
		}}
		stop := startLinker(t, d)
		pass(5 * time.Second)
		if !d.has("attached as a1") {
			t.Errorf("not attached to the leader: %v", d.lines)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if last := d.lines[len(d.lines)-1]; last != "closed leader:1" {
			t.Errorf("in the end %q", last)
		}
	})
}

func TestShutdownInsteadOfWelcomeReachesTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		s.deliver <- &link.FromMaster{Message: &link.FromMaster_Shutdown{Shutdown: &link.Shutdown{Message: "gone"}}}
		d := &diary{dialing: func(string) (*fakeStream, error) { return s, nil }}
		stop := startLinker(t, d)
		pass(time.Second)
		if !d.has("received *link.FromMaster_Shutdown") || d.has("attached as a1") {
			t.Errorf("diary: %v", d.lines)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestSlowMasterIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		s.deliver <- welcome()
		d := &diary{dialing: func(string) (*fakeStream, error) { return s, nil }}
		stop := startLinker(t, d)
		pass(time.Second)
		d.read(func() {
			for range outboxSize + cap(s.sent) + 2 {
				d.conns[0].send(&link.FromAgent{})
			}
		})
		synctest.Wait()
		if !d.has("detached") {
			t.Error("a stream that takes nothing is kept")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestOwnersErrorEndsTheLinker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		s.deliver <- welcome()
		d := &diary{fatal: errors.New("disk"), dialing: func(string) (*fakeStream, error) { return s, nil }}
		l := &linker{detector: must(election.Parse("a")), dial: d.dial, factor: time.Second, random: random(), log: testLog(t), owner: d}
		if err := l.run(t.Context()); !errors.Is(err, d.fatal) {
			t.Errorf("run = %v", err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
