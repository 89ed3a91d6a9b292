package core_test

// Goal: every state of a task × every update of it. Method: the whole table is
// printed into testdata/matrix.txt, from real histories.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master/core"
)

func allStates() []v1.TaskState {
	var all []v1.TaskState
	for n := range v1.TaskState_name {
		all = append(all, v1.TaskState(n))
	}
	slices.Sort(all)
	return all
}

// matrixCommand prints, for each state a task can be in and each update, the
// state it is in then, whether it still holds resources, and what its framework
// is told.
func matrixCommand(w *world, d *datadriven.TestData) {
	aware := argsOf(w, d).has("aware")
	out := w.out
	for _, from := range allStates() {
		if !slices.Contains([]v1.TaskState{v1.TaskState_TASK_UNREACHABLE, v1.TaskState_TASK_UNKNOWN}, from) {
			fmt.Fprintf(out, "%s\n", short(from))
		} else {
			continue
		}
		for _, to := range allStates() {
			task, told := transition(w, from, to, aware)
			holds := "free"
			if task.holding {
				holds = "held"
			}
			fmt.Fprintf(out, "  + %-16s = %-16s %s, told %s\n", short(to), short(task.state), holds, told)
		}
	}
	w.out = out
}

func short(s v1.TaskState) string { return strings.TrimPrefix(s.String(), "TASK_") }

type ended struct {
	state   v1.TaskState
	holding bool
}

// transition lets a task go through two updates in a world of its own.
func transition(w *world, from, to v1.TaskState, aware bool) (ended, string) {
	n := newWorld(w.t, core.Config{})
	n.last, n.conns["a1"], n.names[1] = 1, 1, "a1"
	n.step(core.AgentHello{Conn: 1, IP: "10.0.0.1", Hello: &link.Hello{
		Agent: &v1.AgentInfo{Hostname: proto.String("a1"), Resources: mustResources(w.t, "cpus:1;mem:32")},
	}})
	info := &v1.FrameworkInfo{User: proto.String("u"), Name: proto.String("n")}
	if aware {
		info.Capabilities = []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()}}
	}
	n.step(core.SchedulerCall{Stream: "s1", Call: &scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info},
	}})
	n.pass(100e6)
	launch := &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{
		TaskInfos: []*v1.TaskInfo{n.taskInfo([]string{"t", "a1", "cpus:1"})},
	}}
	n.step(core.SchedulerCall{Stream: "s1", Call: &scheduler.Call{
		Type: scheduler.Call_ACCEPT.Enum(), FrameworkId: n.framework("s1"),
		Accept: &scheduler.Call_Accept{OfferIds: offerIDs([]string{"O0"}), Operations: []*v1.Offer_Operation{launch}},
	}})
	update := func(s v1.TaskState, uuid string) string {
		n.out.Reset()
		n.step(core.AgentMessage{Conn: 1, Message: &link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{
			FrameworkId: n.framework("s1"),
			Status:      &v1.TaskStatus{TaskId: taskID("t"), State: s.Enum(), Uuid: uuidOf(uuid)},
		}}}})
		if f := strings.Fields(n.out.String()); len(f) > 4 {
			return strings.TrimPrefix(f[4], "TASK_")
		}
		return "nothing"
	}
	if from != v1.TaskState_TASK_STAGING {
		update(from, "u1")
	}
	told := update(to, "u2")
	s := n.core.Snapshot().Sort()
	return ended{s.Frameworks[0].Tasks[0].State, !s.Agents[0].Used.IsEmpty()}, told
}
