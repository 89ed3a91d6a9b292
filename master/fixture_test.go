package master_test

// What the tests of this package share: a real master on loopback, a scheduler
// that speaks the v1 API as bytes, and an agent that speaks the link.

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/recordio"
	"mezzo/master"
	"mezzo/resources"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// start runs a master until the test ends, and then sees that nothing of it is
// left.
func start(t testing.TB, change func(*master.Config)) *master.Master {
	t.Helper()
	before := runtime.NumGoroutine()
	cfg := master.Config{IP: "127.0.0.1", RootSubmissions: true, AllocationInterval: 50 * time.Millisecond}
	cfg.SetDefaults()
	if change != nil {
		change(&cfg)
	}
	m, err := master.New(cfg, master.Deps{
		Log:     slog.New(slog.DiscardHandler),
		Flags:   map[string]string{"ip": "127.0.0.1", "port": "0"},
		Version: &v1.VersionInfo{Version: proto.String("1.2.3"), GitSha: proto.String("abc")},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("master does not stop")
		}
		http.DefaultClient.CloseIdleConnections()
		if _, fuzzing := t.(*testing.F); fuzzing {
			return // the fuzzer has goroutines of its own
		}
		wait(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
	return m
}

// wait polls until cond holds.
func wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !cond() {
		select {
		case <-deadline:
			buf := make([]byte, 1<<20)
			t.Fatalf("waited in vain for %s\n%s", what, buf[:runtime.Stack(buf, true)])
		case <-time.After(time.Millisecond):
		}
	}
}

// post sends a request and returns the answer with its body read.
func post(t testing.TB, url string, header map[string]string, body []byte) (*http.Response, string) {
	t.Helper()
	return do(t, http.MethodPost, url, header, body)
}

func do(t testing.TB, method, url string, header map[string]string, body []byte) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	client := &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// testScheduler is a framework.
type testScheduler struct {
	t      testing.TB
	url    string
	codec  codec.Codec
	stream string
	id     *v1.FrameworkID
	resp   *http.Response
	events chan *scheduler.Event // closed at the end of the stream
}

// subscribe opens a stream and waits for SUBSCRIBED.
func subscribe(t testing.TB, m *master.Master, c codec.Codec, info *v1.FrameworkInfo) *testScheduler {
	t.Helper()
	s := open(t, m, c, info)
	ev := s.await(scheduler.Event_SUBSCRIBED)
	s.id = ev.GetSubscribed().GetFrameworkId()
	return s
}

func open(t testing.TB, m *master.Master, c codec.Codec, info *v1.FrameworkInfo) *testScheduler {
	t.Helper()
	s := &testScheduler{t: t, url: "http://" + m.Addr() + "/api/v1/scheduler", codec: c, events: make(chan *scheduler.Event, 1000)}
	if info.User == nil {
		info.User, info.Name = proto.String("nobody"), proto.String("test")
	}
	body, err := c.Marshal(&scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id, Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", c.ContentType())
	req.Header.Set("Accept", c.ContentType())
	transport := &http.Transport{}
	if s.resp, err = (&http.Client{Transport: transport}).Do(req); err != nil {
		t.Fatal(err)
	}
	if s.resp.StatusCode != http.StatusOK {
		t.Fatalf("subscribe: %s", s.resp.Status)
	}
	s.stream = s.resp.Header.Get("Mesos-Stream-Id")
	done := make(chan struct{})
	go func() { defer close(done); s.read() }()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = s.resp.Body.Close()
		transport.CloseIdleConnections()
	})
	return s
}

func (s *testScheduler) read() {
	defer close(s.events)
	for r := recordio.NewReader(s.resp.Body, 1<<20); ; {
		rec, err := r.Next()
		if err != nil {
			return
		}
		ev := &scheduler.Event{}
		if err := s.codec.Unmarshal(rec, ev); err != nil {
			s.t.Errorf("event: %v", err)
			return
		}
		s.events <- ev
	}
}

