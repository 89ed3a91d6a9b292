package core

import (
	"strings"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

// reconcile answers with what the master knows: of every task of f when none is
// named. The answers have no uuid and are not acknowledged.
func (c *Core) reconcile(f *framework, call *scheduler.Call_Reconcile) {
	if len(call.GetTasks()) == 0 {
		for _, t := range f.tasks.Values() {
			c.reconcileKnown(f, t)
		}
		return
	}
	for _, t := range call.GetTasks() {
		c.reconcileTask(f, t.GetTaskId(), t.GetAgentId())
	}
}

func (c *Core) reconcileKnown(f *framework, t *Task) {
	c.sendState(f, t, v1.TaskStatus_REASON_RECONCILIATION, "reconciliation: latest task state")
}

// sendState tells f what it is to think of t.
func (c *Core) sendState(f *framework, t *Task, reason v1.TaskStatus_Reason, message string) {
	s := c.status(f, t.ID, t.Agent, t.told(), reason, message)
	s.ExecutorId = t.Info.ExecutorId
	if n := len(t.Statuses); n > 0 {
		last := t.Statuses[n-1]
		s.Healthy, s.CheckStatus, s.ContainerStatus = last.Healthy, last.CheckStatus, last.ContainerStatus
	}
	c.send(f, updateEvent(s))
}

// reconcileTask answers for one task, on the agent that the framework names (or
// the one it was lost with).
//
// Source: the six cases are those of mesos master.cpp, reconcile.
func (c *Core) reconcileTask(f *framework, task *v1.TaskID, agent *v1.AgentID) {
	id := ids.TaskID(task.GetValue())
	if t, ok := f.tasks.Get(id); ok {
		c.reconcileKnown(f, t)
		return
	}
	on := ids.AgentID(agent.GetValue())
	if t, ok := f.unreachable.get(id); ok && on == "" {
		on = t.Agent
	}
	state, message := v1.TaskState_TASK_UNKNOWN, "reconciliation: task is unknown"
	lost, unreachable := c.unreachable.get(on)
	_, gone := c.orders.gone.get(on)
	switch {
	case c.agents[on] != nil:
		state, message = v1.TaskState_TASK_GONE, "reconciliation: task is unknown to the agent"
	case unreachable:
		state, message = v1.TaskState_TASK_UNREACHABLE, "reconciliation: agent is unreachable"
	case gone:
		state, message = v1.TaskState_TASK_GONE_BY_OPERATOR, "reconciliation: agent is gone"
	case c.awaited(f, on):
		return // f asks again, as it must
	}
	s := c.status(f, id, on, state, v1.TaskStatus_REASON_RECONCILIATION, message)
	s.UnreachableTime = TimeInfo(lost)
	c.send(f, updateEvent(s))
}

// awaited tells whether a task of f may yet come with an agent that a master
// before knew. If nobody is known from before, what was kept may be lost: then
// those have some time that are not of this master's making.
func (c *Core) awaited(f *framework, on ids.AgentID) bool {
	if !c.fresh {
		return c.recovered[on] != nil || on == "" && len(c.recovered) > 0
	}
	own := c.cfg.Master.GetId() + "-"
	return c.now.Before(c.started.Add(c.cfg.silence())) &&
		!strings.HasPrefix(string(f.ID), own) && !strings.HasPrefix(string(on), own)
}
