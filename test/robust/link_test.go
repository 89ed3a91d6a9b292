package robust

// Goal: who pretends to be an agent, or is one gone mad, is refused in words or
// does no harm: what the master shows stays readable, and others keep what they
// have. Method: agents of our own against a master alone.

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
	"mezzo/resources"
)

// pretender is an agent that says what it is told to.
type pretender struct {
	t      *testing.T
	end    context.CancelFunc
	stream grpc.BidiStreamingClient[link.FromAgent, link.FromMaster]
}

func attach(t *testing.T, addr string) *pretender {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s, err := link.NewAgentLinkClient(conn).Attach(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &pretender{t, cancel, s}
}

// say sends a message; that nobody listens any more is told to hear.
func (p *pretender) say(m *link.FromAgent) { _ = p.stream.Send(m) }

func (p *pretender) greet(h *link.Hello) {
	p.say(&link.FromAgent{Message: &link.FromAgent_Hello{Hello: h}})
}

// refused waits for the end of the stream, which has to come with code and words.
func (p *pretender) refused(code codes.Code, says string) {
	p.t.Helper()
	defer time.AfterFunc(patience, p.end).Stop()
	for {
		_, err := p.stream.Recv()
		if err == nil {
			continue
		}
		if s := status.Convert(err); s.Code() != code || !strings.Contains(s.Message(), says) || len(s.Message()) > 3000 {
			p.t.Errorf("ended with %.3000v, want %v and %q", err, code, says)
		}
		return
	}
}

// welcomed waits for the id that the master gave.
func (p *pretender) welcomed() *v1.AgentID {
	p.t.Helper()
	m, err := p.stream.Recv()
	if err != nil || m.GetWelcome() == nil {
		p.t.Fatalf("%v, %v, want Welcome", m, err)
	}
	return m.GetWelcome().GetAgentId()
}

// honest is what an agent would say.
func honest(host string) *link.Hello {
	return &link.Hello{
		Agent:   &v1.AgentInfo{Hostname: &host, Port: proto.Int32(5051), Resources: resources.MustParse("cpus:4;mem:1024").Proto()},
		Address: host + ":5051", Version: "1.0.0",
	}
}

// running is a task that an agent tells of, and its framework.
func running(h *link.Hello, id string) *v1.Task {
	if len(h.Frameworks) == 0 {
		h.Frameworks = []*v1.FrameworkInfo{{User: proto.String("root"), Name: proto.String("f"), Id: &v1.FrameworkID{Value: proto.String("f")}}}
	}
	t := &v1.Task{
		Name: &id, TaskId: &v1.TaskID{Value: &id}, FrameworkId: h.Frameworks[0].Id, AgentId: &v1.AgentID{Value: proto.String("S0")},
		State: v1.TaskState_TASK_RUNNING.Enum(), Resources: resources.MustParse("cpus:0.001").Allocated("*").Proto(),
	}
	h.Tasks = append(h.Tasks, t)
	return t
}

func TestPretenders(t *testing.T) {
	_, addr := startMaster(t)
	for _, tc := range []struct {
		name  string
		spoil func(*link.Hello)
		code  codes.Code
		says  string
	}{
		{"no agent", func(h *link.Hello) { h.Agent = nil }, codes.InvalidArgument, "hostname"},
		{"no hostname", func(h *link.Hello) { h.Agent.Hostname = proto.String("") }, codes.InvalidArgument, "hostname"},
		{"id is a path", func(h *link.Hello) { h.Agent.Id = &v1.AgentID{Value: proto.String("../../etc")} }, codes.InvalidArgument, "slash"},
		{"id ..", func(h *link.Hello) { h.Agent.Id = &v1.AgentID{Value: proto.String("..")} }, codes.InvalidArgument, `".."`},
		{"empty id", func(h *link.Hello) { h.Agent.Id = &v1.AgentID{Value: proto.String("")} }, codes.InvalidArgument, "empty"},
		{"long id", func(h *link.Hello) { h.Agent.Id = &v1.AgentID{Value: proto.String(strings.Repeat("x", 10_000))} }, codes.InvalidArgument, "255"},
		{"cpus NaN", func(h *link.Hello) { h.Agent.Resources = []*v1.Resource{scalar("cpus", math.NaN())} }, codes.InvalidArgument, "cpus"},
		{"cpus negative", func(h *link.Hello) { h.Agent.Resources = []*v1.Resource{scalar("cpus", -4)} }, codes.InvalidArgument, "cpus"},
		{"cpus 1e308", func(h *link.Hello) { h.Agent.Resources = []*v1.Resource{scalar("cpus", 1e308)} }, codes.InvalidArgument, "cpus"},
		{"long name of a resource", func(h *link.Hello) { h.Agent.Resources = []*v1.Resource{scalar(strings.Repeat("x", 100_000), -1)} }, codes.InvalidArgument, "xxx"},
		{"address of nothing", func(h *link.Hello) { h.Address = "nowhere" }, codes.InvalidArgument, `"nowhere" is not host:port`},
		{"address with more in it", func(h *link.Hello) { h.Address = "a:1\nb:2" }, codes.InvalidArgument, "address"},
		{"address of a script", func(h *link.Hello) { h.Address = "javascript://x:1" }, codes.InvalidArgument, "address"},
		{"port beyond ports", func(h *link.Hello) { h.Address = "a:70000" }, codes.InvalidArgument, "a:70000"},
		{"no address, negative port", func(h *link.Hello) { h.Address, h.Agent.Port = "", proto.Int32(-1) }, codes.InvalidArgument, "-1"},
		{"task id is a path", func(h *link.Hello) { running(h, "../x") }, codes.InvalidArgument, "slash"},
		{"task twice", func(h *link.Hello) { running(h, "a"); running(h, "a") }, codes.InvalidArgument, "twice"},
		{"task without a framework", func(h *link.Hello) { running(h, "a"); h.Frameworks = nil }, codes.InvalidArgument, "not described"},
		{"task that the agent can't see", func(h *link.Hello) { running(h, "a").State = v1.TaskState_TASK_UNREACHABLE.Enum() }, codes.InvalidArgument, "UNREACHABLE"},
		{"task of no role", func(h *link.Hello) { running(h, "a").Resources[0].AllocationInfo = nil }, codes.InvalidArgument, "role"},
		{"task with NaN", func(h *link.Hello) { running(h, "a").Resources[0].Scalar.Value = proto.Float64(math.NaN()) }, codes.InvalidArgument, "cpus"},
		{"tasks that share a port", func(h *link.Hello) {
			for _, id := range []string{"a", "b"} {
				running(h, id).Resources = resources.MustParse("ports:[1-2]").Allocated("*").Proto()
			}
		}, codes.InvalidArgument, "others"},
		{"framework with an id like a path", func(h *link.Hello) { running(h, "a"); h.Frameworks[0].Id.Value = proto.String("../f") }, codes.InvalidArgument, "slash"},
		{"framework whose failover takes NaN", func(h *link.Hello) { running(h, "a"); h.Frameworks[0].FailoverTimeout = proto.Float64(math.NaN()) }, codes.InvalidArgument, "failover_timeout"},
		{"framework of a role like a path", func(h *link.Hello) { running(h, "a"); h.Frameworks[0].Role = proto.String("../x") }, codes.InvalidArgument, "role"},
		{"more than a message holds", func(h *link.Hello) { h.Version = strings.Repeat("x", 65<<20) }, codes.ResourceExhausted, "larger than max"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := attach(t, addr)
			h := honest("evil")
			tc.spoil(h)
			p.greet(h)
			p.refused(tc.code, tc.says)
		})
	}
	t.Run("says nothing of itself", func(t *testing.T) {
		for _, m := range []*link.FromAgent{{}, {Message: &link.FromAgent_Pong{Pong: &link.Pong{}}}, {Message: &link.FromAgent_Usage{Usage: &link.Usage{}}}} {
			p := attach(t, addr)
			p.say(m)
			p.refused(codes.InvalidArgument, "not Hello")
		}
	})
	readable(t, addr)
}

