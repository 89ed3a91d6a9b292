package master

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"mezzo/api/codec"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/recordio"
	"mezzo/master/core"
)

// streamHeader names a framework's stream in answers and calls.
const streamHeader = "Mesos-Stream-Id"

// heartbeatInterval is how often a stream shows that it lives.
const heartbeatInterval = 15 * time.Second

// scheduler serves POST /api/v1/scheduler.
//
// Source: the order of the checks is that of mesos master/http.cpp, scheduler.
func (m *Master) scheduler(w http.ResponseWriter, r *http.Request) {
	call := &scheduler.Call{}
	if !decode(w, r, call) {
		return
	}
	if err := core.CheckCall(call); err != nil {
		fail(w, err)
		return
	}
	if call.GetType() == scheduler.Call_SUBSCRIBE {
		m.subscribe(w, r, call)
		return
	}
	if call.GetType() == scheduler.Call_RECONCILE_OPERATIONS {
		if _, ok := negotiate(w, r); !ok {
			return
		}
	}
	if err := m.lead().loop.ask(request{event: core.SchedulerCall{Stream: core.StreamID(r.Header.Get(streamHeader)), Call: call}}); err != nil {
		fail(w, err)
		return
	}
	if call.GetType() == scheduler.Call_UPDATE_FRAMEWORK {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// subscribe opens a stream and serves it until either side ends it.
func (m *Master) subscribe(w http.ResponseWriter, r *http.Request, call *scheduler.Call) {
	out, ok := negotiate(w, r)
	if !ok {
		return
	}
	if len(r.Header.Values(streamHeader)) > 0 {
		refuse(w, http.StatusBadRequest, "a SUBSCRIBE call has no %s header", streamHeader)
		return
	}
	id := core.StreamID(uuid.NewString())
	events := newQueue[*scheduler.Event](&m.queued)
	defer events.cut(nil)
	if err := m.lead().loop.ask(request{event: core.SchedulerCall{Stream: id, Call: call}, subscriber: events}); err != nil {
		fail(w, err)
		return
	}
	defer func() { _ = m.lead().loop.tell(request{event: core.StreamClosed{Stream: id}}) }()
	w.Header().Set("Content-Type", out.ContentType())
	w.Header().Set(streamHeader, string(id))
	w.WriteHeader(http.StatusOK)
	s := &stream{http: http.NewResponseController(w), codec: out}
	_ = s.http.SetReadDeadline(time.Time{}) // the request is here, and its peer is watched on
	s.records = recordio.NewWriter(w)
	switch err := s.serve(r, events); {
	case errors.Is(err, errSlow):
		m.log.Warn("subscriber dropped", "stream_id", string(id), "err", err)
	case err != nil:
		m.log.Debug("subscriber gone", "stream_id", string(id), "err", err)
	}
}

// stream is the writing side of one subscription.
type stream struct {
	http    *http.ResponseController
	records *recordio.Writer
	codec   codec.Codec
}

// serve writes events and heartbeats until the queue is closed (nil), the reader
// is gone, or can't be written to.
func (s *stream) serve(r *http.Request, events *subscriberQueue) error {
	heartbeat := time.NewTicker(heartbeatInterval)
	defer heartbeat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-heartbeat.C:
			if err := s.write(&scheduler.Event{Type: scheduler.Event_HEARTBEAT.Enum()}); err != nil {
				return err
			}
		case <-events.wake:
			batch, closed, reason := events.take()
			for _, ev := range batch {
				if reason := events.reason(); reason != nil {
					return s.end(reason) // what was lost behind ev makes ev useless
				}
				if err := s.write(ev); err != nil {
					return err
				}
			}
			if closed {
				return s.end(reason)
			}
		}
	}
}

// end says why the stream ends, if there is a reason.
func (s *stream) end(reason error) error {
	if reason == nil {
		return nil
	}
	message := reason.Error()
	_ = s.write(&scheduler.Event{Type: scheduler.Event_ERROR.Enum(), Error: &scheduler.Event_Error{Message: &message}})
	return reason
}

// write sends one record, as one chunk.
func (s *stream) write(ev *scheduler.Event) error {
	data, err := s.codec.Marshal(ev)
	if err != nil {
		return err
	}
	if err := s.records.Write(data); err != nil {
		return err
	}
	return s.http.Flush()
}
