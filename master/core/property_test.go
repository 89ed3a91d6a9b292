package core_test

// Goal: whatever happens, nothing is offered or used twice, the books balance,
// and the same events have the same effects. Method: random events, sane and
// not, into two cores at once; Check after each; and a naive model of what each
// agent has given away, kept from the effects alone.

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/usage"
	"mezzo/master/core"
	"mezzo/resources"
)

func TestRandomHistories(t *testing.T) {
	cfg := core.Config{OfferTimeout: 7 * time.Second}
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{t: t, world: newWorld(t, cfg), twin: newWorld(t, cfg), streams: map[string]string{}}
		t.Repeat(map[string]func(*rapid.T){
			"subscribe": m.subscribe, "call": m.call, "accept": m.accept, "close": m.closeStream,
			"hello": m.hello, "update": m.update, "pong": m.pong, "disconnect": m.disconnect,
			"usage": m.usage, "pass": m.pass, "policy": m.policy, "explain": m.explain, "hold": m.hold,
			"maintain": m.maintain, "answer": m.answer, "drain": m.drain, "oversubscribe": m.oversubscribe, "failover": m.failover, "watch": m.watch,
			"": m.check,
		})
	})
}

const (
	someAgents     = 3
	someFrameworks = 3
	someTasks      = 6
)

// machine draws events.
type machine struct {
	t           *rapid.T
	world, twin *world
	streams     map[string]string // framework id by live stream
	made        int
	watcher     *watcher // nil: nobody watches
	conn        core.ConnID
	conns       [someAgents]core.ConnID
}

func (m *machine) step(ev core.Event) {
	effects := m.world.step(ev)
	m.twin.step(ev)
	m.follow(effects)
}

// check compares the twins.
func (m *machine) check(t *rapid.T) {
	if a, b := m.world.out.String(), m.twin.out.String(); a != b {
		t.Fatalf("twins differ:\n%s\n%s", a, b)
	}
	m.world.out.Reset()
	m.twin.out.Reset()
}

// follow keeps the ledger from what frameworks and agents are told, and holds
// what was given against what there is.
func (m *machine) follow(effects []core.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case core.SendFramework:
			m.followEvent(string(e.Stream), e.Event)
		case core.CloseFramework:
			delete(m.streams, string(e.Stream))
		}
	}
	s := m.world.core.Snapshot().Sort()
	m.followWatcher(effects, s)
	for i := range s.Agents {
		a := &s.Agents[i]
		if !a.Total.Contains(a.Offered.Unallocated()) {
			m.t.Fatalf("agent %s offers %v of %v", a.ID, a.Offered, a.Total)
		}
	}
	given := map[string]resources.Resources{}
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		for _, o := range f.Offers {
			m.give(given, string(o.Agent), o.Resources)
		}
		for _, t := range f.Tasks {
			if t.State == v1.TaskState_TASK_STAGING || t.State == v1.TaskState_TASK_RUNNING {
				m.give(given, string(t.Agent), t.Resources)
			}
		}
	}
}

// followWatcher holds what a watcher knows against what is so.
func (m *machine) followWatcher(effects []core.Effect, s *core.Snapshot) {
	for _, e := range effects {
		if m.watcher == nil {
			if text := toldText(e); text != "" {
				m.t.Fatalf("nobody watches, and is told: %s", text)
			}
			continue
		}
		m.watcher.hear(e)
	}
	if m.watcher == nil {
		return
	}
	if text := m.watcher.differs(watch(s)); text != "" {
		m.t.Fatalf("a watcher does not know all: %s", text)
	}
}

// watch lets somebody begin to watch, or end it.
func (m *machine) watch(t *rapid.T) {
	was := m.watcher
	m.watcher = watch(m.world.core.Snapshot().Sort())
	m.step(core.Watch{On: was == nil})
	if was != nil {
		m.watcher = nil
	}
}

