package master_test

// Goal: a task's way through a real master, in both encodings; failures of
// agents, frameworks and people on that way. Method: the fixtures' scheduler and
// agent over loopback.

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/usage"
	"mezzo/master"
)

func TestTask(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON, codec.Protobuf} {
		t.Run(c.ContentType(), func(t *testing.T) { runTask(t, c) })
	}
}

func runTask(t *testing.T, c codec.Codec) {
	m := start(t, nil)
	a := register(t, m, "a1", "cpus:4;mem:4096;ports:[31000-31009]")
	s := subscribe(t, m, c, &v1.FrameworkInfo{})
	offer := s.offer()
	if offer.AllocationInfo != nil || len(offer.GetResources()) != 3 || offer.GetResources()[0].GetRole() != "*" || offer.GetUrl().GetPath() != "/slave(1)" {
		t.Errorf("offer to a framework of the old kind: %v", offer)
	}
	s.launch(offer, "t1", "cpus:1;mem:64")
	run := a.next().GetRunTask()
	if run.GetTask().GetTaskId().GetValue() != "t1" || !proto.Equal(run.GetFramework().GetId(), s.id) || run.GetTask().GetResources()[0].GetAllocationInfo().GetRole() != "*" {
		t.Errorf("agent is told %v", run)
	}
	if left := s.offer(); left.GetResources()[0].GetScalar().GetValue() != 3 {
		t.Errorf("left of 4 cpus are %v", left.GetResources())
	}
	for _, state := range []v1.TaskState{v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_FINISHED} {
		a.update(s.id, "t1", state)
		got := s.awaitState("t1", state)
		if got.GetAgentId().GetValue() != a.id.GetValue() || got.GetExecutorId().GetValue() != "t1" {
			t.Errorf("status is %v", got)
		}
		s.acknowledge(got)
		if ack := a.next().GetAcknowledge(); string(ack.GetUuid()) != string(got.GetUuid()) {
			t.Errorf("acknowledged is %v, not %v", ack, got)
		}
	}
	tasks := state(t, m).GetGetTasks()
	if len(tasks.GetTasks()) != 0 || len(tasks.GetCompletedTasks()) != 1 || len(tasks.GetCompletedTasks()[0].GetStatuses()) != 3 {
		t.Errorf("tasks in the end: %v", tasks)
	}
}

func TestRefusedTask(t *testing.T) {
	m := start(t, nil)
	a := register(t, m, "a1", "cpus:4;mem:4096")
	s := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{})
	s.launch(s.offer(), "big", "cpus:5")
	if got := s.awaitState("big", v1.TaskState_TASK_ERROR); got.GetReason() != v1.TaskStatus_REASON_TASK_INVALID || !strings.Contains(got.GetMessage(), "cpus") {
		t.Errorf("status is %v", got)
	}
	s.launch(s.offer(), "fits", "cpus:4")
	if run := a.next().GetRunTask(); run.GetTask().GetTaskId().GetValue() != "fits" {
		t.Errorf("agent is told %v", run)
	}
}

func TestFailover(t *testing.T) {
	m := start(t, nil)
	register(t, m, "a1", "cpus:4;mem:4096")
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{})
	s.offer()
	next := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{Id: s.id})
	if text := s.await(scheduler.Event_ERROR).GetError().GetMessage(); text != "Framework failed over" {
		t.Errorf("old stream is told %q", text)
	}
	if ev := s.next(); ev != nil {
		t.Errorf("old stream goes on with %v", ev)
	}
	if got := s.call(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum()}); got != http.StatusBadRequest {
		t.Errorf("old stream's call: %d", got)
	}
	next.offer()
	next.mustCall(&scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()})
	if ev := next.next(); ev != nil {
		t.Errorf("after TEARDOWN comes %v", ev)
	}
	again := open(t, m, codec.JSON, &v1.FrameworkInfo{Id: s.id})
	if text := again.await(scheduler.Event_ERROR).GetError().GetMessage(); !strings.Contains(text, "removed") {
		t.Errorf("a removed framework is told %q", text)
	}
}

func TestAgentComesBack(t *testing.T) {
	m := start(t, nil)
	a := register(t, m, "a1", "cpus:4;mem:4096")
	s := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{})
	s.launch(s.offer(), "t1", "cpus:1")
	run := a.next().GetRunTask()
	s.offer()
	_ = a.stream.CloseSend()
	s.await(scheduler.Event_RESCIND)
	hello := helloOf(t, "a1", "cpus:4;mem:4096")
	hello.Agent.Id = a.id
	hello.Frameworks = []*v1.FrameworkInfo{run.GetFramework()}
	hello.Tasks = []*v1.Task{{
		Name: proto.String("t1"), TaskId: run.GetTask().GetTaskId(), AgentId: a.id, FrameworkId: s.id,
		State: v1.TaskState_TASK_RUNNING.Enum(), Resources: run.GetTask().GetResources(),
	}}
	b := attach(t, m, hello)
	if got := b.next().GetWelcome().GetAgentId(); !proto.Equal(got, a.id) {
		t.Errorf("welcomed as %v, was %v", got, a.id)
	}
	b.update(s.id, "t1", v1.TaskState_TASK_RUNNING)
	s.awaitState("t1", v1.TaskState_TASK_RUNNING)
}

