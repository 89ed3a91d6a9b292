package failover

import (
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/test/native"
)

// TestDrain: goal, that what executors and groups run ends with the drain of their
// agent, with the reason; method, the user's command, and afterwards a
// task on the agent that is offered again.
func TestDrain(t *testing.T) {
	s := newSite(t)
	path := program(t, "runner")
	command := func(c string) *v1.CommandInfo { return &v1.CommandInfo{Value: &c} }
	task := func(o *v1.Offer, id string) *v1.TaskInfo {
		return &v1.TaskInfo{
			Name: &id, TaskId: &v1.TaskID{Value: &id}, AgentId: o.GetAgentId(),
			Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		}
	}
	launch := func(o *v1.Offer, t *v1.TaskInfo) *v1.Offer_Operation {
		return &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: []*v1.TaskInfo{t}}}
	}
	s.accept(func(o *v1.Offer) *v1.Offer_Operation {
		x := task(o, "given")
		x.Data = []byte("sleep 1000")
		x.Executor = &v1.ExecutorInfo{
			ExecutorId: &v1.ExecutorID{Value: proto.String("own")}, Type: v1.ExecutorInfo_CUSTOM.Enum(), Command: command("exec " + path),
			Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		}
		return launch(o, x)
	})
	s.is("given", v1.TaskState_TASK_RUNNING)
	s.accept(func(o *v1.Offer) *v1.Offer_Operation {
		group := &v1.TaskGroupInfo{}
		for _, id := range []string{"one", "two"} {
			x := task(o, id)
			x.Command = command("sleep 1000")
			group.Tasks = append(group.Tasks, x)
		}
		return &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &v1.Offer_Operation_LaunchGroup{
			Executor:  &v1.ExecutorInfo{Type: v1.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &v1.ExecutorID{Value: proto.String("pod")}},
			TaskGroup: group,
		}}
	})
	for _, id := range []string{"one", "two"} {
		s.is(id, v1.TaskState_TASK_RUNNING)
	}
	agent := s.is("given", v1.TaskState_TASK_RUNNING).GetAgentId().GetValue()
	mezzo := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), native.Binary(t), append(args, "--master="+s.master)...).CombinedOutput(); err != nil {
			t.Fatalf("mezzo %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	mezzo("drain", agent, "--grace=1s")
	for _, id := range []string{"given", "one", "two"} {
		if st := s.is(id, v1.TaskState_TASK_KILLED); st.GetReason() != v1.TaskStatus_REASON_AGENT_DRAINING {
			t.Errorf("the end of %s: %v", id, st)
		}
	}
	// The executor itself is its framework's to end.
	until(t, "only the executor is left", func() bool { return len(shims(s.work)) == 1 })
	mezzo("agents", "reactivate", agent)
	s.accept(func(o *v1.Offer) *v1.Offer_Operation {
		x := task(o, "again")
		x.Command = command("exit 0")
		return launch(o, x)
	})
	s.is("again", v1.TaskState_TASK_FINISHED)
}