// failover lets other masters lead, with what was kept.
func (m *machine) failover(t *rapid.T) {
	if m.world.cfg.Master.GetId() > "X" || rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
		return
	}
	m.world.failover()
	m.twin.failover()
	clear(m.streams)
	m.watcher = nil
	m.conns = [someAgents]core.ConnID{}
}

// give adds to what an agent gave; ports, which are single things, may come once.
func (m *machine) give(given map[string]resources.Resources, agent string, r resources.Resources) {
	r = r.Unallocated()
	sum := given[agent].Add(r)
	if part, ok := sum.Sub(given[agent]); !ok || !part.Equal(r) {
		m.t.Fatalf("agent %s gives %v, of which %v is given already", agent, r, given[agent])
	}
	given[agent] = sum
}

func (m *machine) followEvent(stream string, ev *scheduler.Event) {
	if s := ev.GetSubscribed(); s != nil {
		m.streams[stream] = s.GetFrameworkId().GetValue()
	}
	for _, o := range ev.GetOffers().GetOffers() {
		if o.GetFrameworkId().GetValue() != m.streams[stream] {
			m.t.Fatalf("stream %s of %s is offered %s", stream, m.streams[stream], o)
		}
	}
}

func (m *machine) stream(t *rapid.T) string {
	live := slices.Sorted(maps.Keys(m.streams))
	return rapid.SampledFrom(append(live, "nobody")).Draw(t, "stream")
}

func (m *machine) framework(stream string) *v1.FrameworkID {
	return &v1.FrameworkID{Value: proto.String(m.streams[stream])}
}

func (m *machine) subscribe(t *rapid.T) {
	info := &v1.FrameworkInfo{
		User: proto.String("u"), Name: proto.String("n"),
		FailoverTimeout: proto.Float64(float64(rapid.IntRange(0, 30).Draw(t, "failover"))),
	}
	if rapid.Bool().Draw(t, "known") {
		info.Id = &v1.FrameworkID{Value: proto.String(fmt.Sprintf("M-%04d", rapid.IntRange(0, someFrameworks).Draw(t, "id")))}
	}
	if rapid.Bool().Draw(t, "aware") {
		info.Capabilities = []*v1.FrameworkInfo_Capability{
			{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
			{Type: v1.FrameworkInfo_Capability_REVOCABLE_RESOURCES.Enum()},
		}
	}
	if len(m.streams) >= someFrameworks && info.Id == nil {
		return
	}
	m.made++
	call := &scheduler.Call{Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id, Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info}}
	m.stepCall(fmt.Sprintf("s%d", m.made), call)
}

// stepCall gives each twin a call of its own: messages belong to the core.
func (m *machine) stepCall(stream string, call *scheduler.Call) {
	ev := core.SchedulerCall{Stream: core.StreamID(stream), Call: proto.CloneOf(call)}
	effects := m.world.step(ev)
	m.twin.step(core.SchedulerCall{Stream: core.StreamID(stream), Call: call})
	m.follow(effects)
}

func (m *machine) closeStream(t *rapid.T) {
	s := m.stream(t)
	delete(m.streams, s)
	m.step(core.StreamClosed{Stream: core.StreamID(s)})
}

