package core

// Goal: what the agent does and says, event by event. Method: scripts in
// testdata step one core and print its effects; Check runs after every step.

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	"mezzo/agent/task"
	"mezzo/api/ids"
	"mezzo/api/labels"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newTestCore counts its ids: containers and updates are 1, 2, 3 ….
func newTestCore() *Core {
	n := byte(0)
	return New(Config{
		Agent:                         &v1.AgentInfo{Hostname: proto.String("h")},
		IP:                            "10.0.0.1",
		Address:                       "10.0.0.1:5051",
		ShutdownGrace:                 5 * time.Second,
		MaxCompletedFrameworks:        1,
		MaxCompletedTasksPerFramework: 2,
		NewID:                         func() [16]byte { n++; return [16]byte{15: n} },
	})
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{core: newTestCore(), now: epoch}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	core *Core
	now  time.Time
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	if d.HasArg("at") {
		s.now = epoch.Add(duration(t, d, "at"))
	}
	switch d.Cmd {
	case "new":
		s.core, s.now = newTestCore(), epoch
		return ""
	case "hello":
		return hello(s.core.Hello())
	case "view":
		return view(s.core.View())
	}
	effects := s.core.Step(s.now, s.event(t, d))
	if err := s.core.Check(); err != nil {
		t.Errorf("%s: after %s: %v", d.Pos, d.Cmd, err)
	}
	var out strings.Builder
	for _, e := range effects {
		if x, ok := e.(Trace); ok && x.Level == Debug {
			continue
		}
		if _, ok := e.(Save); ok { // TestRandomWorld tries them
			continue
		}
		fmt.Fprintln(&out, describe(e))
	}
	if at, ok := s.core.NextWake(); ok {
		fmt.Fprintf(&out, "wake at %v\n", at.Sub(epoch))
	}
	return out.String()
}

func (s *script) event(t *testing.T, d *datadriven.TestData) Event {
	t.Helper()
	why := strings.TrimSpace(d.Input)
	arg := func(key string) string {
		var v string
		d.MaybeScanArgs(t, key, &v)
		return v
	}
	fid, tid := &v1.FrameworkID{Value: proto.String(arg("f"))}, &v1.TaskID{Value: proto.String(arg("t"))}
	container := ids.ContainerID("00000000-0000-0000-0000-0000000000" + arg("c"))
	var policy *v1.KillPolicy
	if d.HasArg("grace") {
		policy = &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(int64(duration(t, d, "grace")))}}
	}
	switch d.Cmd {
	case "attach":
		return Attached{&link.Welcome{AgentId: &v1.AgentID{Value: proto.String(arg("id"))}, Master: &v1.MasterInfo{Hostname: proto.String("m")}}}
	case "detach":
		return Detached{}
	case "run":
		ev := RunTask{
			Framework: &v1.FrameworkInfo{Id: fid, Name: proto.String("n"), User: proto.String("u")},
			Task:      &v1.TaskInfo{Name: proto.String("n"), TaskId: tid, AgentId: &v1.AgentID{Value: proto.String("a1")}, KillPolicy: policy},
			What:      "command",
		}
		if d.HasArg("for") {
			ev.Task.AgentId.Value = proto.String(arg("for"))
		}
		if d.HasArg("killing") {
			ev.Framework.Capabilities = []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()}}
		}
		if why != "" {
			ev.Refusal = errors.New(why)
		}
		return ev
	case "launched":
		return Launched{Container: container, PID: 42}
	case "progressed":
		return Progressed{Container: container, What: why}
	case "launch-failed":
		return LaunchFailed{Container: container, Err: errors.New(why)}
	case "exited":
		var code int
		d.MaybeScanArgs(t, "code", &code)
		return Exited{Container: container, Exit: task.Exited{Code: code}}
	case "destroyed":
		ev := Destroyed{Container: container}
		if why != "" {
			ev.Err = errors.New(why)
		}
		return ev
	case "stop":
		return Stop{Why: why}
	case "tick":
		return Tick{}
	case "kill":
		return Message{&link.FromMaster{Message: &link.FromMaster_KillTask{KillTask: &link.KillTask{FrameworkId: fid, TaskId: tid, KillPolicy: policy}}}}
	case "ack":
		var n byte
		d.ScanArgs(t, "u", &n)
		uuid := [16]byte{15: n}
		ack := &link.Acknowledge{FrameworkId: fid, TaskId: tid, Uuid: uuid[:]}
		if d.HasArg("short") {
			ack.Uuid = uuid[:3]
		}
		return Message{&link.FromMaster{Message: &link.FromMaster_Acknowledge{Acknowledge: ack}}}
	case "shutdown-framework":
		return Message{&link.FromMaster{Message: &link.FromMaster_ShutdownFramework{ShutdownFramework: &link.ShutdownFramework{FrameworkId: fid}}}}
	case "shutdown":
		return Message{&link.FromMaster{Message: &link.FromMaster_Shutdown{Shutdown: &link.Shutdown{Message: why}}}}
	case "ping":
		return Message{&link.FromMaster{Message: &link.FromMaster_Ping{Ping: &link.Ping{}}}}
	case "nonsense":
		return Message{&link.FromMaster{}}
	}
	d.Fatalf(t, "unknown command")
	return nil
}

