package core

import (
	"fmt"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
)

// kill is the KILL call. It is remembered until the task is forgotten, and
// repeated to an agent that comes back with the task alive.
func (c *Core) kill(f *framework, call *scheduler.Call_Kill) {
	t, ok := f.tasks.Get(ids.TaskID(call.GetTaskId().GetValue()))
	if !ok {
		c.reconcileTask(f, call.GetTaskId(), call.GetAgentId())
		return
	}
	if call.AgentId != nil && call.GetAgentId().GetValue() != string(t.Agent) {
		c.counts[DroppedMessages]++
		c.trace(Warn, "kill names the wrong agent", "framework_id", string(f.ID), "task_id", string(t.ID), "agent_id", call.GetAgentId().GetValue())
		return
	}
	c.killTask(t, call.GetKillPolicy())
}

func (c *Core) killByOperator(ev KillTask) error {
	if f, ok := c.frameworks[ev.Framework]; ok {
		if t, ok := f.tasks.Get(ev.Task); ok {
			c.killTask(t, ev.Policy)
			return nil
		}
	}
	return fmt.Errorf("task %q of framework %q: %w", ev.Task, ev.Framework, errs.NotFound)
}

func (c *Core) killTask(t *Task, policy *v1.KillPolicy) {
	a := c.agents[t.Agent]
	a.kills[t.key()] = policy
	c.sendKill(a, t, policy)
}

func (c *Core) sendKill(a *agent, t *Task, policy *v1.KillPolicy) {
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_KillTask{KillTask: &link.KillTask{
		FrameworkId: t.Framework.Proto(),
		TaskId:      t.ID.Proto(),
		KillPolicy:  policy,
	}}})
}
