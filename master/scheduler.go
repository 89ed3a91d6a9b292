package master

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master/core"
)

// streamHeader names a framework's stream in answers and calls.
const streamHeader = "Mesos-Stream-Id"

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
	w.Header().Set(streamHeader, string(id))
	s := &schedulerStream{openStream(w, out)}
	switch err := serve(r, events, s); {
	case errors.Is(err, errSlow):
		m.log.Warn("subscriber dropped", "stream_id", string(id), "err", err)
	case err != nil:
		m.log.Debug("subscriber gone", "stream_id", string(id), "err", err)
	}
}

// schedulerStream is the writing side of one scheduler's subscription.
type schedulerStream struct{ *stream }

func (s *schedulerStream) event(ev *scheduler.Event) error { return s.write(ev) }

func (s *schedulerStream) heartbeat() error {
	return s.write(&scheduler.Event{Type: scheduler.Event_HEARTBEAT.Enum()})
}

func (s *schedulerStream) farewell(message string) {
	_ = s.write(&scheduler.Event{Type: scheduler.Event_ERROR.Enum(), Error: &scheduler.Event_Error{Message: &message}})
}
