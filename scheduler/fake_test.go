package scheduler_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/api/recordio"
	"mezzo/election"
	"mezzo/scheduler"
)

// fakeMaster speaks the scheduler API as far as a script says: each SUBSCRIBE
// is served by the next function of the script, the last one serves the rest.
type fakeMaster struct {
	t      *testing.T
	server *httptest.Server
	script []func(*subscription)

	mu         sync.Mutex
	subscribes []*wire.Call
	streamID   string                         // of the present subscription
	refuse     func(*wire.Call) (int, string) // nil: everything is accepted

	calls chan *wire.Call // accepted calls other than SUBSCRIBE
}

// subscription is the master's end of one stream.
type subscription struct {
	m     *fakeMaster
	w     http.ResponseWriter
	r     *http.Request
	codec codec.Codec
}

func newFakeMaster(t *testing.T, script ...func(*subscription)) *fakeMaster {
	m := &fakeMaster{t: t, script: script, calls: make(chan *wire.Call, 100)}
	m.server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(func() {
		m.server.CloseClientConnections()
		m.server.Close()
	})
	return m
}

func (m *fakeMaster) addr() string { return m.server.Listener.Addr().String() }

func (m *fakeMaster) serve(w http.ResponseWriter, r *http.Request) {
	cd, ok := codec.ForContentType(r.Header.Get("Content-Type"))
	body, err := io.ReadAll(r.Body)
	call := &wire.Call{}
	if !ok || err != nil || cd.Unmarshal(body, call) != nil || r.URL.Path != "/api/v1/scheduler" {
		m.t.Errorf("bad request %s %s %q: %v", r.Method, r.URL, body, err)
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if call.GetType() == wire.Call_SUBSCRIBE {
		m.subscribe(&subscription{m: m, w: w, r: r, codec: cd}, call)
		return
	}
	m.mu.Lock()
	id, refuse := m.streamID, m.refuse
	m.mu.Unlock()
	if got := r.Header.Get("Mesos-Stream-Id"); got != id {
		http.Error(w, "stream id is "+got+", not "+id, http.StatusBadRequest)
		return
	}
	if refuse != nil {
		if code, text := refuse(call); code != 0 {
			http.Error(w, text, code)
			return
		}
	}
	m.calls <- call // before the answer, so that calls stay in order
	w.WriteHeader(http.StatusAccepted)
}

func (m *fakeMaster) subscribe(s *subscription, call *wire.Call) {
	m.mu.Lock()
	m.subscribes = append(m.subscribes, call)
	n := len(m.subscribes)
	m.streamID = "stream-" + strconv.Itoa(n)
	id := m.streamID
	m.mu.Unlock()
	s.w.Header().Set("Content-Type", s.codec.ContentType())
	s.w.Header().Set("Mesos-Stream-Id", id)
	m.script[min(n, len(m.script))-1](s)
}

func (m *fakeMaster) subscribed() []*wire.Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.subscribes
}

// next waits for a call of that type and returns it.
func (m *fakeMaster) next(want wire.Call_Type) *wire.Call {
	m.t.Helper()
	select {
	case c := <-m.calls:
		if c.GetType() != want {
			m.t.Fatalf("call %v, want %v", c, want)
		}
		return c
	case <-time.After(10 * time.Second):
		m.t.Fatalf("no %v", want)
		return nil
	}
}

// send writes events, each one record and one chunk.
func (s *subscription) send(events ...*wire.Event) {
	w := recordio.NewWriter(s.w)
	for _, ev := range events {
		b, err := s.codec.Marshal(ev)
		if err != nil {
			s.m.t.Errorf("marshal %v: %v", ev, err)
			return
		}
		if err := w.Write(b); err != nil {
			return // the client is gone
		}
		s.w.(http.Flusher).Flush()
	}
}

// raw writes what no master should.
func (s *subscription) raw(text string) {
	_, _ = io.WriteString(s.w, text)
	s.w.(http.Flusher).Flush()
}

// hold keeps the stream open until the client leaves.
func (s *subscription) hold() { <-s.r.Context().Done() }

func subscribedEvent(heartbeat float64) *wire.Event {
	return &wire.Event{Type: wire.Event_SUBSCRIBED.Enum(), Subscribed: &wire.Event_Subscribed{
		FrameworkId:              &v1.FrameworkID{Value: proto.String("fw-1")},
		HeartbeatIntervalSeconds: proto.Float64(heartbeat),
	}}
}

func offersEvent(ids ...string) *wire.Event {
	ev := &wire.Event{Type: wire.Event_OFFERS.Enum(), Offers: &wire.Event_Offers{}}
	for _, id := range ids {
		ev.Offers.Offers = append(ev.Offers.Offers, &v1.Offer{
			Id:          &v1.OfferID{Value: proto.String(id)},
			FrameworkId: &v1.FrameworkID{Value: proto.String("fw-1")},
			AgentId:     &v1.AgentID{Value: proto.String("agent-1")},
			Hostname:    proto.String("host"),
		})
	}
	return ev
}

func updateEvent(state v1.TaskState, uuid string) *wire.Event {
	s := &v1.TaskStatus{
		TaskId:  &v1.TaskID{Value: proto.String("task-1")},
		AgentId: &v1.AgentID{Value: proto.String("agent-1")},
		State:   state.Enum(),
	}
	if uuid != "" {
		s.Uuid = []byte(uuid)
	}
	return &wire.Event{Type: wire.Event_UPDATE.Enum(), Update: &wire.Event_Update{Status: s}}
}

func errorEvent(text string) *wire.Event {
	return &wire.Event{Type: wire.Event_ERROR.Enum(), Error: &wire.Event_Error{Message: proto.String(text)}}
}

// subscribeAndHold is the script of a master without faults.
func subscribeAndHold(s *subscription) {
	s.send(subscribedEvent(15))
	s.hold()
}

func newClient(t *testing.T, addr string, change func(*scheduler.Config)) *scheduler.Client {
	t.Helper()
	masters, err := election.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg := scheduler.Config{
		Master:     masters,
		Framework:  &v1.FrameworkInfo{User: proto.String("u"), Name: proto.String("test")},
		MinBackoff: time.Millisecond,
		MaxBackoff: 4 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := scheduler.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs c in the background; the returned function waits for its end.
func start(t *testing.T, c *scheduler.Client, h scheduler.Handler) (wait func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Run(t.Context(), h) }()
	return func() error {
		t.Helper()
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Second):
			t.Fatal("Run does not return")
			return nil
		}
	}
}
