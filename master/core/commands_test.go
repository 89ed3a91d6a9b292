package core_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/usage"
	"mezzo/master/core"
)

// commands of the scripts. A scheduler is named by its stream, an agent by its
// host name, an update by a word that stands for its uuid.
var commands = map[string]func(*world, *datadriven.TestData){
	"config":     configCommand,
	"restart":    func(w *world, _ *datadriven.TestData) { clear(w.kept); w.start() }, // all is lost
	"failover":   func(w *world, _ *datadriven.TestData) { w.failover() },
	"subscribe":  subscribeCommand,
	"close":      func(w *world, d *datadriven.TestData) { w.step(core.StreamClosed{Stream: stream(d)}) },
	"hello":      helloCommand,
	"disconnect": func(w *world, d *datadriven.TestData) { w.step(core.AgentDisconnected{Conn: w.conns[first(d)]}) },
	"pong":       pongCommand,
	"pass":       passCommand,
	"accept":     acceptCommand,
	"decline":    declineCommand,
	"call":       callCommand,
	"kill":       killCommand,
	"executor":   executorCommand,
	"operator":   operatorCommand,
	"update":     updateCommand,
	"ack":        ackCommand,
	"reconcile":  reconcileCommand,
	"usage":      usageCommand,
	"state":      stateCommand,
	"matrix":     matrixCommand,
	"operate":    operateCommand,
	"operated":   operatedCommand,
	"opack":      opackCommand,
	"operations": reconcileOperationsCommand,
	"watch":      func(w *world, d *datadriven.TestData) { w.step(core.Watch{On: first(d) == "on"}) },
}

func first(d *datadriven.TestData) string          { return d.CmdArgs[0].Key }
func stream(d *datadriven.TestData) core.StreamID  { return core.StreamID(first(d)) }
func argsOf(w *world, d *datadriven.TestData) args { return args{w.t, d} }
func lines(d *datadriven.TestData) (out [][]string) {
	for _, l := range strings.Split(d.Input, "\n") {
		if f := strings.Fields(l); len(f) > 0 {
			out = append(out, f)
		}
	}
	return out
}

func configCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	w.cfg.OfferTimeout = time.Duration(a.number("offer_timeout", 0)) * time.Second
	w.cfg.Roles = a.list("roles")
	w.cfg.RootSubmissions = !a.has("noroot")
	w.traces = a.has("traces")
	w.cfg.Allocator.WholeAgents = !a.has("shared")
	w.cfg.Allocator.Region = a.text("region", "")
	clear(w.kept)
	w.start()
}

// subscribe s1 name=web [id=M-0000] [roles=(a,b)] [role=r] [caps=(MULTI_ROLE,…)]
// [failover=10] [user=u] [principal=p] [suppressed=(a)] [update]; the input is
// offer constraints as JSON
func subscribeCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	info := &v1.FrameworkInfo{
		Name:            proto.String(a.text("name", "test")),
		User:            proto.String(a.text("user", "nobody")),
		Roles:           a.list("roles"),
		FailoverTimeout: proto.Float64(a.number("failover", 0)),
	}
	if r := a.text("role", ""); r != "" {
		info.Role = proto.String(r)
	}
	if p := a.text("principal", ""); p != "" {
		info.Principal = proto.String(p)
	}
	for _, c := range a.list("caps") {
		kind := v1.FrameworkInfo_Capability_Type(v1.FrameworkInfo_Capability_Type_value[c])
		info.Capabilities = append(info.Capabilities, &v1.FrameworkInfo_Capability{Type: kind.Enum()})
	}
	if id := a.text("id", ""); id != "" {
		info.Id = &v1.FrameworkID{Value: proto.String(id)}
	}
	call := &scheduler.Call{
		Type:        scheduler.Call_SUBSCRIBE.Enum(),
		FrameworkId: info.Id,
		Subscribe: &scheduler.Call_Subscribe{
			FrameworkInfo: info, SuppressedRoles: a.list("suppressed"), OfferConstraints: constraints(w, d),
		},
	}
	if a.has("update") {
		info.Id = w.framework(first(d))
		call = &scheduler.Call{
			Type:        scheduler.Call_UPDATE_FRAMEWORK.Enum(),
			FrameworkId: info.Id,
			UpdateFramework: &scheduler.Call_UpdateFramework{
				FrameworkInfo: info, SuppressedRoles: a.list("suppressed"), OfferConstraints: constraints(w, d),
			},
		}
	}
	w.call(d, call)
}

