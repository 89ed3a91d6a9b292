package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"mezzo/agent/core"
	"mezzo/api/codec"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/executor"
	"mezzo/api/recordio"
	"mezzo/internal/errs"
)

const (
	// executorHeartbeat is how often an executor's stream shows that it lives
	// (mesos slave/constants.hpp).
	executorHeartbeat = 30 * time.Minute
	// executorQueue is how many events may wait for an executor to take them.
	executorQueue = 1024
	// maxExecutorCall is the largest call of an executor, in bytes: a SUBSCRIBE
	// brings all that is not acknowledged.
	maxExecutorCall = 64 << 20
)

// executorStream is the events that an executor gets.
type executorStream struct {
	events chan *executor.Event // closed by the loop when the stream is over
}

// executorOwner is what the executor API asks of the loop.
type executorOwner interface {
	// subscribe makes a stream; errs.Invalid if there is no such executor.
	subscribe(ctx context.Context, c *executor.Call) (*executorStream, error)
	// unsubscribe says that a stream ended.
	unsubscribe(c *executor.Call, s *executorStream)
	// update takes a status; errs.Invalid with what is wrong with it.
	update(ctx context.Context, c *executor.Call) error
	message(ctx context.Context, c *executor.Call) error
}

// errNotSubscribed answers calls of an executor that has no stream.
var errNotSubscribed = errors.New("executor is not subscribed")

// executorOf finds the container of the executor that calls.
func (l *loop) executorOf(c *executor.Call) (id ids.ContainerID, subscribed bool, err error) {
	id, subscribed, err = l.core.ExecutorContainer(
		ids.FrameworkID(c.GetFrameworkId().GetValue()), ids.ExecutorID(c.GetExecutorId().GetValue()))
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", errs.Text(err), errs.Invalid)
	}
	return id, subscribed, nil
}

type subscription struct {
	stream *executorStream
	err    error
}

func (l *loop) subscribe(ctx context.Context, c *executor.Call) (*executorStream, error) {
	s, err := ask(ctx, l, func() subscription {
		id, _, err := l.executorOf(c)
		if err != nil {
			return subscription{err: err}
		}
		l.hangUp(id)
		s := &executorStream{events: make(chan *executor.Event, executorQueue)}
		l.streams[id] = s
		l.step(core.ExecutorSubscribed{
			Container: id, Tasks: c.GetSubscribe().GetUnacknowledgedTasks(), Updates: updatesOf(c.GetSubscribe()),
		})
		return subscription{stream: s}
	})
	if err != nil {
		return nil, err
	}
	return s.stream, s.err
}

// hangUp ends the stream of an executor, if it has one.
func (l *loop) hangUp(id ids.ContainerID) {
	if s := l.streams[id]; s != nil {
		close(s.events)
		delete(l.streams, id)
		l.step(core.ExecutorDetached{Container: id})
	}
}

func (l *loop) unsubscribe(c *executor.Call, s *executorStream) {
	l.result(func() {
		for id, now := range l.streams {
			if now == s {
				l.hangUp(id)
			}
		}
	})
}

func (l *loop) update(ctx context.Context, c *executor.Call) error {
	return l.fromExecutor(ctx, c, func(id ids.ContainerID) error {
		if err := l.core.CheckUpdate(id, c.GetUpdate().GetStatus()); err != nil {
			return err
		}
		l.step(core.ExecutorUpdate{Container: id, Status: c.GetUpdate().GetStatus()})
		return nil
	})
}

func (l *loop) message(ctx context.Context, c *executor.Call) error {
	return l.fromExecutor(ctx, c, func(id ids.ContainerID) error {
		l.step(core.ExecutorMessage{Container: id, Data: c.GetMessage().GetData()})
		return nil
	})
}

// fromExecutor does what a subscribed executor asks for.
func (l *loop) fromExecutor(ctx context.Context, c *executor.Call, do func(ids.ContainerID) error) error {
	result, err := ask(ctx, l, func() error {
		id, subscribed, err := l.executorOf(c)
		if err == nil && !subscribed {
			err = errNotSubscribed
		}
		if err != nil {
			return err
		}
		return do(id)
	})
	if err != nil {
		return err
	}
	return result
}