func TestBadAgents(t *testing.T) {
	m := start(t, nil)
	good := register(t, m, "good", "cpus:4;mem:4096")
	for name, row := range map[string]struct {
		hello *link.Hello
		code  codes.Code
	}{
		"no resources that make sense": {&link.Hello{Agent: &v1.AgentInfo{Hostname: proto.String("x"), Resources: []*v1.Resource{{
			Name: proto.String("cpus"), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(-1)},
		}}}}, codes.InvalidArgument},
		"somebody else's id": {&link.Hello{Agent: &v1.AgentInfo{Hostname: proto.String("x"), Id: good.id}}, codes.FailedPrecondition},
	} {
		a := attach(t, m, row.hello)
		for a.next() != nil {
		}
		if status.Code(a.err) != row.code {
			t.Errorf("%s: %v, want %v", name, a.err, row.code)
		}
	}
	rude := attach(t, m, nil)
	rude.send(&link.FromAgent{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}})
	if rude.next() != nil || status.Code(rude.err) != codes.InvalidArgument {
		t.Errorf("who does not say Hello is told %v", rude.err)
	}
	good.update(&v1.FrameworkID{Value: proto.String("nobody")}, "t", v1.TaskState_TASK_RUNNING)
	good.send(&link.FromAgent{})
	if agents := state(t, m).GetGetAgents().GetAgents(); len(agents) != 1 || !agents[0].GetActive() {
		t.Errorf("agents are %v", agents)
	}
}

func TestUsageAndKill(t *testing.T) {
	m := start(t, nil)
	a := register(t, m, "a1", "cpus:4;mem:4096")
	s := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{})
	s.launch(s.offer(), "t1", "cpus:1;mem:64")
	task := a.next().GetRunTask().GetTask().GetTaskId()
	a.send(&link.FromAgent{Message: &link.FromAgent_Usage{Usage: &link.Usage{
		Node:       &usage.NodeUsage{Cpu: &usage.CPU{RateCpus: proto.Float64(0.5)}},
		Containers: []*usage.ContainerUsage{{FrameworkId: s.id, TaskId: task, Cpu: &usage.CPU{RateCpus: proto.Float64(0.25)}}},
	}}})
	wait(t, "the usage to arrive", func() bool { return clusterUsage(t, m).GetTasks()[0].GetUsed() != nil })
	u := clusterUsage(t, m)
	if got := u.GetAgents()[0].GetUsed().GetCpu().GetRateCpus(); got != 0.5 {
		t.Errorf("node uses %v", got)
	}
	if got := u.GetTasks()[0]; got.GetUsed().GetCpu().GetRateCpus() != 0.25 || len(got.GetAllocated()) != 2 {
		t.Errorf("task uses %v", got)
	}
	if code, body := fetch(t, m, "/usage"); code != http.StatusOK || !strings.Contains(body, `"rate_cpus":0.25`) {
		t.Errorf("/usage: %d %s", code, body)
	}
	_, code := operator(t, m, &masterapi.Call{Type: masterapi.Call_KILL_TASK.Enum(), KillTask: &masterapi.Call_KillTask{FrameworkId: s.id, TaskId: task}})
	if code != http.StatusAccepted {
		t.Errorf("kill: %d", code)
	}
	if kill := a.next().GetKillTask(); kill.GetTaskId().GetValue() != "t1" {
		t.Errorf("agent is told %v", kill)
	}
	a.update(s.id, "t1", v1.TaskState_TASK_KILLED)
	s.acknowledge(s.awaitState("t1", v1.TaskState_TASK_KILLED))
	if got := clusterUsage(t, m).GetTasks()[0]; got.GetState() != v1.TaskState_TASK_KILLED || got.GetUsed() == nil {
		t.Errorf("after its end: %v", got)
	}
}

func clusterUsage(t *testing.T, m *master.Master) *usage.Cluster {
	t.Helper()
	out, _ := operator(t, m, &masterapi.Call{Type: masterapi.Call_GET_USAGE.Enum()})
	return out.GetGetUsage()
}

func TestRoles(t *testing.T) {
	m := start(t, nil)
	register(t, m, "a1", "cpus:4;mem:4096;cpus(eng):2")
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{
		User: proto.String("u"), Name: proto.String("n"), Roles: []string{"eng"},
		Capabilities: []*v1.FrameworkInfo_Capability{
			{Type: v1.FrameworkInfo_Capability_MULTI_ROLE.Enum()}, {Type: v1.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
		},
	})
	o := s.offer()
	if o.GetAllocationInfo().GetRole() != "eng" || o.GetResources()[0].GetAllocationInfo().GetRole() != "eng" {
		t.Errorf("offer is %v", o)
	}
	for _, r := range o.GetResources() {
		if r.Role != nil || r.Reservation != nil {
			t.Errorf("%v is in the older format", r)
		}
	}
}