func (m *machine) call(t *rapid.T) {
	s := m.stream(t)
	task := taskID(fmt.Sprintf("t%d", rapid.IntRange(0, someTasks).Draw(t, "task")))
	agent := agentName(rapid.IntRange(0, someAgents).Draw(t, "agent"))
	call := &scheduler.Call{
		Type: rapid.SampledFrom([]scheduler.Call_Type{
			scheduler.Call_TEARDOWN, scheduler.Call_DECLINE, scheduler.Call_REVIVE, scheduler.Call_SUPPRESS, scheduler.Call_KILL,
			scheduler.Call_ACKNOWLEDGE, scheduler.Call_RECONCILE, scheduler.Call_REQUEST,
		}).Draw(t, "type").Enum(),
		FrameworkId: m.framework(s),
		Decline: &scheduler.Call_Decline{
			OfferIds: m.offers(t),
			Filters:  &v1.Filters{RefuseSeconds: proto.Float64(float64(rapid.IntRange(-1, 20).Draw(t, "refuse")))},
		},
		Kill:        &scheduler.Call_Kill{TaskId: task},
		Acknowledge: &scheduler.Call_Acknowledge{AgentId: agent, TaskId: task, Uuid: uuidOf(fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "uuid")))},
		Reconcile:   &scheduler.Call_Reconcile{Tasks: []*scheduler.Call_Reconcile_Task{{TaskId: task, AgentId: agent}}},
		Request: &scheduler.Call_Request{Requests: []*v1.Request{{
			Resources: mustResources(m.world.t, rapid.SampledFrom([]string{"cpus:1", "cpus:2;mem:64", "cpus:100", "ports:[1-2]"}).Draw(t, "request")),
		}}},
	}
	m.stepCall(s, call)
}

func agentName(n int) *v1.AgentID {
	return &v1.AgentID{Value: proto.String(fmt.Sprintf("M-S%d", n))}
}

// offers draws ids of the newest offers, some of them no longer there.
func (m *machine) offers(t *rapid.T) []*v1.OfferID {
	s := m.world.core.Snapshot().Sort()
	var ids []*v1.OfferID
	for i := range s.Frameworks {
		for _, o := range s.Frameworks[i].Offers {
			if rapid.Bool().Draw(t, "take") {
				ids = append(ids, &v1.OfferID{Value: proto.String(string(o.ID))})
			}
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "stale") == 0 {
		ids = append(ids, &v1.OfferID{Value: proto.String("M-O0")})
	}
	return ids
}

func (m *machine) accept(t *rapid.T) {
	s := m.stream(t)
	accept := &scheduler.Call_Accept{OfferIds: m.offers(t)}
	launch := &v1.Offer_Operation_Launch{}
	for range rapid.IntRange(0, 3).Draw(t, "tasks") {
		name := fmt.Sprintf("t%d", rapid.IntRange(0, someTasks).Draw(t, "task"))
		res := rapid.SampledFrom([]string{"cpus:1", "cpus:0.5;mem:64", "ports:[1-2]", "ports:[2-3];cpus:0.1", "cpus:100", "mem:4096", "cpus{REV}:1", "ports{REV}:[1-2]"}).Draw(t, "resources")
		launch.TaskInfos = append(launch.TaskInfos, &v1.TaskInfo{
			Name: proto.String(name), TaskId: taskID(name), AgentId: agentName(rapid.IntRange(0, someAgents).Draw(t, "agent")),
			Resources: mustResources(m.world.t, res), Command: &v1.CommandInfo{},
		})
	}
	accept.Operations = []*v1.Offer_Operation{{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: launch}}
	m.stepCall(s, &scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), FrameworkId: m.framework(s), Accept: accept})
}

// hello lets an agent come, anew or back, with some of its tasks forgotten.
func (m *machine) hello(t *rapid.T) {
	n := rapid.IntRange(0, someAgents-1).Draw(t, "agent")
	host := fmt.Sprintf("h%d", n)
	hello := &link.Hello{
		Agent: &v1.AgentInfo{
			Hostname:  proto.String(host),
			Resources: mustResources(m.world.t, rapid.SampledFrom([]string{"cpus:4;mem:4096;ports:[1-9]", "cpus:2;ports:[1-3]", ""}).Draw(t, "resources")),
		},
		Address: host + ":5051",
	}
	s := m.world.core.Snapshot().Sort()
	for i := range s.Agents {
		a := &s.Agents[i]
		if a.Address != hello.Address || !rapid.Bool().Draw(t, "back") {
			continue
		}
		hello.Agent.Id = a.Info.Id
		for j := range s.Frameworks {
			f := &s.Frameworks[j]
			hello.Frameworks = append(hello.Frameworks, f.Info)
			for _, task := range f.Tasks {
				if task.Agent == a.ID && rapid.IntRange(0, 3).Draw(t, "forgotten") > 0 {
					hello.Tasks = append(hello.Tasks, task.Proto())
				}
			}
		}
	}
	if lost := rapid.IntRange(0, 5).Draw(t, "lost"); hello.Agent.Id == nil && len(s.Unreachable) > 0 && lost == 0 {
		m.reviveUnreachable(hello, s)
	}
	m.conn++
	m.conns[n] = m.conn
	m.world.names[m.conn], m.twin.names[m.conn] = host, host
	effects := m.world.step(core.AgentHello{Conn: m.conn, IP: "10.0.0.1", Hello: proto.CloneOf(hello)})
	m.twin.step(core.AgentHello{Conn: m.conn, IP: "10.0.0.1", Hello: hello})
	m.follow(effects)
}

