package core

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
	"mezzo/resources"
)

// Task is one task as the master knows it. It is never changed: what happens to
// a task makes a new Task.
type Task struct {
	ID        ids.TaskID
	Framework ids.FrameworkID
	Agent     ids.AgentID
	Info      *v1.Task // what never changes of it; no state, no statuses
	Resources resources.Resources
	State     v1.TaskState          // the newest known; decides whether Resources are held
	Told      v1.TaskState          // what the framework was told last in an update to acknowledge,
	ToldUUID  []byte                // and its id; nil if there was none
	Statuses  []*v1.TaskStatus      // oldest first, one per run of equal states, without data
	Usage     *usage.ContainerUsage // a sample of it alone, or the last after its end; see Usages
}

// newTask is the task of a TaskInfo that passed all checks.
func newTask(f ids.FrameworkID, info *v1.TaskInfo, res resources.Resources) *Task {
	return &Task{
		ID:        ids.TaskID(info.GetTaskId().GetValue()),
		Framework: f,
		Agent:     ids.AgentID(info.GetAgentId().GetValue()),
		Info: &v1.Task{
			Name:        info.Name,
			TaskId:      info.TaskId,
			FrameworkId: f.Proto(),
			AgentId:     info.AgentId,
			Resources:   res.Proto(),
			Labels:      info.Labels,
			Discovery:   info.Discovery,
			Container:   info.Container,
			User:        userOf(info),
			HealthCheck: info.HealthCheck,
			KillPolicy:  info.KillPolicy,
			Limits:      info.Limits,
		},
		Resources: res,
		State:     v1.TaskState_TASK_STAGING,
	}
}

// userOf is whom a task names to run as, if anybody.
func userOf(info *v1.TaskInfo) *string {
	if c := info.GetCommand(); c != nil {
		return c.User
	}
	if c := info.GetExecutor().GetCommand(); c != nil {
		return c.User
	}
	return nil
}

// Proto is the task in the form of the v1 API. It shares messages with t.
func (t *Task) Proto() *v1.Task {
	p := &v1.Task{
		Name:        t.Info.Name,
		TaskId:      t.Info.TaskId,
		FrameworkId: t.Info.FrameworkId,
		ExecutorId:  t.Info.ExecutorId,
		AgentId:     t.Info.AgentId,
		State:       t.State.Enum(),
		Resources:   t.Info.Resources,
		Statuses:    t.Statuses,
		Labels:      t.Info.Labels,
		Discovery:   t.Info.Discovery,
		Container:   t.Info.Container,
		User:        t.Info.User,
		HealthCheck: t.Info.HealthCheck,
		KillPolicy:  t.Info.KillPolicy,
		Limits:      t.Info.Limits,
	}
	if t.ToldUUID != nil {
		p.StatusUpdateState, p.StatusUpdateUuid = t.Told.Enum(), t.ToldUUID
	}
	return p
}

// Role is the role whose share the task's resources count for.
func (t *Task) Role() string {
	for r := range t.Resources.All() {
		return r.AllocatedTo()
	}
	return ""
}

// Latest is the newest status kept; nil if there is none.
func (t *Task) Latest() *v1.TaskStatus {
	if len(t.Statuses) == 0 {
		return nil
	}
	return t.Statuses[len(t.Statuses)-1]
}

// told is the state a framework is to hear when it asks.
func (t *Task) told() v1.TaskState {
	if t.ToldUUID != nil {
		return t.Told
	}
	return t.State
}

// live tells whether t holds its resources.
func (t *Task) live() bool { return holds(t.State) }

// holds tells whether a task in state s holds resources on an agent.
func holds(s v1.TaskState) bool {
	return !terminal(s) && s != v1.TaskState_TASK_UNREACHABLE
}

// terminal tells whether s is an end, after which nothing else happens.
func terminal(s v1.TaskState) bool {
	switch s {
	case v1.TaskState_TASK_FINISHED, v1.TaskState_TASK_FAILED, v1.TaskState_TASK_KILLED,
		v1.TaskState_TASK_ERROR, v1.TaskState_TASK_LOST, v1.TaskState_TASK_DROPPED,
		v1.TaskState_TASK_GONE, v1.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	default:
		return false
	}
}

// with is t after an update: status is what was reported, newest the newest
// state known, which counts unless t has ended.
func (t *Task) with(status *v1.TaskStatus, newest v1.TaskState) *Task {
	u := *t
	if !terminal(t.State) {
		u.State = newest
	}
	slim := proto.CloneOf(status)
	slim.Data = nil
	before := t.Statuses
	if n := len(before); n > 0 && before[n-1].GetState() == status.GetState() {
		before = before[:n-1]
	}
	u.Statuses = keep(slices.Clip(before), slim, maxStatuses)
	return &u
}

// maxStatuses bounds what is kept of a task whose agent cannot make up its mind.
const maxStatuses = 32
