package robust

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/recordio"
	"mezzo/resources"
)

// framework is a scheduler that says what it is told to, right or wrong.
type framework struct {
	t      testing.TB
	addr   string
	info   *v1.FrameworkInfo
	stream string
	close  context.CancelFunc
	master string // its id

	events   chan *scheduler.Event // closed at the end of the stream
	offers   map[string]*v1.Offer  // by id
	statuses []*v1.TaskStatus      // received, not asked for yet
}

// subscribe opens a stream; info is nil for a new framework.
func subscribe(t testing.TB, addr string, info *v1.FrameworkInfo) *framework {
	t.Helper()
	if info == nil {
		info = &v1.FrameworkInfo{User: proto.String("root"), Name: proto.String(t.Name()), Capabilities: []*v1.FrameworkInfo_Capability{
			{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		}}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	f := &framework{t: t, addr: addr, info: info, close: cancel, events: make(chan *scheduler.Event, 4096), offers: map[string]*v1.Offer{}}
	resp := f.post(ctx, &scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id, Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info},
	})
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("SUBSCRIBE: %s: %s", resp.Status, body)
	}
	f.stream = resp.Header.Get("Mesos-Stream-Id")
	go f.read(resp.Body)
	first := f.next()
	if first.GetType() != scheduler.Event_SUBSCRIBED {
		t.Fatalf("the first event is %v", first)
	}
	info.Id, f.master = first.GetSubscribed().GetFrameworkId(), first.GetSubscribed().GetMasterInfo().GetId()
	return f
}

func (f *framework) read(body io.ReadCloser) {
	defer close(f.events)
	defer body.Close()
	records := recordio.NewReader(body, 64<<20)
	for {
		record, err := records.Next()
		if err != nil {
			return
		}
		ev := &scheduler.Event{}
		if err := codec.Protobuf.Unmarshal(record, ev); err != nil {
			f.t.Errorf("the master sent no event: %v", err)
			return
		}
		f.events <- ev
	}
}

// post sends a call, complete or not.
func (f *framework) post(ctx context.Context, call *scheduler.Call) *http.Response {
	f.t.Helper()
	body, err := proto.MarshalOptions{AllowPartial: true}.Marshal(call)
	if err != nil {
		f.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.addr+"/api/v1/scheduler", bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", codec.Protobuf.ContentType())
	req.Header.Set("Accept", codec.Protobuf.ContentType())
	if f.stream != "" {
		req.Header.Set("Mesos-Stream-Id", f.stream)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp
}

// try makes a call and returns how it was answered.
func (f *framework) try(call *scheduler.Call) (status int, body string) {
	f.t.Helper()
	if call.FrameworkId == nil {
		call.FrameworkId = f.info.Id
	}
	resp := f.post(context.WithoutCancel(f.t.Context()), call)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// call makes a call that must be taken.
func (f *framework) call(call *scheduler.Call) {
	f.t.Helper()
	if status, body := f.try(call); status != http.StatusAccepted {
		f.t.Fatalf("%v: %d: %s", call.GetType(), status, body)
	}
}

// next is the next event; offers are noted on the way.
func (f *framework) next() *scheduler.Event {
	f.t.Helper()
	select {
	case ev, open := <-f.events:
		if !open {
			f.t.Fatal("the stream ended")
		}
		for _, o := range ev.GetOffers().GetOffers() {
			f.offers[o.GetId().GetValue()] = o
		}
		delete(f.offers, ev.GetRescind().GetOfferId().GetValue())
		return ev
	case <-time.After(patience):
		f.t.Fatalf("no event within %v", patience)
		return nil
	}
}

// offer waits for an offer of all that an agent has.
func (f *framework) offer(host string) *v1.Offer {
	f.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		for id, o := range f.offers {
			if o.GetHostname() != host {
				continue
			}
			delete(f.offers, id)
			if got, err := resources.FromProto(o.GetResources()); err == nil && got.Unallocated().Equal(everything) {
				return o
			}
			if time.Now().After(deadline) {
				f.t.Fatalf("no offer of all that %s has, but %v", host, o)
			}
			f.decline(o) // part of it, or two parts: wait until they are one
		}
		if ev := f.next(); ev.GetType() == scheduler.Event_UPDATE {
			f.statuses = append(f.statuses, ev.GetUpdate().GetStatus())
		}
	}
}

// decline gives offers back, all if none is named.
func (f *framework) decline(offers ...*v1.Offer) {
	f.t.Helper()
	var ids []*v1.OfferID
	for _, o := range offers {
		ids = append(ids, o.Id)
	}
	if len(offers) == 0 {
		for _, o := range f.offers {
			ids = append(ids, o.Id)
		}
		clear(f.offers)
	}
	f.call(&scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{OfferIds: ids, Filters: &v1.Filters{RefuseSeconds: proto.Float64(0)}}})
}

// rest wants no offers until wake, and has none.
func (f *framework) rest() {
	f.t.Helper()
	f.call(&scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum()})
	f.sync()
	f.decline()
}