// reviveUnreachable makes hello that of an agent that was given up.
func (m *machine) reviveUnreachable(hello *link.Hello, s *core.Snapshot) {
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		hello.Frameworks = append(hello.Frameworks, f.Info)
		for _, task := range f.Unreachable {
			if hello.Agent.Id == nil {
				hello.Agent.Id = task.Info.AgentId
			}
			if task.Info.AgentId.GetValue() == hello.Agent.Id.GetValue() {
				p := proto.CloneOf(task.Proto())
				p.State = v1.TaskState_TASK_RUNNING.Enum()
				hello.Tasks = append(hello.Tasks, p)
			}
		}
	}
}

func (m *machine) anyConn(t *rapid.T) core.ConnID {
	return m.conns[rapid.IntRange(0, someAgents-1).Draw(t, "conn")]
}

func (m *machine) say(conn core.ConnID, msg *link.FromAgent) {
	m.world.step(core.AgentMessage{Conn: conn, Message: proto.CloneOf(msg)})
	m.twin.step(core.AgentMessage{Conn: conn, Message: msg})
}

func (m *machine) update(t *rapid.T) {
	u := &link.StatusUpdate{
		FrameworkId: &v1.FrameworkID{Value: proto.String(fmt.Sprintf("M-%04d", rapid.IntRange(0, someFrameworks).Draw(t, "framework")))},
		Status: &v1.TaskStatus{
			TaskId: taskID(fmt.Sprintf("t%d", rapid.IntRange(0, someTasks).Draw(t, "task"))),
			State:  rapid.SampledFrom(allStates()).Draw(t, "state").Enum(),
			Uuid:   uuidOf(fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "uuid"))),
		},
	}
	m.say(m.anyConn(t), &link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: u}})
}

func (m *machine) usage(t *rapid.T) {
	u := &link.Usage{All: rapid.Bool().Draw(t, "all"), Node: &usage.NodeUsage{}, Containers: []*usage.ContainerUsage{{
		FrameworkId: &v1.FrameworkID{Value: proto.String("M-0000")}, TaskId: taskID("t1"),
	}}}
	m.say(m.anyConn(t), &link.FromAgent{Message: &link.FromAgent_Usage{Usage: u}})
}

func (m *machine) pong(t *rapid.T) {
	m.say(m.anyConn(t), &link.FromAgent{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}})
}

func (m *machine) disconnect(t *rapid.T) {
	m.step(core.AgentDisconnected{Conn: m.anyConn(t)})
}

func (m *machine) pass(t *rapid.T) {
	d := time.Duration(rapid.SampledFrom([]int{10, 100, 1000, 5000, 40_000}).Draw(t, "ms")) * time.Millisecond
	end := m.world.now.Add(d)
	for next := m.world.core.NextWake(); !next.After(end); next = m.world.core.NextWake() {
		if next.After(m.world.now) {
			m.world.now, m.twin.now = next, next
		}
		m.step(core.Tick{})
	}
	m.world.now, m.twin.now = end, end
}