func TestStolenIdentity(t *testing.T) {
	_, addr := startMaster(t)
	owner := attach(t, addr)
	owner.greet(honest("owner"))
	id := owner.welcomed()

	thief := attach(t, addr)
	h := honest("thief")
	h.Agent.Id = id
	thief.greet(h)
	if m, err := thief.stream.Recv(); err != nil || !strings.Contains(m.GetShutdown().GetMessage(), "owner") {
		t.Errorf("%v, %v, want Shutdown", m, err)
	}
	thief.refused(codes.FailedPrecondition, "owner")

	// The owner has not noticed: it is still heard.
	owner.say(&link.FromAgent{Message: &link.FromAgent_Usage{Usage: &link.Usage{Node: &usage.NodeUsage{Timestamp: proto.Float64(42)}}}})
	until(t, "the owner's usage is shown", func() bool { return strings.Contains(read(t, addr, "/usage"), "42") })

	// A second Hello is nothing to it.
	owner.greet(honest("somebody else"))
	owner.say(&link.FromAgent{Message: &link.FromAgent_Usage{Usage: &link.Usage{Node: &usage.NodeUsage{Timestamp: proto.Float64(43)}}}})
	until(t, "the owner's usage is shown again", func() bool { return strings.Contains(read(t, addr, "/usage"), "43") })
	if slaves := read(t, addr, "/slaves"); strings.Contains(slaves, "somebody else") {
		t.Errorf("slaves: %s", slaves)
	}
}