// call sends a checked call on the stream that d names first.
func (w *world) call(d *datadriven.TestData, call *scheduler.Call) {
	if err := core.CheckCall(call); err != nil {
		fmt.Fprintf(w.out, "bad request: %v\n", err)
		return
	}
	w.step(core.SchedulerCall{Stream: stream(d), Call: call})
}

// callCommand is any call without a payload of its own: call s1 REVIVE [roles=(a)]
// [as=s2] (the stream id of another).
func callCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	kind := scheduler.Call_Type(scheduler.Call_Type_value[d.CmdArgs[1].Key])
	call := &scheduler.Call{
		Type:        kind.Enum(),
		FrameworkId: &v1.FrameworkID{Value: proto.String(a.text("framework", w.frames[first(d)]))},
		Revive:      &scheduler.Call_Revive{Roles: a.list("roles")},
		Suppress:    &scheduler.Call_Suppress{Roles: a.list("roles")},
		Request:     &scheduler.Call_Request{},
		Message: &scheduler.Call_Message{
			AgentId: w.agentID("x"), ExecutorId: &v1.ExecutorID{Value: proto.String("e")}, Data: []byte("hi"),
		},
		ReconcileOperations: &scheduler.Call_ReconcileOperations{Operations: []*scheduler.Call_ReconcileOperations_Operation{
			{OperationId: &v1.OperationID{Value: proto.String("op")}, AgentId: w.agentID(a.text("agent", "x"))},
		}},
	}
	if a.has("bare") {
		call.Request, call.Message = nil, nil
	}
	if err := core.CheckCall(call); err != nil {
		fmt.Fprintf(w.out, "bad request: %v\n", err)
		return
	}
	w.step(core.SchedulerCall{Stream: core.StreamID(a.text("as", first(d))), Call: call})
}

// hello a1 resources=cpus:4;mem:4096 [id=a1] [port=5051] [ip=…]
//
//	task M-0000 t1 TASK_RUNNING cpus:1;mem:32
func helloCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	name := first(d)
	hello := &link.Hello{
		Agent:   &v1.AgentInfo{Hostname: proto.String(a.text("hostname", name)), Resources: mustResources(w.t, a.text("resources", "cpus:4;mem:4096"))},
		Version: "1.0.0",
		Address: a.text("address", name+":5051"),
	}
	if id := a.text("id", ""); id != "" {
		hello.Agent.Id = w.agentID(id)
	}
	if port := int32(a.number("port", 0)); port != 0 {
		hello.Agent.Port = &port
	}
	a.place(hello.Agent)
	for _, l := range lines(d) {
		if l[0] == "executor" {
			hello.Executors = append(hello.Executors, &v1.ExecutorInfo{
				ExecutorId: executorID(l[2]), FrameworkId: &v1.FrameworkID{Value: proto.String(l[1])},
				Command: &v1.CommandInfo{Value: proto.String("x")}, Resources: mustResources(w.t, l[3]),
			})
			continue
		}
		if l[0] == "resources" {
			hello.Agent.Resources = w.withVolumes(l[1:])
			continue
		}
		if l[0] == "operation" {
			hello.Operations = append(hello.Operations, w.operationUpdate(l[1], l[2], l[3], l[4]))
			continue
		}
		hello.Tasks = append(hello.Tasks, &v1.Task{
			Name: proto.String(l[2]), TaskId: taskID(l[2]), AgentId: w.agentID(name),
			FrameworkId: &v1.FrameworkID{Value: proto.String(l[1])},
			State:       v1.TaskState(v1.TaskState_value[l[3]]).Enum(),
			Resources:   mustResources(w.t, l[4]),
		})
		if !slices.ContainsFunc(hello.Frameworks, func(f *v1.FrameworkInfo) bool { return f.GetId().GetValue() == l[1] }) {
			hello.Frameworks = append(hello.Frameworks, &v1.FrameworkInfo{
				Name: proto.String("told"), User: proto.String("nobody"), Id: &v1.FrameworkID{Value: proto.String(l[1])},
			})
		}
	}
	w.last++
	w.conns[name], w.names[w.last] = w.last, name
	w.step(core.AgentHello{Conn: w.last, IP: a.text("ip", "10.0.0.1"), Hello: hello})
}

func pongCommand(w *world, d *datadriven.TestData) {
	w.step(core.AgentMessage{Conn: w.conns[first(d)], Message: &link.FromAgent{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}}})
}

