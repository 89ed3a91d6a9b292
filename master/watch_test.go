package master_test

// Goal: operators who watch see what happens, in order and whole, however many
// they are; who does not read is dropped, and nobody else notices.

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master"
)

func TestWatch(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON, codec.Protobuf} {
		t.Run(c.ContentType(), func(t *testing.T) { testWatch(t, c) })
	}
}

func testWatch(t *testing.T, c codec.Codec) {
	m := start(t, nil)
	before := register(t, m, "a0", "cpus:4;mem:64")
	w := subscribeOperator(t, m, c)
	first := w.await(masterapi.Event_SUBSCRIBED).GetSubscribed()
	if list := first.GetGetState().GetGetAgents().GetAgents(); len(list) != 1 || !proto.Equal(list[0].GetAgentInfo().GetId(), before.id) || first.GetHeartbeatIntervalSeconds() != 15 {
		t.Errorf("SUBSCRIBED: %v", first)
	}
	agent := register(t, m, "a1", "cpus:4;mem:4096")
	if a := w.await(masterapi.Event_AGENT_ADDED).GetAgentAdded().GetAgent(); !proto.Equal(a.GetAgentInfo().GetId(), agent.id) || len(a.GetTotalResources()) != 2 || !a.GetActive() {
		t.Errorf("AGENT_ADDED: %v", a)
	}
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{FailoverTimeout: proto.Float64(60)})
	if f := w.await(masterapi.Event_FRAMEWORK_ADDED).GetFrameworkAdded().GetFramework(); !proto.Equal(f.GetFrameworkInfo().GetId(), s.id) || !f.GetConnected() {
		t.Errorf("FRAMEWORK_ADDED: %v", f)
	}
	o := s.offer()
	if proto.Equal(o.GetAgentId(), before.id) {
		agent = before
	}
	s.launch(o, "t1", "cpus:1;mem:32")
	if task := w.await(masterapi.Event_TASK_ADDED).GetTaskAdded().GetTask(); task.GetTaskId().GetValue() != "t1" || task.GetState() != v1.TaskState_TASK_STAGING {
		t.Errorf("TASK_ADDED: %v", task)
	}
	for _, st := range []v1.TaskState{v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_FINISHED} {
		agent.update(s.id, "t1", st)
		if u := w.await(masterapi.Event_TASK_UPDATED).GetTaskUpdated(); u.GetState() != st || u.GetStatus().GetState() != st ||
			u.GetStatus().GetTaskId().GetValue() != "t1" || !proto.Equal(u.GetFrameworkId(), s.id) {
			t.Errorf("TASK_UPDATED: %v, want %v", u, st)
		}
	}
	disconnect(t, m, s)
	if f := w.await(masterapi.Event_FRAMEWORK_UPDATED).GetFrameworkUpdated().GetFramework(); f.GetConnected() {
		t.Errorf("FRAMEWORK_UPDATED: %v", f)
	}
	if _, code := operator(t, m, &masterapi.Call{Type: masterapi.Call_TEARDOWN.Enum(), Teardown: &masterapi.Call_Teardown{FrameworkId: s.id}}); code != 200 {
		t.Errorf("teardown: %d", code)
	}
	if f := w.await(masterapi.Event_FRAMEWORK_REMOVED).GetFrameworkRemoved(); !proto.Equal(f.GetFrameworkInfo().GetId(), s.id) {
		t.Errorf("FRAMEWORK_REMOVED: %v", f)
	}
	if _, code := operator(t, m, &masterapi.Call{Type: masterapi.Call_MARK_AGENT_GONE.Enum(), MarkAgentGone: &masterapi.Call_MarkAgentGone{AgentId: agent.id}}); code != 200 {
		t.Errorf("mark gone: %d", code)
	}
	if a := w.await(masterapi.Event_AGENT_REMOVED).GetAgentRemoved(); !proto.Equal(a.GetAgentId(), agent.id) {
		t.Errorf("AGENT_REMOVED: %v", a)
	}
}