func TestMadAgent(t *testing.T) {
	_, addr := startMaster(t)
	p := attach(t, addr)
	h := honest("mad\xff<script>")
	h.Address = "mad:1"
	sick := running(h, "sick")
	sick.Statuses = []*v1.TaskStatus{{TaskId: sick.TaskId, State: v1.TaskState_TASK_RUNNING.Enum(), Timestamp: proto.Float64(math.NaN()), Message: proto.String("\xff")}}
	sick.Limits = map[string]*v1.Value_Scalar{"cpus": {Value: proto.Float64(math.Inf(1))}}
	h.Agent.Attributes = []*v1.Attribute{{Name: proto.String("a"), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(math.NaN())}}}
	sick.HealthCheck = &v1.HealthCheck{DelaySeconds: proto.Float64(math.NaN())}
	p.greet(h)
	id := p.welcomed()
	readable(t, addr)

	nan := proto.Float64(math.NaN())
	cpu := &usage.CPU{RateCpus: nan, LimitCpus: nan, ThrottledShare: proto.Float64(math.Inf(-1)), UsageMicros: proto.Uint64(math.MaxUint64)}
	uuid := bytes.Repeat([]byte{7}, 16)
	status := func(task string, state v1.TaskState) *v1.TaskStatus {
		return &v1.TaskStatus{TaskId: &v1.TaskID{Value: &task}, State: &state, Uuid: uuid, Timestamp: nan, AgentId: &v1.AgentID{Value: proto.String("another")}}
	}
	for _, m := range []*link.FromAgent{
		{},
		{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}},
		{Message: &link.FromAgent_Usage{}},
		{Message: &link.FromAgent_Usage{Usage: &link.Usage{
			Node: &usage.NodeUsage{Timestamp: nan, Cpu: cpu},
			Containers: []*usage.ContainerUsage{
				{}, {FrameworkId: sick.FrameworkId, TaskId: sick.TaskId, Timestamp: proto.Float64(math.Inf(1)), Cpu: cpu}, {TaskId: &v1.TaskID{Value: proto.String("nobody")}},
			},
		}}},
		{Message: &link.FromAgent_StatusUpdate{}},
		{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{}}},
		{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{FrameworkId: sick.FrameworkId, Status: status("nobody", v1.TaskState_TASK_FINISHED)}}},
		{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{FrameworkId: &v1.FrameworkID{Value: proto.String("../..")}, Status: status("sick", v1.TaskState_TASK_FINISHED)}}},
		{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{FrameworkId: sick.FrameworkId, Status: status("sick", v1.TaskState_TASK_GONE)}}},
		{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{FrameworkId: sick.FrameworkId, Status: status("sick", v1.TaskState_TASK_RUNNING), Latest: status("sick", v1.TaskState(77))}}},
		{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{FrameworkId: sick.FrameworkId, Status: status("sick", v1.TaskState_TASK_RUNNING), Latest: status("other", v1.TaskState_TASK_FAILED)}}},
	} {
		p.say(m)
		readable(t, addr)
	}

	// A framework whose task it is gets what it can read.
	f := subscribe(t, addr, &v1.FrameworkInfo{User: proto.String("root"), Name: proto.String("f"), Id: h.Frameworks[0].Id})
	p.say(&link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{
		FrameworkId: sick.FrameworkId, Status: status("sick", v1.TaskState_TASK_FAILED),
	}}})
	if s := f.outcome("sick"); s.GetAgentId().GetValue() != id.GetValue() {
		t.Errorf("an agent spoke for another: %v", s)
	}
	readable(t, addr)
	f.teardown(t)
}

// TestManyTasks: an agent with more tasks than it can have is taken at its word,
// and the master goes on.
func TestManyTasks(t *testing.T) {
	_, addr := startMaster(t)
	p := attach(t, addr)
	h := honest("large")
	for i := range 200_000 {
		running(h, itoa(i))
	}
	p.greet(h)
	p.welcomed()
	if body := read(t, addr, "/tasks?limit=1"); !json.Valid([]byte(body)) {
		t.Errorf("/tasks: %.300q", body)
	}
	second := attach(t, addr)
	second.greet(honest("small"))
	second.welcomed()
	if got := read(t, addr, "/metrics/snapshot"); !strings.Contains(got, `"master/tasks_running":200000`) {
		t.Errorf("metrics: %.2000s", got)
	}
}

// read gets a document that must be there.
func read(t *testing.T, addr, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fetch(t, req)
}

// getJSON reads a document that must be there.
func getJSON(t *testing.T, addr, path string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, addr, path)), into); err != nil {
		t.Error(err)
	}
}

func fetch(t *testing.T, req *http.Request) string {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s: %s: %.300q, %v", req.Method, req.URL.Path, resp.Status, body, err)
	}
	return string(body)
}

// readable tells whether all that the master shows is there and is JSON.
func readable(t *testing.T, addr string) {
	t.Helper()
	for _, path := range []string{"/state", "/slaves", "/frameworks", "/tasks", "/usage", "/metrics/snapshot"} {
		if body := read(t, addr, path); !json.Valid([]byte(body)) {
			t.Errorf("%s is no JSON: %.300q", path, body)
		}
	}
	for _, call := range []string{"GET_STATE", "GET_USAGE", "GET_AGENTS", "GET_TASKS", "GET_FRAMEWORKS", "GET_METRICS"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/api/v1", strings.NewReader(`{"type":"`+call+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", asJSON)
		req.Header.Set("Accept", asJSON)
		if body := fetch(t, req); !json.Valid([]byte(body)) {
			t.Errorf("%s is no JSON: %.300q", call, body)
		}
	}
}