// tell puts an event on an executor's stream. One that takes nothing is hung up
// on: it subscribes again, and gets what it doesn't know.
func (l *loop) tell(e core.Tell) {
	s := l.streams[e.Container]
	if s == nil {
		return
	}
	select {
	case s.events <- e.Event:
	default:
		l.log.Warn("executor does not take what it is sent", "container_id", e.Container)
		l.hangUp(e.Container)
	}
}

// executorAPI answers POST /api/v1/executor.
//
// Source: mesos slave/http.cpp, Http::executor.
func (s *server) executorAPI(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, fmt.Sprintf("Expecting 'POST', received '%s'", r.Method), http.StatusMethodNotAllowed)
		return
	}
	if r.Header.Get("Content-Type") == "" {
		http.Error(w, "Expecting 'Content-Type' to be present", http.StatusBadRequest)
		return
	}
	in, ok := codec.ForContentType(r.Header.Get("Content-Type"))
	if !ok {
		http.Error(w, "Expecting 'Content-Type' of application/json or application/x-protobuf", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxExecutorCall))
	call := &executor.Call{}
	if err == nil {
		err = in.Unmarshal(body, call)
	}
	if err == nil {
		err = checkExecutorCall(call)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch call.GetType() {
	case executor.Call_SUBSCRIBE:
		s.serveExecutor(w, r, call)
		return
	case executor.Call_UPDATE:
		err = s.owner.update(r.Context(), call)
	case executor.Call_MESSAGE:
		err = s.owner.message(r.Context(), call)
	case executor.Call_HEARTBEAT:
	default:
		err = fmt.Errorf("call %s: %w", call.GetType(), errs.Unsupported)
	}
	switch {
	case errors.Is(err, errNotSubscribed):
		http.Error(w, err.Error(), http.StatusForbidden)
	case err != nil:
		s.fail(w, r, err)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

func checkExecutorCall(c *executor.Call) error {
	missing := ""
	switch {
	case c.Type == nil:
		missing = "type"
	case c.ExecutorId == nil:
		missing = "executor_id"
	case c.FrameworkId == nil:
		missing = "framework_id"
	case c.GetType() == executor.Call_SUBSCRIBE && c.Subscribe == nil:
		missing = "subscribe"
	case c.GetType() == executor.Call_UPDATE && c.Update == nil:
		missing = "update"
	case c.GetType() == executor.Call_MESSAGE && c.Message == nil:
		missing = "message"
	}
	if missing != "" {
		return fmt.Errorf("expecting '%s' to be present: %w", missing, errs.Invalid)
	}
	return nil
}

// serveExecutor answers a SUBSCRIBE, with events as long as both sides live.
func (s *server) serveExecutor(w http.ResponseWriter, r *http.Request, call *executor.Call) {
	out, ok := codec.Negotiate(r.Header.Get("Accept"))
	if !ok {
		http.Error(w, "Expecting 'Accept' to allow application/json or application/x-protobuf", http.StatusNotAcceptable)
		return
	}
	stream, err := s.owner.subscribe(r.Context(), call)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer s.owner.unsubscribe(call, stream)
	// The connection is read on, to see its end.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // none is as good
	w.Header().Set("Content-Type", out.ContentType())
	w.WriteHeader(http.StatusOK)
	_ = control.Flush() // the first write tells
	records := recordio.NewWriter(w)
	beat := time.NewTicker(executorHeartbeat)
	defer beat.Stop()
	for {
		var ev *executor.Event
		select {
		case next, open := <-stream.events:
			if !open {
				return
			}
			ev = next
		case <-beat.C:
			ev = &executor.Event{Type: executor.Event_HEARTBEAT.Enum()}
		case <-r.Context().Done():
			return
		}
		rec, err := out.Marshal(ev)
		if err != nil {
			s.log.Warn("write an executor's event", "err", err)
			return
		}
		if records.Write(rec) != nil || control.Flush() != nil {
			return
		}
	}
}

// updatesOf are the statuses that a SUBSCRIBE brings.
func updatesOf(c *executor.Call_Subscribe) (all []*v1.TaskStatus) {
	for _, u := range c.GetUnacknowledgedUpdates() {
		all = append(all, u.GetStatus())
	}
	return all
}
