package agent

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
)

// TestHealth: a task is told to be healthy, then not, and is killed for it; a
// check's result goes with each status.
func TestHealth(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	run := runMessage("t1", "sleep")
	zero, soon := proto.Float64(0), proto.Float64(0.01)
	run.GetRunTask().Task.HealthCheck = &v1.HealthCheck{
		Type: v1.HealthCheck_COMMAND.Enum(), Command: &v1.CommandInfo{Value: proto.String("check")},
		DelaySeconds: zero, IntervalSeconds: soon, GracePeriodSeconds: zero, ConsecutiveFailures: proto.Uint32(2),
	}
	run.GetRunTask().Task.Check = &v1.CheckInfo{
		Type: v1.CheckInfo_COMMAND.Enum(), Command: &v1.CheckInfo_Command{Command: &v1.CommandInfo{Value: proto.String("check")}},
		DelaySeconds: proto.Float64(3600),
	}
	s.send(run)
	s.expect(v1.TaskState_TASK_STARTING)
	first := s.expect(v1.TaskState_TASK_RUNNING)
	if first.GetCheckStatus().GetCommand() == nil {
		t.Errorf("at first: %v", first)
	}
	well := first // what waited to be told may have been overtaken by better news
	if first.Healthy == nil {
		well = s.expect(v1.TaskState_TASK_RUNNING)
	}
	if !well.GetHealthy() || well.GetReason() != v1.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED || len(well.GetUuid()) == 0 {
		t.Errorf("healthy: %v", well)
	}
	a.containers.mu.Lock()
	a.containers.health = 3
	a.containers.mu.Unlock()
	ill := s.expect(v1.TaskState_TASK_RUNNING)
	if ill.Healthy == nil || ill.GetHealthy() || !strings.Contains(ill.GetMessage(), "status 3: checked") {
		t.Errorf("not healthy: %v", ill)
	}
	end := s.expect(v1.TaskState_TASK_KILLED)
	if end.GetHealthy() || end.GetReason() != v1.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED || !strings.Contains(end.GetMessage(), "Killed for its health") {
		t.Errorf("killed: %v", end)
	}
}

// runMessage launches a task for agent a1.
func runMessage(task ids.TaskID, command string) *link.FromMaster {
	return &link.FromMaster{Message: &link.FromMaster_RunTask{RunTask: &link.RunTask{
		Framework: &v1.FrameworkInfo{Id: ids.FrameworkID("f1").Proto(), Name: proto.String("fw"), User: proto.String("root")},
		Task: &v1.TaskInfo{
			Name: proto.String("name of " + string(task)), TaskId: task.Proto(), AgentId: ids.AgentID("a1").Proto(),
			Command: &v1.CommandInfo{Value: &command},
			Resources: []*v1.Resource{
				{Name: proto.String("cpus"), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(0.5)}},
				{Name: proto.String("mem"), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(64)}},
			},
		},
	}}}
}
