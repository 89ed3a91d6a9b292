package replog

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	api "mezzo/api/replog"
	"mezzo/replog/paxos"
)

// What waits to be sent to a replica; beyond it messages are dropped, as a
// network may do.
const (
	queueLength = 1024
	queueBytes  = 32 << 20
)

// maxPeers bounds the addresses that are sent to: replicas tell their own.
const maxPeers = 4 * paxos.MaxMembers

// peer sends to one address.
type peer struct {
	addr  string
	queue chan paxos.Message
	bytes atomic.Int64
}

func size(m paxos.Message) int64 {
	n := 128
	for _, e := range m.Entries {
		n += len(e.Data) + 32
	}
	return int64(n)
}

// post hands m to the peer's sender, or drops it.
func (p *peer) post(m paxos.Message) {
	if p.bytes.Load() > queueBytes {
		return
	}
	select {
	case p.queue <- m:
		p.bytes.Add(size(m))
	default:
	}
}

// retryAfter is how long a peer that is not there is left alone.
const retryAfter = 100 * time.Millisecond

// run sends until ctx ends.
func (p *peer) run(ctx context.Context, d Deps) {
	options := append([]grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(api.MaxMessageBytes)), grpc.WithConnectParams(connect)}, d.Dial...)
	conn, err := grpc.NewClient("passthrough:///"+p.addr, options...)
	if err != nil {
		d.Log.Error("can't reach replica", "addr", p.addr, "err", err)
		return
	}
	defer conn.Close()
	client := api.NewReplicaClient(conn)
	for quiet := false; ctx.Err() == nil; {
		err := p.stream(ctx, client, &quiet)
		if errors.Is(err, ErrClosed) {
			return
		}
		if ctx.Err() == nil && !quiet {
			d.Log.Warn("replica can't be reached, trying on", "addr", p.addr, "err", err)
			quiet = true
		}
		for wait := time.After(retryAfter); wait != nil; {
			select {
			case m, ok := <-p.queue: // too old when it can be sent
				if !ok {
					return
				}
				p.bytes.Add(-size(m))
			case <-wait:
				wait = nil
			case <-ctx.Done():
				return
			}
		}
	}
}

// stream sends until that fails.
func (p *peer) stream(ctx context.Context, client api.ReplicaClient, quiet *bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Deliver(ctx)
	if err != nil {
		return err
	}
	for {
		select {
		case m, ok := <-p.queue:
			if !ok {
				_, err := stream.CloseAndRecv() // waits until all was taken
				return errors.Join(ErrClosed, err)
			}
			p.bytes.Add(-size(m))
			if err := stream.Send(encode(m)); err != nil {
				_, err = stream.CloseAndRecv() // says why
				return err
			}
			*quiet = false
		case <-stream.Context().Done():
			_, err := stream.CloseAndRecv()
			return err
		}
	}
}