// pass 10 [answering] lets seconds go by; answering agents answer pings.
func passCommand(w *world, d *datadriven.TestData) {
	seconds, err := strconv.ParseFloat(first(d), 64)
	if err != nil {
		w.t.Fatal(err)
	}
	end := w.now.Add(time.Duration(seconds * float64(time.Second)))
	if !argsOf(w, d).has("answering") {
		w.pass(end.Sub(w.now))
		return
	}
	quiet := w.out
	for w.now.Before(end) {
		w.out = &strings.Builder{}
		w.pass(min(end.Sub(w.now), time.Second))
		for _, l := range strings.SplitAfter(w.out.String(), "\n") {
			if name, ping := strings.CutSuffix(l, " <- Ping\n"); ping {
				w.step(core.AgentMessage{Conn: w.conns[name], Message: &link.FromAgent{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}}})
				continue
			}
			quiet.WriteString(l)
		}
	}
	w.out = quiet
}

func declineCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	w.call(d, &scheduler.Call{
		Type: scheduler.Call_DECLINE.Enum(), FrameworkId: w.framework(first(d)),
		Decline: &scheduler.Call_Decline{OfferIds: offerIDs(a.list("offers")), Filters: filters(a)},
	})
}

// kill s1 t1 [agent=a1] [grace=5]
func killCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	kill := &scheduler.Call_Kill{TaskId: taskID(d.CmdArgs[1].Key)}
	if n := a.text("agent", ""); n != "" {
		kill.AgentId = w.agentID(n)
	}
	if g := a.number("grace", 0); g != 0 {
		kill.KillPolicy = &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(int64(g * 1e9))}}
	}
	w.call(d, &scheduler.Call{Type: scheduler.Call_KILL.Enum(), FrameworkId: w.framework(first(d)), Kill: kill})
}

func executorID(id string) *v1.ExecutorID { return &v1.ExecutorID{Value: proto.String(id)} }

// executor exited a1 s1 e, says a1 s1 e; tell s1 a1 e, shutdown s1 a1 e
func executorCommand(w *world, d *datadriven.TestData) {
	what, who, other, id := first(d), d.CmdArgs[1].Key, d.CmdArgs[2].Key, executorID(d.CmdArgs[3].Key)
	call := func(c *scheduler.Call) {
		c.FrameworkId = w.framework(who)
		if err := core.CheckCall(c); err != nil {
			w.t.Fatal(err)
		}
		w.step(core.SchedulerCall{Stream: core.StreamID(who), Call: c})
	}
	switch what {
	case "exited":
		w.step(core.AgentMessage{Conn: w.conns[who], Message: &link.FromAgent{Message: &link.FromAgent_ExecutorExited{ExecutorExited: &link.ExecutorExited{
			FrameworkId: w.framework(other), ExecutorId: id, Status: 256,
		}}}})
	case "says":
		w.step(core.AgentMessage{Conn: w.conns[who], Message: &link.FromAgent{Message: &link.FromAgent_ExecutorMessage{ExecutorMessage: &link.ExecutorMessage{
			FrameworkId: w.framework(other), ExecutorId: id, Data: []byte("hi"),
		}}}})
	case "tell":
		call(&scheduler.Call{Type: scheduler.Call_MESSAGE.Enum(), Message: &scheduler.Call_Message{AgentId: w.agentID(other), ExecutorId: id, Data: []byte("ho")}})
	case "shutdown":
		call(&scheduler.Call{Type: scheduler.Call_SHUTDOWN.Enum(), Shutdown: &scheduler.Call_Shutdown{AgentId: w.agentID(other), ExecutorId: id}})
	}
}

// operator M-0000 t1 kills a task over the framework's head.
func operatorCommand(w *world, d *datadriven.TestData) {
	f, t := key(first(d), d.CmdArgs[1].Key)
	w.step(core.KillTask{Framework: f, Task: t})
}

// update a1 s1 t1 TASK_RUNNING u1 [latest=TASK_FINISHED] [framework=M-0000]
func updateCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	state := v1.TaskState(v1.TaskState_value[d.CmdArgs[3].Key])
	u := &link.StatusUpdate{
		FrameworkId: &v1.FrameworkID{Value: proto.String(a.text("framework", w.frames[d.CmdArgs[1].Key]))},
		Status: &v1.TaskStatus{
			TaskId: taskID(d.CmdArgs[2].Key), State: state.Enum(),
			Source: v1.TaskStatus_SOURCE_EXECUTOR.Enum(), Data: []byte("data"),
		},
	}
	if len(d.CmdArgs) > 4 && len(d.CmdArgs[4].Vals) == 0 {
		u.Status.Uuid = uuidOf(d.CmdArgs[4].Key)
	}
	if l := a.text("latest", ""); l != "" {
		u.Latest = &v1.TaskStatus{TaskId: u.Status.TaskId, State: v1.TaskState(v1.TaskState_value[l]).Enum()}
	}
	w.step(core.AgentMessage{Conn: w.conns[first(d)], Message: &link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: u}}})
}

