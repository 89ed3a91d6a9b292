package executor_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/api/recordio"
	"mezzo/executor"
)

// fakeAgent speaks the executor API as far as a script says: each SUBSCRIBE is
// served by the next function of the script, the last one serves the rest.
type fakeAgent struct {
	t      *testing.T
	server *httptest.Server
	script []func(*subscription)

	mu         sync.Mutex
	subscribes []*wire.Call
	refuse     func(*wire.Call) (int, string) // nil: everything is accepted

	calls chan *wire.Call // accepted calls other than SUBSCRIBE
}

// subscription is the agent's end of one stream.
type subscription struct {
	a    *fakeAgent
	w    http.ResponseWriter
	r    *http.Request
	call *wire.Call
}

func newFakeAgent(t *testing.T, script ...func(*subscription)) *fakeAgent {
	a := &fakeAgent{t: t, script: script, calls: make(chan *wire.Call, 100)}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.die)
	return a
}

func (a *fakeAgent) addr() string { return a.server.Listener.Addr().String() }

// die ends all streams and refuses connections from now on.
func (a *fakeAgent) die() {
	a.server.CloseClientConnections()
	a.server.Close()
}

func (a *fakeAgent) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	call := &wire.Call{}
	if err != nil || codec.Protobuf.Unmarshal(body, call) != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v1/executor" ||
		r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Accept") != "application/x-protobuf" {
		a.t.Errorf("bad request %s %s %v %q: %v", r.Method, r.URL, r.Header, body, err)
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if call.GetExecutorId().GetValue() != "exec-1" || call.GetFrameworkId().GetValue() != "fw-1" || r.Header.Get("Authorization") != "Bearer token-1" {
		a.t.Errorf("call of %v with %q", call, r.Header.Get("Authorization"))
	}
	if call.GetType() == wire.Call_SUBSCRIBE {
		a.mu.Lock()
		a.subscribes = append(a.subscribes, call)
		n := len(a.subscribes)
		a.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-protobuf")
		a.script[min(n, len(a.script))-1](&subscription{a, w, r, call})
		return
	}
	a.mu.Lock()
	refuse := a.refuse
	a.mu.Unlock()
	if refuse != nil {
		if code, text := refuse(call); code != 0 {
			http.Error(w, text, code)
			return
		}
	}
	a.calls <- call // before the answer, so that calls stay in order
	w.WriteHeader(http.StatusAccepted)
}

func (a *fakeAgent) subscribed() []*wire.Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.subscribes
}

// next waits for a call of that type and returns it. It fails in words, since
// scripts run in goroutines of their own.
func (a *fakeAgent) next(want wire.Call_Type) *wire.Call {
	select {
	case c := <-a.calls:
		if c.GetType() != want {
			a.t.Errorf("call %v, want %v", c, want)
		}
		return c
	case <-time.After(10 * time.Second):
		a.t.Errorf("no %v", want)
		return nil
	}
}

// send writes events, each one record and one chunk.
func (s *subscription) send(events ...*wire.Event) {
	w := recordio.NewWriter(s.w)
	for _, ev := range events {
		b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(ev)
		if err != nil {
			s.a.t.Errorf("marshal %v: %v", ev, err)
			return
		}
		if err := w.Write(b); err != nil {
			return // the client is gone
		}
		s.w.(http.Flusher).Flush()
	}
}

// raw writes what no agent should.
func (s *subscription) raw(text string) {
	_, _ = io.WriteString(s.w, text)
	s.w.(http.Flusher).Flush()
}

// hold keeps the stream open until the client leaves.
func (s *subscription) hold() { <-s.r.Context().Done() }

// ack waits for an update and acknowledges it.
func (s *subscription) ack() *v1.TaskStatus {
	u := s.a.next(wire.Call_UPDATE).GetUpdate().GetStatus()
	s.send(ackEvent(u))
	return u
}

func subscribedEvent() *wire.Event {
	return &wire.Event{Type: wire.Event_SUBSCRIBED.Enum(), Subscribed: &wire.Event_Subscribed{
		ExecutorInfo:  &v1.ExecutorInfo{ExecutorId: ids.ExecutorID("exec-1").Proto()},
		FrameworkInfo: &v1.FrameworkInfo{User: proto.String("u"), Name: proto.String("f"), Id: ids.FrameworkID("fw-1").Proto()},
		AgentInfo:     &v1.AgentInfo{Hostname: proto.String("h")},
	}}
}

func taskInfo(id string) *v1.TaskInfo {
	return &v1.TaskInfo{Name: proto.String("n"), TaskId: ids.TaskID(id).Proto(), AgentId: ids.AgentID("agent-1").Proto()}
}

func launchEvent(id string) *wire.Event {
	return &wire.Event{Type: wire.Event_LAUNCH.Enum(), Launch: &wire.Event_Launch{Task: taskInfo(id)}}
}

func groupEvent(names ...string) *wire.Event {
	g := &v1.TaskGroupInfo{}
	for _, id := range names {
		g.Tasks = append(g.Tasks, taskInfo(id))
	}
	return &wire.Event{Type: wire.Event_LAUNCH_GROUP.Enum(), LaunchGroup: &wire.Event_LaunchGroup{TaskGroup: g}}
}

func killEvent(id string) *wire.Event {
	return &wire.Event{Type: wire.Event_KILL.Enum(), Kill: &wire.Event_Kill{TaskId: ids.TaskID(id).Proto()}}
}

func ackEvent(s *v1.TaskStatus) *wire.Event {
	return &wire.Event{Type: wire.Event_ACKNOWLEDGED.Enum(), Acknowledged: &wire.Event_Acknowledged{TaskId: s.GetTaskId(), Uuid: s.GetUuid()}}
}

func messageEvent(data string) *wire.Event {
	return &wire.Event{Type: wire.Event_MESSAGE.Enum(), Message: &wire.Event_Message{Data: []byte(data)}}
}

func shutdownEvent() *wire.Event { return &wire.Event{Type: wire.Event_SHUTDOWN.Enum()} }

// subscribeAndHold is the script of an agent without faults.
func subscribeAndHold(s *subscription) {
	s.send(subscribedEvent())
	s.hold()
}

// subscribeAndShutDown is the script of an agent that has had enough.
func subscribeAndShutDown(s *subscription) {
	s.send(subscribedEvent(), shutdownEvent())
	s.hold()
}

func newClient(t *testing.T, addr string, change func(*executor.Config)) *executor.Client {
	t.Helper()
	cfg := executor.Config{
		Agent: addr, Framework: "fw-1", Executor: "exec-1", Token: "token-1", Checkpoint: true,
		MinBackoff: time.Millisecond, SubscriptionBackoffMax: 4 * time.Millisecond, ShutdownGracePeriod: 20 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := executor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unusedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs c in the background; the returned function waits for its end.
func start(t *testing.T, c *executor.Client, h executor.Handler) (wait func() error) {
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

// status is an update as an executor makes it.
func status(id string, state v1.TaskState) *v1.TaskStatus {
	return &v1.TaskStatus{TaskId: ids.TaskID(id).Proto(), State: state.Enum()}
}
