package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"mezzo/api/codec"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/api/recordio"
)

const (
	path = "/api/v1/executor"

	maxRecordBytes = 64 << 20 // a LAUNCH_GROUP with much data

	// A stream without a record for this many heartbeat intervals is dead.
	missedHeartbeats = 3
)

var encoding = codec.Protobuf

// session is one subscription, from the call on: a goroutine that reads.
type session struct {
	c      *Client
	ctx    context.Context // ends with the session
	cancel context.CancelCauseFunc

	// received is what the goroutine reads: valid events, and at last an error,
	// of class ErrDisconnected if another try may help.
	received chan received
}

type received struct {
	event *wire.Event
	err   error
}

// open subscribes in the background.
func (c *Client) open(ctx context.Context, subscribe *request) *session {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &session{c: c, ctx: ctx, cancel: cancel, received: make(chan received)}
	go func() {
		err := s.read(subscribe)
		s.deliver(received{err: err})
	}()
	return s
}

// deliver hands r over, and tells whether anybody still wanted it.
func (s *session) deliver(r received) bool {
	select {
	case s.received <- r:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// read subscribes and reads until the stream ends.
func (s *session) read(subscribe *request) error {
	// A context of its own: the end by silence must still be delivered.
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	timeout := s.c.cfg.CallTimeout
	silence := time.AfterFunc(timeout, func() { cancel(errSilent) })
	defer silence.Stop()

	resp, err := s.c.post(ctx, subscribe.body)
	if err != nil {
		return fmt.Errorf("subscribe: %w", cause(ctx, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refused(subscribe.name, resp)
	}
	records := recordio.NewReader(resp.Body, maxRecordBytes)
	for {
		silence.Reset(timeout)
		ev, err := next(records)
		silence.Stop()
		if err != nil {
			return fmt.Errorf("read stream: %w", cause(ctx, err))
		}
		err = s.c.checkEvent(ev)
		switch {
		case err != nil && ev.GetType() == wire.Event_SUBSCRIBED:
			return fmt.Errorf("read stream: %w: %w", err, ErrDisconnected)
		case err != nil:
			// One that nobody can act on; the others of the stream count all the same.
			s.c.log.Warn("event skipped", "type", ev.GetType(), "err", err)
			continue
		case ev.GetType() == wire.Event_SUBSCRIBED:
			timeout = missedHeartbeats * s.c.cfg.Heartbeat
		}
		if !s.deliver(received{event: ev}) {
			return context.Cause(s.ctx)
		}
	}
}

// next reads one event. Records that aren't events make the stream worthless.
func next(r *recordio.Reader) (*wire.Event, error) {
	record, err := r.Next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("closed by the agent: %w", ErrDisconnected)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrDisconnected)
	}
	ev := &wire.Event{}
	if err := encoding.Unmarshal(record, ev); err != nil {
		return nil, fmt.Errorf("record is no event: %w: %w", err, ErrDisconnected)
	}
	return ev, nil
}

// call makes any call but SUBSCRIBE and returns when the agent has taken it.
//
// Errors: ErrDisconnected without an answer; *RefusedError.
func (s *session) call(req *request) error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, s.c.cfg.CallTimeout, errSilent)
	defer cancel()
	resp, err := s.c.post(ctx, req.body)
	if err != nil {
		return fmt.Errorf("call %s: %w", req.name, cause(ctx, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return refused(req.name, resp)
	}
	// To the end, so that the connection is used again; there should be nothing.
	_, _ = io.CopyN(io.Discard, resp.Body, maxMessageBytes)
	return nil
}

func (c *Client) post(ctx context.Context, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.cfg.Agent+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", encoding.ContentType())
	req.Header.Set("Accept", encoding.ContentType())
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	resp, err := c.http.Do(req)
	if wrapper := (*url.Error)(nil); errors.As(err, &wrapper) {
		err = wrapper.Err // it repeats method and URL only
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrDisconnected)
	}
	return resp, nil
}

// cause prefers the reason why ctx ended to what the network made of it.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