// ack s1 a1 t1 u1
func ackCommand(w *world, d *datadriven.TestData) {
	w.call(d, &scheduler.Call{
		Type: scheduler.Call_ACKNOWLEDGE.Enum(), FrameworkId: w.framework(first(d)),
		Acknowledge: &scheduler.Call_Acknowledge{
			AgentId: w.agentID(d.CmdArgs[1].Key), TaskId: taskID(d.CmdArgs[2].Key), Uuid: uuidOf(d.CmdArgs[3].Key),
		},
	})
}

// reconcile s1 with a line "t1 [a1]" for each task, or none for all.
func reconcileCommand(w *world, d *datadriven.TestData) {
	r := &scheduler.Call_Reconcile{}
	for _, l := range lines(d) {
		t := &scheduler.Call_Reconcile_Task{TaskId: taskID(l[0])}
		if len(l) > 1 {
			t.AgentId = w.agentID(l[1])
		}
		r.Tasks = append(r.Tasks, t)
	}
	w.call(d, &scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), FrameworkId: w.framework(first(d)), Reconcile: r})
}

// usage a1 s1 t1 cpus=0.5
func usageCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	of := &usage.ContainerUsage{
		FrameworkId: w.framework(d.CmdArgs[1].Key), TaskId: taskID(d.CmdArgs[2].Key),
		Cpu: &usage.CPU{RateCpus: proto.Float64(a.number("cpus", 0))},
	}
	if x := a.text("executor", ""); x != "" {
		of.TaskId, of.ExecutorId = taskID(""), executorID(x)
	}
	w.step(core.AgentMessage{Conn: w.conns[first(d)], Message: &link.FromAgent{Message: &link.FromAgent_Usage{Usage: &link.Usage{
		Node:       &usage.NodeUsage{Cpu: &usage.CPU{RateCpus: proto.Float64(a.number("node", 1))}},
		Containers: []*usage.ContainerUsage{of},
		All:        a.has("all"),
	}}}})
}

// state prints what a Snapshot shows.
func stateCommand(w *world, _ *datadriven.TestData) {
	s := w.core.Snapshot().Sort()
	used := s.Usages()
	for _, a := range s.Agents {
		fmt.Fprintf(w.out, "agent %s connected=%t total=[%v] used=[%v] offered=[%v]", a.ID, a.Connected, a.Total, a.Used, a.Offered)
		if a.Usage != nil {
			fmt.Fprintf(w.out, " cpus=%v", a.Usage.GetCpu().GetRateCpus())
		}
		fmt.Fprintln(w.out)
	}
	for _, x := range s.Executors {
		fmt.Fprintf(w.out, "executor %s of %s on %s [%v]", x.ID, x.Framework, x.Agent, x.Resources)
		if u := used.OfExecutor(x); u != nil {
			fmt.Fprintf(w.out, " cpus=%v", u.GetCpu().GetRateCpus())
		}
		fmt.Fprintln(w.out)
	}
	for _, info := range s.Recovered {
		fmt.Fprintf(w.out, "agent %s was there before\n", info.GetId().GetValue())
	}
	for id := range s.Unreachable {
		fmt.Fprintf(w.out, "agent %s unreachable\n", id)
	}
	for _, f := range s.Frameworks {
		fmt.Fprintf(w.out, "framework %s connected=%t recovered=%t used=[%v] offered=[%v] suppressed=%v\n", f.ID, f.Connected, f.Recovered, f.Used(), f.Offered(), f.Suppressed)
		printTasks(w, used, f)
	}
	for _, f := range s.Completed {
		fmt.Fprintf(w.out, "framework %s completed\n", f.ID)
		printTasks(w, used, f)
	}
}

func printTasks(w *world, used core.Usages, f core.FrameworkView) {
	printTaskList(w, used, "task", f.Tasks)
	printTaskList(w, used, "unreachable", f.Unreachable)
	printTaskList(w, used, "finished", f.Finished)
}

func printTaskList(w *world, used core.Usages, kind string, list []*core.Task) {
	for _, t := range list {
		var states []string
		for _, s := range t.Statuses {
			states = append(states, strings.TrimPrefix(s.GetState().String(), "TASK_"))
		}
		fmt.Fprintf(w.out, "  %s %s on %s %v %v", kind, t.ID, t.Agent, t.State, states)
		if u := used.OfTask(t); u != nil {
			fmt.Fprintf(w.out, " cpus=%v", u.GetCpu().GetRateCpus())
		}
		fmt.Fprintln(w.out)
	}
}
