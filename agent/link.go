package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"mezzo/api/link"
	"mezzo/election"
)

const (
	// maxBackoff is the longest wait between two tries (mesos slave/constants.hpp).
	maxBackoff = time.Minute
	// welcomeTimeout is how long a master may take to answer a Hello.
	welcomeTimeout = 10 * time.Second
	// outboxSize is how many messages may wait for a stream to take them.
	outboxSize = 1024
)

var (
	errSilent = errors.New("the master is silent")
	errSlow   = errors.New("the master does not take what it is sent")
)

// stream is one call of AgentLink.Attach.
type stream interface {
	Send(*link.FromAgent) error
	Recv() (*link.FromMaster, error)
	Trailer() metadata.MD
}

// dialer opens a stream to the master at addr; closed by the function returned.
type dialer func(ctx context.Context, addr string) (stream, func(), error)

// linker keeps the agent attached to the leading master. Nothing of what it
// sees decides anything: it goes to its owner, in order, as
// hello, attached, received…, detached.
type linker struct {
	detector election.Detector
	dial     dialer
	factor   time.Duration  // of the backoff
	random   func() float64 // in [0, 1)
	log      *slog.Logger
	owner    linkOwner
}

// linkOwner is whom a linker works for. An error of these methods is fatal.
type linkOwner interface {
	hello(ctx context.Context) (*link.Hello, error)
	// attached says that a master said w; it gets what c holds.
	attached(ctx context.Context, w *link.Welcome, c *conn) error
	received(ctx context.Context, m *link.FromMaster) error
	detached(ctx context.Context) error
}

// conn is the sending end of an attached stream. The owner alone puts into out.
type conn struct {
	out  chan *link.FromAgent // capacity outboxSize; never closed
	fail context.CancelCauseFunc
}

// send queues m; a full queue ends the stream.
func (c *conn) send(m *link.FromAgent) {
	select {
	case c.out <- m:
	default:
		c.fail(errSlow)
	}
}

// run attaches again and again until ctx ends. It waits before every try, so
// that a master that comes back is not met by all its agents at once.
func (l *linker) run(ctx context.Context) error {
	var addr, leader string
	for failures := 0; ; {
		if err := pause(ctx, backoff(l.factor, failures, l.random())); err != nil {
			return nil
		}
		if leader != "" {
			addr = leader
		} else if next, err := l.detector.Detect(ctx, addr); err != nil {
			failures++
			l.log.Warn("no master found", "err", err)
			continue
		} else {
			addr = next
		}
		end := l.attach(ctx, addr)
		switch {
		case ctx.Err() != nil, errors.Is(end.fatal, errEnded):
			return nil
		case end.fatal != nil:
			return end.fatal
		case end.welcomed:
			failures = 0
		default:
			failures++
		}
		leader = end.leader
		l.log.Warn("stream to master ended", "master", addr, "leader", leader, "err", end.err)
	}
}

// backoff is how long to wait after so many failures in a row: at first
// anything below factor, then around twice as long each time, up to maxBackoff.
func backoff(factor time.Duration, failures int, random float64) time.Duration {
	if failures == 0 {
		return time.Duration(random * float64(factor))
	}
	b := maxBackoff
	if shift := failures - 1; shift < 30 && factor<<shift < maxBackoff {
		b = factor << shift
	}
	return b/2 + time.Duration(random*float64(b/2))
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// ending is how a stream came to its end.
type ending struct {
	welcomed bool
	leader   string // whom the master named instead of itself
	err      error
	fatal    error // of the owner: nothing works any more
}

// attach opens a stream and serves it to its end.
func (l *linker) attach(ctx context.Context, addr string) ending {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(welcomeTimeout, func() { cancel(errSilent) })
	defer watchdog.Stop()
	s, closeStream, err := l.dial(ctx, addr)
	if err != nil {
		return ending{err: err}
	}
	defer closeStream()
	hello, err := l.owner.hello(ctx)
	if err != nil {
		return ending{fatal: err}
	}
	// gRPC tells the reason of a refusal to Recv alone, after a Send that failed too.
	_ = s.Send(&link.FromAgent{Message: &link.FromAgent_Hello{Hello: hello}})
	first, err := s.Recv()
	if err != nil {
		return ending{err: why(ctx, err), leader: leaderOf(s)}
	}
	w := first.GetWelcome()
	if w == nil {
		// A Shutdown, or nonsense: the owner's to judge, and the end of the stream.
		err := fmt.Errorf("master answered with %T", first.GetMessage())
		return ending{err: err, fatal: l.owner.received(ctx, first)}
	}
	return l.serve(ctx, cancel, s, w, watchdog)
}

// leaderOf is whom a master named when it refused the stream, if anyone.
func leaderOf(s stream) string {
	if named := s.Trailer().Get(link.LeaderTrailer); len(named) > 0 {
		return named[0]
	}
	return ""
}

// why prefers our own reason to end a stream to gRPC's account of it.
func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// serve passes messages both ways.
func (l *linker) serve(ctx context.Context, cancel context.CancelCauseFunc, s stream, w *link.Welcome, watchdog *time.Timer) (end ending) {
	end.welcomed = true
	silence := time.Duration(max(1, w.GetPingIntervalMillis())) * time.Millisecond * time.Duration(max(1, w.GetMaxMissedPings()))
	watchdog.Reset(silence)
	c := &conn{out: make(chan *link.FromAgent, outboxSize), fail: cancel}
	if end.fatal = l.owner.attached(ctx, w, c); end.fatal != nil {
		return end
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if err := sendAll(ctx, s, c.out); err != nil {
			cancel(err)
		}
	}()
	for end.fatal == nil {
		m, err := s.Recv()
		if err != nil {
			end.err = why(ctx, err)
			break
		}
		watchdog.Reset(silence)
		end.fatal = l.owner.received(ctx, m)
	}
	cancel(nil)
	<-sent
	if err := l.owner.detached(context.WithoutCancel(ctx)); end.fatal == nil {
		end.fatal = err
	}
	return end
}

// sendAll sends what is queued until ctx ends.
func sendAll(ctx context.Context, s stream, out <-chan *link.FromAgent) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-out:
			if err := s.Send(m); err != nil {
				return fmt.Errorf("send to master: %w", err)
			}
		}
	}
}

// dialGRPC is the dialer of real life. The port is the one of the master's
// HTTP API; the connection's preface tells the two apart.
func dialGRPC(ctx context.Context, addr string) (stream, func(), error) {
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(link.MaxMessageBytes)))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to master %s: %w", addr, err)
	}
	s, err := link.NewAgentLinkClient(conn).Attach(ctx)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("attach to master %s: %w", addr, err), conn.Close())
	}
	return s, func() { _ = conn.Close() }, nil // nothing to be done about a connection that won't close
}
