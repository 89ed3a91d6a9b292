package scheduler

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/election"
	"mezzo/internal/errs"
)

// Config describes a framework and its way to the master. Only Master and
// Framework must be set.
type Config struct {
	Master    election.Detector
	Framework *v1.FrameworkInfo // Id set: that framework is taken over

	SuppressedRoles  []string
	OfferConstraints *wire.OfferConstraints

	// ExplicitAcknowledge leaves Acknowledge to the framework.
	ExplicitAcknowledge bool

	Codec codec.Codec  // codec.Protobuf
	HTTP  *http.Client // no proxy, no overall timeout
	Log   *slog.Logger // silent

	CallTimeout time.Duration // 15s: for an answer to a call
	MinBackoff  time.Duration // 250ms: before subscribing again, doubled up to
	MaxBackoff  time.Duration // 15s
}

// setDefaults fills what is unset.
func (c *Config) setDefaults() {
	if c.Codec == nil {
		c.Codec = codec.Protobuf
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = 15 * time.Second
	}
	if c.MinBackoff == 0 {
		c.MinBackoff = 250 * time.Millisecond
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = 15 * time.Second
	}
}

// Client is one framework at the master.
//
// Concurrency: all methods but Run may be called by any goroutine.
type Client struct {
	cfg   Config
	calls *http.Client // as cfg.HTTP, but follows no redirect
	log   *slog.Logger

	mu        sync.Mutex
	stop      context.CancelCauseFunc // ends Run; nil before it
	leaving   bool                    // a Teardown is under way or done
	id        *v1.FrameworkID         // nil until the first SUBSCRIBED
	subscribe *wire.Call_Subscribe
	stream    *stream // nil while disconnected
}

// New returns a Client that is not subscribed yet.
//
// Errors: errs.Invalid if Master or Framework is missing.
func New(cfg Config) (*Client, error) {
	if cfg.Master == nil {
		return nil, fmt.Errorf("scheduler: no master given: %w", errs.Invalid)
	}
	if cfg.Framework == nil {
		return nil, fmt.Errorf("scheduler: no framework given: %w", errs.Invalid)
	}
	cfg.setDefaults()
	calls := *cfg.HTTP
	calls.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		cfg:   cfg,
		calls: &calls,
		log:   cfg.Log.With("component", "scheduler"),
		id:    proto.CloneOf(cfg.Framework.GetId()),
		subscribe: &wire.Call_Subscribe{
			FrameworkInfo:    proto.CloneOf(cfg.Framework),
			SuppressedRoles:  cfg.SuppressedRoles,
			OfferConstraints: cfg.OfferConstraints,
		},
	}, nil
}

// FrameworkID returns the id the master gave, nil before the first SUBSCRIBED.
func (c *Client) FrameworkID() *v1.FrameworkID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// Run keeps the framework subscribed until ctx ends, Teardown succeeds, a
// handler fails or the master refuses the framework for good.
//
// Errors: nil after Teardown; ctx's cause; *RefusedError; *FrameworkError; the
// handler's own.
func (c *Client) Run(ctx context.Context, h Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.mu.Lock()
	c.stop = cancel
	c.mu.Unlock()
	err := c.run(ctx, &h)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, errTornDown) {
		return nil
	}
	return err
}

func (c *Client) run(ctx context.Context, h *Handler) error {
	wait, addr, jitter := c.cfg.MinBackoff, "", newRand()
	for {
		next, err := c.cfg.Master.Detect(ctx, addr)
		if err != nil {
			return fmt.Errorf("detect master: %w", err)
		}
		addr = next
		subscribed, err := c.session(ctx, addr, h)
		if !errors.Is(err, ErrDisconnected) || ctx.Err() != nil {
			return err
		}
		if !c.isLeaving() {
			c.log.Warn("stream ended", "master", addr, "err", err)
			if err := invoke(ctx, h.Disconnected, err); err != nil {
				return err
			}
		}
		if subscribed {
			wait = c.cfg.MinBackoff
		}
		// Between half and the whole, so that frameworks which lost the same
		// master don't return in step.
		for {
			if err := sleep(ctx, wait/2+time.Duration(jitter.Int64N(int64(wait/2)+1))); err != nil {
				return err
			}
			if !c.isLeaving() {
				break // a Teardown under way would be answered with an ERROR to the new stream
			}
		}
		wait = min(2*wait, c.cfg.MaxBackoff)
	}
}

// isLeaving tells that a broken stream is what a Teardown asked for.
func (c *Client) isLeaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaving
}

func newRand() *rand.Rand {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails: crypto/rand
	return rand.New(rand.NewChaCha8(seed))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
