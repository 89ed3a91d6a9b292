package master

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"mezzo/api/link"
	"mezzo/internal/errs"
	"mezzo/master/core"
)

const (
	// helloTimeout bounds how long a stream may stay anonymous.
	helloTimeout = 10 * time.Second
	// farewellTimeout bounds how long a closed stream may take what was sent.
	farewellTimeout = 5 * time.Second
)

// agentLink serves the agents' streams.
type agentLink struct {
	link.UnimplementedAgentLinkServer
	m    *Master
	last atomic.Uint64 // ConnID
}

// Attach serves one agent. Reading and writing each have a goroutine, for
// neither can be woken from the other; both end soon after Attach returns.
func (s *agentLink) Attach(stream grpc.BidiStreamingServer[link.FromAgent, link.FromMaster]) error {
	t := s.m.lead()
	if t.elected.IsZero() {
		stream.SetTrailer(metadata.Pairs(link.LeaderTrailer, s.m.contender.Leader()))
		return status.Error(codes.Unavailable, "this master does not lead")
	}
	conn := core.ConnID(s.last.Add(1))
	out := newQueue[*link.FromMaster](&s.m.queued)
	defer out.cut(nil)
	read, written := make(chan error, 1), make(chan error, 1)
	s.m.streams.Go(func() { read <- s.read(t, stream, conn, out) })
	s.m.streams.Go(func() { written <- write(stream, out) })
	var err error
	select {
	case err = <-read:
		out.cut(nil) // so that the writer ends too
	case err = <-written:
	case <-out.ended:
		select {
		case err = <-written:
		case <-time.After(farewellTimeout):
			err = errSlow
		}
	}
	_ = t.loop.tell(request{event: core.AgentDisconnected{Conn: conn}})
	return rpcError(err)
}

// read feeds the loop with what the agent says, at the loop's pace.
func (s *agentLink) read(t *term, stream grpc.BidiStreamingServer[link.FromAgent, link.FromMaster], conn core.ConnID, out *agentQueue) error {
	first := time.AfterFunc(helloTimeout, func() { out.cut(status.Error(codes.DeadlineExceeded, "no Hello came")) })
	defer first.Stop()
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	if !first.Stop() {
		return nil // out says why
	}
	if m.GetHello() == nil {
		return status.Error(codes.InvalidArgument, "the first message is not Hello")
	}
	err = t.loop.tell(request{event: core.AgentHello{Conn: conn, IP: peerIP(stream.Context()), Hello: m.GetHello()}, agent: out})
	for err == nil {
		if m, err = stream.Recv(); err == nil {
			err = t.loop.tell(request{event: core.AgentMessage{Conn: conn, Message: m}})
		}
	}
	return err
}

// write sends what the loop says until the queue is closed.
func write(stream grpc.BidiStreamingServer[link.FromAgent, link.FromMaster], out *agentQueue) error {
	for range out.wake {
		batch, closed, err := out.take()
		for _, m := range batch {
			if err := stream.Send(m); err != nil {
				return err
			}
		}
		if closed {
			return err
		}
	}
	return nil
}

// rpcError is err as gRPC says it.
func rpcError(err error) error {
	if errors.Is(err, io.EOF) {
		return nil // the agent has nothing more to say
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	code := codes.Unknown
	for _, c := range []struct {
		class error
		code  codes.Code
	}{
		{errs.Invalid, codes.InvalidArgument},
		{errs.Conflict, codes.FailedPrecondition},
		{errs.Exhausted, codes.ResourceExhausted},
		{errs.Unavailable, codes.Unavailable},
	} {
		if errors.Is(err, c.class) {
			code = c.code
			break
		}
	}
	return status.Error(code, errs.Text(err))
}

func peerIP(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	ip, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return p.Addr.String()
	}
	return ip
}