func duration(t *testing.T, d *datadriven.TestData, key string) time.Duration {
	t.Helper()
	var text string
	d.ScanArgs(t, key, &text)
	v, err := time.ParseDuration(text)
	if err != nil {
		d.Fatalf(t, "%s: %v", key, err)
	}
	return v
}

// short is a container's id without its zeros.
func short(id ids.ContainerID) string { return "c" + string(id[len(id)-2:]) }

func describe(e Effect) string {
	switch e := e.(type) {
	case Send:
		return "send " + message(e.Message)
	case Launch:
		return fmt.Sprintf("launch %s on %s: %s/%s", short(e.Container), e.Agent, e.Framework.GetId().GetValue(), e.Task.GetTaskId().GetValue())
	case Abort:
		return "abort " + short(e.Container)
	case Terminate:
		return "terminate " + short(e.Container)
	case Slay:
		return "slay " + short(e.Container)
	case Destroy:
		return "destroy " + short(e.Container)
	case Exit:
		return fmt.Sprintf("exit %q removed=%v", e.Why, e.Removed)
	case Trace:
		s := fmt.Sprintf("log %s", e.Message)
		for _, a := range e.Attrs {
			switch a.Key {
			case "container_id":
				s += " " + a.Key + "=" + short(ids.ContainerID(a.Value))
			default:
				s += " " + a.Key + "=" + a.Value
			}
		}
		return s
	}
	return fmt.Sprintf("%T", e)
}

func message(m *link.FromAgent) string {
	switch m := m.GetMessage().(type) {
	case *link.FromAgent_Pong:
		return "pong"
	case *link.FromAgent_StatusUpdate:
		u := m.StatusUpdate
		s := fmt.Sprintf("update %s/%s %s", u.GetFrameworkId().GetValue(), u.GetStatus().GetTaskId().GetValue(), status(u.GetStatus()))
		if u.Latest != nil {
			s += ", latest " + status(u.Latest)
		}
		return s
	}
	return fmt.Sprintf("%T", m)
}

func status(s *v1.TaskStatus) string {
	out := fmt.Sprintf("%d %s", s.GetUuid()[15], s.GetState())
	if s.Message != nil {
		out += fmt.Sprintf(" %q", s.GetMessage())
	}
	if code, ok := labels.ExitCodeOf(s.GetLabels()); ok {
		out += fmt.Sprintf(" exit %d", code)
	}
	if c := s.GetContainerStatus(); c != nil {
		out += fmt.Sprintf(" in %s pid %d", short(ids.ContainerID(c.GetContainerId().GetValue())), c.GetExecutorPid())
	}
	return out
}

func hello(h *link.Hello) string {
	var out strings.Builder
	fmt.Fprintf(&out, "agent %q at %s\n", h.GetAgent().GetId().GetValue(), h.GetAddress())
	for _, f := range h.GetFrameworks() {
		fmt.Fprintf(&out, "framework %s\n", f.GetId().GetValue())
	}
	for _, x := range h.GetTasks() {
		fmt.Fprintf(&out, "task %s/%s %s\n", x.GetFrameworkId().GetValue(), x.GetTaskId().GetValue(), x.GetState())
	}
	return out.String()
}

func view(v *View) string {
	var out strings.Builder
	fmt.Fprintf(&out, "agent %q registered=%v %+v\n", v.Agent.GetId().GetValue(), v.Registered, v.Counters)
	print := func(kind string, list []Framework) {
		for _, f := range list {
			fmt.Fprintf(&out, "%s framework %s\n", kind, f.Info.GetId().GetValue())
			for _, x := range f.Tasks {
				fmt.Fprintf(&out, "  %s %s %s held=%v of %d\n", x.Task.GetTaskId().GetValue(), x.State, x.Task.GetState(), x.Held, len(x.Task.GetStatuses()))
			}
			for _, x := range f.Completed {
				fmt.Fprintf(&out, "  completed %s %s\n", x.Task.GetTaskId().GetValue(), x.Task.GetState())
			}
		}
	}
	print("live", v.Frameworks)
	print("past", v.Completed)
	return out.String()
}
