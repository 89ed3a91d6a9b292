// Package remote is mezzo/replog/state for programs that are no replica: the
// masters keep their variables. A framework needs no other database for what it
// must not lose.
//
//	c, err := remote.New(remote.Config{Masters: []string{"h1:5050", "h2:5050"}, Token: token})
//	v, err := c.Fetch(ctx, "frameworks/cron/jobs")
//	v, ok, err := c.Store(ctx, v.Mutate(value))
//
// The token opens the names below some prefix (the masters' --state_access).
package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"mezzo/api/link"
	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/replog"
	"mezzo/replog/state"
)

// Config says where the masters are, and who asks.
type Config struct {
	Masters []string // "host:port", one of which leads
	Token   string
	Dial    []grpc.DialOption // default: in clear text
}

// Client is a Store. All methods may be called by any goroutine.
//
// Errors, beside those of state.Leader: errs.Invalid if the token does not open
// the name. What fails before a master that leads was asked is tried again until
// ctx ends. replog.ErrDemoted of Commit, Store and Expunge: nobody knows what
// became of it; fetch, and compare.
type Client struct {
	cfg   Config
	mu    sync.Mutex
	conns map[string]*grpc.ClientConn
	at    string // who led last
	next  int    // of Masters, to be asked if nobody is known to lead
}

var _ state.Store = (*Client)(nil)

// New speaks to nobody yet.
func New(cfg Config) (*Client, error) {
	if len(cfg.Masters) == 0 || cfg.Token == "" {
		return nil, fmt.Errorf("use variables: no master or no token is named: %w", errs.Invalid)
	}
	if cfg.Dial == nil {
		cfg.Dial = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
	return &Client{cfg: cfg, conns: map[string]*grpc.ClientConn{}}, nil
}

// Close ends all connections.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []error
	for _, conn := range c.conns {
		all = append(all, conn.Close())
	}
	clear(c.conns)
	return errors.Join(all...)
}

// maxConns bounds the masters that are kept in touch with: each may name another.
const maxConns = 16

// leader is a connection to who should lead.
func (c *Client) leader() (api.StateClient, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == "" {
		c.at = c.cfg.Masters[c.next%len(c.cfg.Masters)]
		c.next++
	}
	conn := c.conns[c.at]
	if conn == nil {
		if len(c.conns) >= maxConns {
			return nil, "", fmt.Errorf("masters name more than %d others: %w", maxConns, errs.Invalid)
		}
		options := append([]grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(api.MaxMessageBytes), grpc.MaxCallSendMsgSize(api.MaxMessageBytes))}, c.cfg.Dial...)
		var err error
		if conn, err = grpc.NewClient("passthrough:///"+c.at, options...); err != nil {
			return nil, "", fmt.Errorf("reach master %q: %w: %w", c.at, err, errs.Invalid)
		}
		c.conns[c.at] = conn
	}
	return api.NewStateClient(conn), c.at, nil
}

// lost forgets who led, for another that was named, or nobody.
func (c *Client) lost(addr, leader string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == addr {
		c.at = leader
	}
}

// retryAfter is the pause before another master is asked.
const retryAfter = 50 * time.Millisecond

// call asks who leads. What was asked of one that may have done it is not asked
// again, unless that does no harm.
func (c *Client) call(ctx context.Context, harmless bool, ask func(context.Context, api.StateClient, ...grpc.CallOption) error) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.cfg.Token)
	for {
		client, addr, err := c.leader()
		if err != nil {
			return err
		}
		var trailer metadata.MD
		err = ask(ctx, client, grpc.Trailer(&trailer))
		s := status.Convert(err)
		leader := ""
		if named := trailer.Get(link.LeaderTrailer); len(named) > 0 {
			leader = named[0]
		}
		switch code := s.Code(); {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("master %s: %w", addr, context.Cause(ctx))
		case code == codes.FailedPrecondition:
			c.lost(addr, leader)
		case code == codes.Unavailable && harmless:
			c.lost(addr, "")
		case code == codes.Unavailable || code == codes.Aborted:
			c.lost(addr, "")
			return fmt.Errorf("master %s: %s: %w", addr, s.Message(), replog.ErrDemoted)
		case code == codes.ResourceExhausted:
			return fmt.Errorf("master %s: %s: %w", addr, s.Message(), errs.Exhausted)
		default:
			return fmt.Errorf("master %s: %s: %w", addr, s.Message(), errs.Invalid)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return fmt.Errorf("no master leads: %s: %w", s.Message(), context.Cause(ctx))
		}
	}
}

// Fetch implements state.Store.
func (c *Client) Fetch(ctx context.Context, name string) (state.Variable, error) {
	var v *api.Variable
	err := c.call(ctx, true, func(ctx context.Context, s api.StateClient, o ...grpc.CallOption) error {
		r, err := s.Fetch(ctx, &api.FetchRequest{Name: name}, o...)
		v = r.GetVariable()
		return err
	})
	if err != nil {
		return state.Variable{}, fmt.Errorf("fetch variable %q: %w", name, err)
	}
	return state.Restore(name, v.GetVersion(), v.GetValue()), nil
}

// Names implements state.Store.
func (c *Client) Names(ctx context.Context, prefix string) (names []string, err error) {
	err = c.call(ctx, true, func(ctx context.Context, s api.StateClient, o ...grpc.CallOption) error {
		r, err := s.Names(ctx, &api.NamesRequest{Prefix: prefix}, o...)
		names = r.GetNames()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list variables %q: %w", prefix, err)
	}
	return names, nil
}

// Store implements state.Store.
func (c *Client) Store(ctx context.Context, v state.Variable) (state.Variable, bool, error) {
	now, ok, err := c.Commit(ctx, state.Txn{Put: []state.Variable{v}})
	if err != nil || len(now) != 1 {
		return state.Variable{}, false, err
	}
	return now[0], ok, nil
}

// Expunge implements state.Store.
func (c *Client) Expunge(ctx context.Context, v state.Variable) (bool, error) {
	_, ok, err := c.Commit(ctx, state.Txn{Delete: []state.Variable{v}})
	return ok, err
}

// Commit implements state.Store.
func (c *Client) Commit(ctx context.Context, t state.Txn) (now []state.Variable, ok bool, err error) {
	request := &api.CommitRequest{Put: encode(t.Put), Delete: encode(t.Delete)}
	err = c.call(ctx, false, func(ctx context.Context, s api.StateClient, o ...grpc.CallOption) error {
		r, err := s.Commit(ctx, request, o...)
		ok = r.GetDone()
		for _, v := range r.GetNow() {
			now = append(now, state.Restore(v.GetName(), v.GetVersion(), v.GetValue()))
		}
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("commit %d changes: %w", len(t.Put)+len(t.Delete), err)
	}
	return now, ok, nil
}

func encode(all []state.Variable) (out []*api.Variable) {
	for _, v := range all {
		out = append(out, &api.Variable{Name: v.Name(), Version: v.Version(), Value: v.Value()})
	}
	return out
}