// next is the next event that is no heartbeat; nil at the end of the stream.
func (s *testScheduler) next() *scheduler.Event {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case ev := <-s.events:
			if ev == nil || ev.GetType() != scheduler.Event_HEARTBEAT {
				return ev
			}
		case <-deadline:
			s.t.Fatal("no event came")
		}
	}
}

// await skips events up to one of type kind.
func (s *testScheduler) await(kind scheduler.Event_Type) *scheduler.Event {
	s.t.Helper()
	for {
		ev := s.next()
		if ev == nil {
			s.t.Fatalf("stream ended before %v", kind)
		}
		if ev.GetType() == kind {
			return ev
		}
	}
}

// awaitState skips events up to an update of a task to state.
func (s *testScheduler) awaitState(task string, state v1.TaskState) *v1.TaskStatus {
	s.t.Helper()
	for {
		status := s.await(scheduler.Event_UPDATE).GetUpdate().GetStatus()
		if status.GetTaskId().GetValue() == task && status.GetState() == state {
			return status
		}
	}
}

// offer waits for an offer of an agent.
func (s *testScheduler) offer() *v1.Offer {
	s.t.Helper()
	return s.await(scheduler.Event_OFFERS).GetOffers().GetOffers()[0]
}

// call sends a call and returns the status of the answer.
func (s *testScheduler) call(call *scheduler.Call) int {
	s.t.Helper()
	call.FrameworkId = s.id
	body, err := s.codec.Marshal(call)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, text := post(s.t, s.url, map[string]string{"Content-Type": s.codec.ContentType(), "Mesos-Stream-Id": s.stream}, body)
	if resp.StatusCode == http.StatusAccepted && (text != "" || resp.Header.Get("Content-Type") != "") {
		s.t.Errorf("%v answered with %q of type %q", call.GetType(), text, resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode
}

func (s *testScheduler) mustCall(call *scheduler.Call) {
	s.t.Helper()
	if status := s.call(call); status != http.StatusAccepted {
		s.t.Fatalf("%v: status %d", call.GetType(), status)
	}
}

// launch accepts an offer with one task, and wants to hear of the rest again.
func (s *testScheduler) launch(o *v1.Offer, task, res string) {
	s.t.Helper()
	s.accept(o, &v1.Filters{RefuseSeconds: proto.Float64(0)}, res, task)
}

// accept accepts an offer with some tasks of the same resources.
func (s *testScheduler) accept(o *v1.Offer, filters *v1.Filters, res string, tasks ...string) {
	s.t.Helper()
	launch := &v1.Offer_Operation_Launch{}
	for _, task := range tasks {
		launch.TaskInfos = append(launch.TaskInfos, &v1.TaskInfo{
			Name: &task, TaskId: &v1.TaskID{Value: &task}, AgentId: o.GetAgentId(),
			Resources: parse(s.t, res), Command: &v1.CommandInfo{Value: proto.String("true")},
		})
	}
	s.mustCall(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
		OfferIds: []*v1.OfferID{o.GetId()}, Filters: filters,
		Operations: []*v1.Offer_Operation{{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: launch}},
	}})
}

func (s *testScheduler) acknowledge(status *v1.TaskStatus) {
	s.t.Helper()
	s.mustCall(&scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: status.AgentId, TaskId: status.TaskId, Uuid: status.Uuid,
	}})
}

func parse(t testing.TB, text string) []*v1.Resource {
	t.Helper()
	r, err := resources.Parse(text, resources.DefaultRole)
	if err != nil {
		t.Fatal(err)
	}
	return r.Proto()
}

// testAgent is an agent. What it is told comes out of heard.
type testAgent struct {
	t      testing.TB
	id     *v1.AgentID
	stream grpc.BidiStreamingClient[link.FromAgent, link.FromMaster]
	heard  chan *link.FromMaster // closed at the end of the stream
	err    error                 // why, once heard is closed
}