// watching is how many the master says there are.
func watching(t testing.TB, m *master.Master) int {
	t.Helper()
	_, text := fetch(t, m, "/metrics/snapshot")
	_, rest, _ := strings.Cut(text, `"master/operator_event_stream_subscribers":`)
	end := strings.IndexAny(rest, ",}")
	if end < 0 {
		t.Fatalf("no such metric: %s", text)
	}
	n, err := strconv.ParseFloat(rest[:end], 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// TestManyWatchers: a thousand, of whom some read nothing. A further one takes the
// place of the oldest.
func TestManyWatchers(t *testing.T) {
	const many, idle, updates = 1000, 100, 100
	m := start(t, nil)
	agent := register(t, m, "a1", "cpus:4;mem:4096")
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{})
	s.launch(s.offer(), "t", "cpus:1;mem:32")
	agent.next()
	var all []*testWatcher
	for i := range many {
		c := codec.Protobuf
		if i%10 == 0 {
			c = codec.JSON
		}
		all = append(all, subscribeOperator(t, m, c))
	}
	if n := watching(t, m); n != many {
		t.Errorf("%d watch, want %d", n, many)
	}
	var wg sync.WaitGroup
	for _, w := range all[idle:] {
		wg.Go(func() {
			if w.next().GetType() != masterapi.Event_SUBSCRIBED {
				t.Error("not subscribed")
				return
			}
			for i := range updates {
				if u := w.next().GetTaskUpdated(); u.GetStatus().GetMessage() != fmt.Sprint(i) {
					t.Errorf("got %v, want update %d", u, i)
					return
				}
			}
		})
	}
	for i := range updates {
		report(agent, s.id, fmt.Sprint(i))
	}
	wg.Wait()
	last := subscribeOperator(t, m, codec.JSON)
	last.await(masterapi.Event_SUBSCRIBED)
	if n := watching(t, m); n != many {
		t.Errorf("%d watch, want %d", n, many)
	}
	for ev := all[0].next(); ev != nil; ev = all[0].next() { // what it was told before, and then the end
		if ev.GetType() == masterapi.Event_FRAMEWORK_REMOVED {
			t.Fatal("the oldest still watches")
		}
	}
	for _, w := range all {
		w.end()
	}
	wait(t, "all but one to be gone", func() bool { return watching(t, m) == 1 })
}

// report sends an update of task t, with a message.
func report(a *testAgent, framework *v1.FrameworkID, message string) {
	id := uuid.New()
	a.send(&link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{
		FrameworkId: framework,
		Status: &v1.TaskStatus{
			TaskId: &v1.TaskID{Value: proto.String("t")}, State: v1.TaskState_TASK_RUNNING.Enum(), Uuid: id[:],
			Source: v1.TaskStatus_SOURCE_EXECUTOR.Enum(), Message: &message,
		},
	}}})
}

// TestSlowWatcher: who does not read what many megabytes tell is dropped.
func TestSlowWatcher(t *testing.T) {
	m := start(t, nil)
	agent := register(t, m, "a1", "cpus:4;mem:4096")
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{})
	s.launch(s.offer(), "t", "cpus:1;mem:32")
	agent.next()
	slow, quick := subscribeOperator(t, m, codec.Protobuf), subscribeOperator(t, m, codec.Protobuf)
	quick.await(masterapi.Event_SUBSCRIBED)
	big := strings.Repeat("x", 512<<10)
	const updates = 170 // 85 MiB: more than may wait, and sockets hold
	for range updates {
		report(agent, s.id, big)
		quick.await(masterapi.Event_TASK_UPDATED)
		s.await(scheduler.Event_UPDATE)
	}
	if n := watching(t, m); n != 1 {
		t.Errorf("%d watch, want who reads", n)
	}
	heard := 0
	for ev := slow.next(); ev != nil; ev = slow.next() {
		heard++
	}
	if heard >= updates {
		t.Errorf("the slow one heard %d events", heard)
	}
	report(agent, s.id, "after")
	if u := quick.await(masterapi.Event_TASK_UPDATED).GetTaskUpdated(); u.GetStatus().GetMessage() != "after" {
		t.Errorf("got %v", u)
	}
}
