package replog

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/replog/paxos"
)

// Server is what other replicas and operators reach this one by.
func (l *Log) Server() api.ReplicaServer { return &server{l: l} }

type server struct {
	api.UnimplementedReplicaServer
	l *Log
}

// Deliver takes another replica's messages. While the loop is busy the stream
// waits, and with it the sender.
func (s *server) Deliver(stream api.Replica_DeliverServer) error {
	for {
		p, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&api.Delivered{})
		}
		if err != nil {
			return err
		}
		m, err := decode(p)
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		select {
		case s.l.inbox <- m:
		case <-s.l.ended:
			return status.Error(codes.Unavailable, ErrClosed.Error())
		}
	}
}

func (s *server) Status(ctx context.Context, _ *api.StatusRequest) (*api.StatusReply, error) {
	r, err := s.l.Status(ctx)
	return r, grpcError(err)
}

func (s *server) Read(r *api.ReadRequest, stream api.Replica_ReadServer) error {
	from, to := max(r.GetFrom(), s.l.Begin()), s.l.End()
	if r.GetTo() != 0 {
		to = min(to, r.GetTo())
	}
	for e, err := range s.l.entries(from, to) {
		if err != nil {
			return grpcError(err)
		}
		if err := stream.Send(&api.Entry{Position: e.Position, Ballot: uint64(e.Ballot), Kind: uint32(e.Kind), Data: e.Data}); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) Change(ctx context.Context, r *api.ChangeRequest) (*api.ChangeReply, error) {
	var err error
	switch c := r.GetChange().(type) {
	case *api.ChangeRequest_Add:
		err = s.l.Add(ctx, c.Add)
	case *api.ChangeRequest_Remove:
		err = s.l.Remove(ctx, c.Remove)
	default:
		err = errs.Invalid
	}
	return &api.ChangeReply{}, grpcError(err)
}

func grpcError(err error) error {
	code := codes.Unknown
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errs.Invalid):
		code = codes.InvalidArgument
	case errors.Is(err, errs.NotFound), errors.Is(err, paxos.ErrUnknown):
		code = codes.NotFound
	case errors.Is(err, errs.Unavailable), errors.Is(err, paxos.ErrNotLeading):
		code = codes.Unavailable
	case errors.Is(err, paxos.ErrChanging), errors.Is(err, paxos.ErrLimit):
		code = codes.FailedPrecondition
	}
	return status.Error(code, errs.Text(err))
}