// sync returns when all that the master said so far has been read: events keep
// their order, and the answer to a question is one.
func (f *framework) sync() {
	f.t.Helper()
	const nobody = "nobody"
	// On an agent of this master's naming, so that it need not wait for others.
	f.call(&scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{
		Tasks: []*scheduler.Call_Reconcile_Task{{TaskId: &v1.TaskID{Value: proto.String(nobody)}, AgentId: &v1.AgentID{Value: proto.String(f.master + "-S" + nobody)}}},
	}})
	if s := f.status(nobody); s.GetReason() != v1.TaskStatus_REASON_RECONCILIATION {
		f.t.Errorf("reconciled an unknown task: %v", s)
	}
}

func (f *framework) wake() {
	f.t.Helper()
	f.call(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum()})
}

// accept launches tasks on offers.
func (f *framework) accept(offers []*v1.Offer, tasks ...*v1.TaskInfo) {
	f.t.Helper()
	accept := &scheduler.Call_Accept{Filters: &v1.Filters{RefuseSeconds: proto.Float64(0)}, Operations: []*v1.Offer_Operation{{
		Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: tasks},
	}}}
	for _, o := range offers {
		accept.OfferIds = append(accept.OfferIds, o.Id)
	}
	f.call(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: accept})
}

// status waits for the next status of a task and acknowledges it.
func (f *framework) status(task string) *v1.TaskStatus {
	f.t.Helper()
	for {
		for i, s := range f.statuses {
			if s.GetTaskId().GetValue() != task {
				continue
			}
			f.statuses = append(f.statuses[:i:i], f.statuses[i+1:]...)
			f.acknowledge(s)
			return s
		}
		if ev := f.next(); ev.GetType() == scheduler.Event_UPDATE {
			f.statuses = append(f.statuses, ev.GetUpdate().GetStatus())
		}
	}
}

func (f *framework) acknowledge(s *v1.TaskStatus) {
	f.t.Helper()
	if s.GetUuid() != nil {
		f.call(&scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
			AgentId: s.AgentId, TaskId: s.TaskId, Uuid: s.Uuid,
		}})
	}
}

// outcome waits for a task's last status.
func (f *framework) outcome(task string) *v1.TaskStatus {
	f.t.Helper()
	for {
		switch s := f.status(task); s.GetState() {
		case v1.TaskState_TASK_STAGING, v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_KILLING:
		default:
			return s
		}
	}
}

// teardown ends the framework, at the end of t.
func (f *framework) teardown(t testing.TB) {
	t.Helper()
	f.t = t
	f.call(&scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()})
	f.close()
}

// command is a task of a shell command that takes part of an offer.
func command(o *v1.Offer, id, script string, want string) *v1.TaskInfo {
	return &v1.TaskInfo{
		Name: proto.String(id), TaskId: &v1.TaskID{Value: proto.String(id)}, AgentId: o.AgentId,
		Command: &v1.CommandInfo{Value: proto.String(script)}, Resources: resources.MustParse(want).Proto(),
	}
}

func contains(s string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}
