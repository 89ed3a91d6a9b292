package master_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/recordio"
	"mezzo/master"
)

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
