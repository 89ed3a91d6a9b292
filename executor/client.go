package executor

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/internal/errs"
)

// Client is one executor at its agent.
//
// Concurrency: all methods may be called by any goroutine.
type Client struct {
	cfg  Config
	http *http.Client
	log  *slog.Logger

	started  atomic.Bool
	requests chan *request // what Update and Message ask of Run
	ended    chan struct{} // closed when Run has returned

	stopOnce sync.Once
	stop     chan struct{} // closed by Stop
}

// New returns a Client that is not subscribed yet.
//
// Errors: errs.Invalid if Agent, Framework, Executor or Token is malformed.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("executor: %w", err)
	}
	cfg.setDefaults()
	hc := *cfg.HTTP
	// The token is for the agent alone, and nothing else serves its executors.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		cfg:      cfg,
		http:     &hc,
		log:      cfg.Log.With("component", "executor", "executor", string(cfg.Executor)),
		requests: make(chan *request),
		ended:    make(chan struct{}),
		stop:     make(chan struct{}),
	}, nil
}

// Run keeps the executor subscribed until the agent shuts it down or is lost,
// Stop has done its work, ctx ends or a handler fails. It works once.
//
// It waits for the present function of the Handler and, after SHUTDOWN, for the
// acknowledgement of the last updates; but only for nine tenths of the grace
// period, since the agent destroys the container after it.
//
// Errors: nil after SHUTDOWN or Stop; ctx's cause; *LostError; *RefusedError;
// the handler's own; errs.Conflict the second time.
func (c *Client) Run(ctx context.Context, h Handler) error {
	if !c.started.CompareAndSwap(false, true) {
		return fmt.Errorf("run executor %q again: %w", c.cfg.Executor, errs.Conflict)
	}
	defer close(c.ended)
	return newLoop(c, &h).run(ctx)
}

// Stop makes Run return nil as soon as every update is acknowledged: for
// executors that end with their tasks.
func (c *Client) Stop() { c.stopOnce.Do(func() { close(c.stop) }) }

// Update tells how a task fares. A copy of s gets uuid, source and executor_id,
// and timestamp unless it is set. Nil means that the library has the status and
// sends it, on every subscription, until the agent acknowledges it. While there
// is a stream Update waits for the agent's answer, before Run for Run.
//
// Errors: errs.Invalid if an executor can't tell that; errs.Conflict after the
// task's terminal update or the end of Run; ErrDisconnected if Run is ending for
// want of an agent; *RefusedError if the agent refuses the status for good,
// which is then forgotten; ctx's cause if it ended before the library had the
// status.
func (c *Client) Update(ctx context.Context, s *v1.TaskStatus) error {
	req, err := c.updateRequest(s)
	if err != nil {
		return err
	}
	if err := c.ask(ctx, req); err != nil {
		return err
	}
	select {
	case err := <-req.done:
		return err
	case <-ctx.Done():
		return nil // it is kept
	}
}

// Message sends bytes to the scheduler, best effort.
//
// Errors: ErrDisconnected without a stream or an answer; *RefusedError;
// errs.Conflict after the end of Run; ctx's cause, sent or not.
func (c *Client) Message(ctx context.Context, data []byte) error {
	req, err := c.request(&wire.Call{
		Type:    wire.Call_MESSAGE.Enum(),
		Message: &wire.Call_Message{Data: append([]byte{}, data...)}, // nil would be missing
	})
	if err != nil {
		return err
	}
	if err := c.ask(ctx, req); err != nil {
		return err
	}
	select {
	case err := <-req.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask hands a request to Run.
func (c *Client) ask(ctx context.Context, req *request) error {
	select {
	case c.requests <- req:
		return nil
	case <-c.ended:
		return fmt.Errorf("call %s: %w", req.name, errEnded)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// request is a call that waits for its turn, and whoever waits for its outcome.
type request struct {
	name   string // "UPDATE"
	body   []byte
	status *v1.TaskStatus // of an UPDATE; pending's once that has it
	done   chan error     // the outcome, once
}

// answer tells the outcome; only the first counts.
func (r *request) answer(err error) {
	select {
	case r.done <- err:
	default:
	}
}

// request encodes a call, with whose it is.
//
// Errors: errs.Invalid if a required field is missing.
func (c *Client) request(call *wire.Call) (*request, error) {
	call.ExecutorId, call.FrameworkId = c.cfg.Executor.Proto(), c.cfg.Framework.Proto()
	name := call.GetType().String()
	body, err := encoding.Marshal(call)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", name, err)
	}
	return &request{name: name, body: body, status: call.GetUpdate().GetStatus(), done: make(chan error, 1)}, nil
}

func (c *Client) updateRequest(s *v1.TaskStatus) (*request, error) {
	if err := checkStatus(s); err != nil {
		return nil, fmt.Errorf("call UPDATE: %w", err)
	}
	s = proto.CloneOf(s)
	id := uuid.New()
	s.Uuid = id[:]
	s.Source = v1.TaskStatus_SOURCE_EXECUTOR.Enum()
	s.ExecutorId = c.cfg.Executor.Proto()
	if s.Timestamp == nil {
		s.Timestamp = proto.Float64(float64(time.Now().UnixMicro()) / 1e6)
	}
	return c.request(&wire.Call{Type: wire.Call_UPDATE.Enum(), Update: &wire.Call_Update{Status: s}})
}
