package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/protobuf/proto"

	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/api/recordio"
)

const (
	path           = "/api/v1/scheduler"
	streamIDHeader = "Mesos-Stream-Id"

	maxRecordBytes = 64 << 20 // an OFFERS event of a very large cluster

	// A stream without a record for this many heartbeat intervals is dead.
	missedHeartbeats = 3
	// Seconds, when the master names none or nonsense.
	defaultHeartbeat = 15.0
	maxHeartbeat     = 3600.0
)

// stream is a subscription in force.
type stream struct {
	url string // where calls go
	id  string // what they carry
}

// session subscribes at addr and serves the stream until it ends.
//
// Errors: of class ErrDisconnected if another try may help.
func (c *Client) session(ctx context.Context, addr string, h *Handler) (subscribed bool, err error) {
	reading, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(c.cfg.CallTimeout, func() { cancel(errSilent) })
	defer silence.Stop()

	resp, err := c.post(reading, c.cfg.HTTP, "http://"+addr+path, "", c.subscribeCall())
	if err != nil {
		return false, fmt.Errorf("subscribe at %s: %w", addr, cause(reading, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, refused("SUBSCRIBE", resp)
	}
	s := &stream{url: resp.Request.URL.String(), id: resp.Header.Get(streamIDHeader)}
	defer c.setDisconnected()

	records, timeout := recordio.NewReader(resp.Body, maxRecordBytes), c.cfg.CallTimeout
	for {
		silence.Reset(timeout)
		ev, err := c.next(records)
		silence.Stop()
		if err != nil {
			return subscribed, fmt.Errorf("read stream of %s: %w", addr, cause(reading, err))
		}
		if ev.GetType() == wire.Event_SUBSCRIBED {
			subscribed, timeout = true, heartbeatTimeout(ev.GetSubscribed())
			c.setSubscribed(s, ev.GetSubscribed())
			err = invoke(ctx, h.Subscribed, ev.GetSubscribed())
		} else {
			err = c.dispatch(ctx, h, ev)
		}
		if err != nil {
			return subscribed, err
		}
	}
}

// Call sends any call of the API on the present stream and fills in the
// framework id. It returns when the master has taken the call, not when it has
// been carried out.
//
// Errors: ErrDisconnected without a stream or an answer; *RefusedError.
func (c *Client) Call(ctx context.Context, call *wire.Call) error {
	c.mu.Lock()
	s, id := c.stream, c.id
	c.mu.Unlock()
	name := call.GetType().String()
	if s == nil {
		return fmt.Errorf("call %s: no subscription: %w", name, ErrDisconnected)
	}
	if call.GetFrameworkId() == nil {
		call = proto.CloneOf(call)
		call.FrameworkId = id
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.CallTimeout, errSilent)
	defer cancel()
	resp, err := c.post(ctx, c.calls, s.url, s.id, call)
	if err != nil {
		return fmt.Errorf("call %s: %w", name, cause(ctx, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return refused(name, resp)
	}
	// Read to the end, so that the connection is used again; what UPDATE_FRAMEWORK
	// and RECONCILE_OPERATIONS answer is empty.
	_, _ = io.Copy(io.Discard, resp.Body)
	return nil
}

func (c *Client) post(ctx context.Context, hc *http.Client, to, streamID string, call *wire.Call) (*http.Response, error) {
	body, err := c.cfg.Codec.Marshal(call)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", c.cfg.Codec.ContentType())
	req.Header.Set("Accept", c.cfg.Codec.ContentType())
	if streamID != "" {
		req.Header.Set(streamIDHeader, streamID)
	}
	resp, err := hc.Do(req)
	if wrapper := (*url.Error)(nil); errors.As(err, &wrapper) {
		err = wrapper.Err // it repeats method and URL only
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrDisconnected)
	}
	return resp, nil
}

// next reads one event. Records that aren't events make the stream worthless.
func (c *Client) next(r *recordio.Reader) (*wire.Event, error) {
	record, err := r.Next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("closed by the master: %w", ErrDisconnected)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrDisconnected)
	}
	ev := &wire.Event{}
	if err := c.cfg.Codec.Unmarshal(record, ev); err != nil {
		return nil, fmt.Errorf("record is no event: %w: %w", err, ErrDisconnected)
	}
	return ev, nil
}

// subscribeCall is the call that opens a stream, under the id of the last one.
func (c *Client) subscribeCall() *wire.Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub := proto.CloneOf(c.subscribe)
	sub.FrameworkInfo.Id = c.id
	return &wire.Call{Type: wire.Call_SUBSCRIBE.Enum(), FrameworkId: c.id, Subscribe: sub}
}

func (c *Client) setSubscribed(s *stream, ev *wire.Event_Subscribed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream, c.id = s, ev.GetFrameworkId()
}

func (c *Client) setDisconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream = nil
}

func heartbeatTimeout(ev *wire.Event_Subscribed) time.Duration {
	every := ev.GetHeartbeatIntervalSeconds()
	if !(every > 0 && every <= maxHeartbeat) { // not a number, too
		every = defaultHeartbeat
	}
	return time.Duration(missedHeartbeats * every * float64(time.Second))
}

// cause prefers the reason why ctx ended to what the network made of it.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