// attach opens a stream; it answers pings.
func attach(t testing.TB, m *master.Master, hello *link.Hello) *testAgent {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+m.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &testAgent{t: t, heard: make(chan *link.FromMaster, 1000)}
	if a.stream, err = link.NewAgentLinkClient(conn).Attach(ctx); err != nil {
		t.Fatal(err)
	}
	if hello != nil {
		a.send(&link.FromAgent{Message: &link.FromAgent_Hello{Hello: hello}})
	}
	done := make(chan struct{})
	go func() { defer close(done); a.read() }()
	t.Cleanup(func() { cancel(); <-done; _ = conn.Close() })
	return a
}

func (a *testAgent) read() {
	defer close(a.heard)
	for {
		m, err := a.stream.Recv()
		if err != nil {
			a.err = err
			return
		}
		if m.GetPing() != nil {
			_ = a.stream.Send(&link.FromAgent{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}})
			continue
		}
		a.heard <- m
	}
}

// register attaches a new agent and waits for its Welcome.
func register(t testing.TB, m *master.Master, host, res string) *testAgent {
	t.Helper()
	a := attach(t, m, helloOf(t, host, res))
	a.id = a.next().GetWelcome().GetAgentId()
	if a.id == nil {
		t.Fatalf("agent %s is not welcome: %v", host, a.err)
	}
	return a
}

func helloOf(t testing.TB, host, res string) *link.Hello {
	return &link.Hello{
		Agent:   &v1.AgentInfo{Hostname: &host, Resources: parse(t, res)},
		Version: "1.2.3",
		Address: host + ":5051",
	}
}

// next is what the agent hears next; nil at the end of the stream.
func (a *testAgent) next() *link.FromMaster {
	a.t.Helper()
	select {
	case m := <-a.heard:
		return m
	case <-time.After(patience):
		a.t.Fatal("agent hears nothing")
		return nil
	}
}

func (a *testAgent) send(m *link.FromAgent) {
	a.t.Helper()
	if err := a.stream.Send(m); err != nil {
		a.t.Fatalf("agent cannot say %v: %v", m, err)
	}
}

// update reports a state of a task.
func (a *testAgent) update(framework *v1.FrameworkID, task string, state v1.TaskState) {
	a.t.Helper()
	id := uuid.New()
	a.send(&link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{
		FrameworkId: framework,
		Status: &v1.TaskStatus{
			TaskId: &v1.TaskID{Value: &task}, State: state.Enum(), Uuid: id[:],
			Source: v1.TaskStatus_SOURCE_EXECUTOR.Enum(), ExecutorId: &v1.ExecutorID{Value: &task},
			Timestamp: proto.Float64(float64(time.Now().UnixNano()) / 1e9),
		},
	}}})
}

// operator asks the operator API.
func operator(t testing.TB, m *master.Master, call *masterapi.Call) (*masterapi.Response, int) {
	t.Helper()
	body, err := codec.Protobuf.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	resp, text := post(t, "http://"+m.Addr()+"/api/v1", map[string]string{
		"Content-Type": codec.Protobuf.ContentType(), "Accept": codec.Protobuf.ContentType(),
	}, body)
	out := &masterapi.Response{}
	if resp.StatusCode == http.StatusOK {
		if err := codec.Protobuf.Unmarshal([]byte(text), out); err != nil {
			t.Fatal(err)
		}
	}
	return out, resp.StatusCode
}

func state(t testing.TB, m *master.Master) *masterapi.Response_GetState {
	t.Helper()
	out, status := operator(t, m, &masterapi.Call{Type: masterapi.Call_GET_STATE.Enum()})
	if status != http.StatusOK {
		t.Fatalf("state: %d", status)
	}
	return out.GetGetState()
}

func fetch(t testing.TB, m *master.Master, path string) (int, string) {
	t.Helper()
	resp, body := do(t, http.MethodGet, "http://"+m.Addr()+path, nil, nil)
	return resp.StatusCode, body
}
