package core

import (
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
)

// removeFramework ends a framework and everything of it.
//
// Source: mesos master.cpp, removeFramework: tasks count as killed from here on,
// although agents still need their time for it.
func (c *Core) removeFramework(f *framework) {
	c.cancel(f.failover)
	c.disconnect(f, "")
	f.Unregistered = c.now
	for _, id := range sortedKeys(f.agents) {
		if a, ok := c.agents[id]; ok {
			c.shutdownFramework(a, f.ID)
		}
	}
	for _, id := range sortedKeys(c.agents) {
		for _, o := range c.agents[id].sortedOperations() {
			if o.Framework == f.ID {
				c.forgetOperation(c.agents[id], o)
			}
		}
	}
	for _, id := range sortedKeys(f.agents) {
		if a, ok := c.agents[id]; ok {
			for _, x := range a.sortedExecutors() {
				if x.Framework == f.ID {
					c.removeExecutor(a, x)
				}
			}
		}
	}
	why := "framework " + string(f.ID) + " removed"
	for _, t := range f.tasks.Values() {
		a := c.agents[t.Agent]
		status := c.status(f, t.ID, t.Agent, v1.TaskState_TASK_KILLED, v1.TaskStatus_REASON_FRAMEWORK_REMOVED, why)
		c.forget(a, c.advance(a, t, status, status))
	}
	for _, t := range f.unreachable.all() {
		status := c.status(f, t.ID, t.Agent, v1.TaskState_TASK_KILLED, v1.TaskStatus_REASON_FRAMEWORK_REMOVED, why)
		killed := t.with(status, v1.TaskState_TASK_KILLED)
		f.finished = keep(f.finished, killed, c.cfg.MaxCompletedTasks)
		c.tellUpdate(t, killed)
	}
	f.unreachable = newHistory[ids.TaskID, *Task](0)
	c.forgetAnswers(f)
	delete(c.frameworks, f.ID)
	c.complete(f)
	must(c.alloc.RemoveFramework(f.ID))
	c.tell(FrameworkRemoved{f.Info})
	c.trace(Info, "framework removed", "framework_id", string(f.ID), "name", f.Info.GetName())
}

// teardownByOperator removes a framework over its scheduler's head.
func (c *Core) teardownByOperator(id ids.FrameworkID) error {
	f := c.frameworks[id]
	if f == nil {
		return invalid("framework %q is not registered", id)
	}
	if f.Connected {
		c.send(f, errorEvent("the framework was removed by an operator"))
		c.emit(CloseFramework{f.stream})
	}
	c.removeFramework(f)
	return nil
}

func (c *Core) shutdownFramework(a *agent, f ids.FrameworkID) {
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_ShutdownFramework{
		ShutdownFramework: &link.ShutdownFramework{FrameworkId: f.Proto()},
	}})
}

// markUnreachable gives an agent up for now. It may come back with its tasks.
func (c *Core) markUnreachable(a *agent, why string) {
	c.counts[AgentsUnreachable]++
	c.counts[AgentRemovalsUnhealthy]++
	c.lost(a.ID)
	c.removeAgent(a, why, v1.TaskState_TASK_UNREACHABLE)
}

// removeAgent forgets an agent; state is what becomes of its tasks. If that is
// UNREACHABLE it may come back with them.
func (c *Core) removeAgent(a *agent, why string, state v1.TaskState) {
	c.counts[AgentRemovals]++
	if a.Connected {
		c.detach(a)
	}
	c.cancel(a.wake)
	why = "agent " + a.Info.GetHostname() + " " + why
	for _, t := range a.sortedTasks() {
		if state == v1.TaskState_TASK_UNREACHABLE {
			c.unreach(a, t, why)
		} else {
			c.end(a, t, state, c.frameworks[t.Framework].reasonFor(state, v1.TaskStatus_REASON_AGENT_REMOVED), why)
		}
	}
	for _, x := range a.sortedExecutors() {
		c.removeExecutor(a, x)
	}
	c.loseOperations(a, state, why)
	delete(c.agents, a.ID)
	c.move(a, "")
	c.touchAgent(a.ID)
	delete(c.scheduled, a.ID)
	if state != v1.TaskState_TASK_UNREACHABLE {
		c.orders.forget(a.ID)
	}
	must(c.alloc.RemoveAgent(a.ID))
	c.tell(AgentRemoved{a.Agent})
	for _, id := range sortedKeys(c.frameworks) {
		c.send(c.frameworks[id], failureEvent(a.ID))
	}
	c.trace(Warn, "agent removed", "agent_id", string(a.ID), "hostname", a.Info.GetHostname(), "reason", why)
}

// reasonFor is why tasks are in state because of their agent, in the words that f
// knows.
func (f *framework) reasonFor(state v1.TaskState, otherwise v1.TaskStatus_Reason) v1.TaskStatus_Reason {
	switch {
	case state != v1.TaskState_TASK_GONE_BY_OPERATOR:
		return otherwise
	case f.has(v1.FrameworkInfo_Capability_PARTITION_AWARE):
		return v1.TaskStatus_REASON_AGENT_REMOVED_BY_OPERATOR
	default:
		return v1.TaskStatus_REASON_AGENT_REMOVED
	}
}

// unreach tells that nothing is known of t any more.
func (c *Core) unreach(a *agent, t *Task, why string) {
	f := c.frameworks[t.Framework]
	status := c.status(f, t.ID, a.ID, v1.TaskState_TASK_UNREACHABLE, v1.TaskStatus_REASON_AGENT_REMOVED, why)
	status.UnreachableTime = TimeInfo(c.now)
	status.ExecutorId = t.Info.ExecutorId
	c.lose(a, c.advance(a, t, status, status))
	c.send(f, updateEvent(status))
}
