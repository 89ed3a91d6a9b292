package core

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"mezzo/agent/task"
	"mezzo/agent/updates"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// message obeys the master.
func (c *Core) message(m *link.FromMaster) {
	switch m := m.GetMessage().(type) {
	case *link.FromMaster_Ping:
		if c.attached {
			c.emit(Send{&link.FromAgent{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}}})
		}
	case *link.FromMaster_KillTask:
		c.killTask(m.KillTask)
	case *link.FromMaster_Acknowledge:
		c.acknowledge(m.Acknowledge)
	case *link.FromMaster_ShutdownFramework:
		c.shutdownFramework(ids.FrameworkID(m.ShutdownFramework.GetFrameworkId().GetValue()))
	case *link.FromMaster_ShutdownExecutor:
		c.shutdownExecutor(m.ShutdownExecutor)
	case *link.FromMaster_ExecutorMessage:
		c.executorTold(m.ExecutorMessage)
	case *link.FromMaster_ApplyOperation:
		c.applyOperation(m.ApplyOperation)
	case *link.FromMaster_AcknowledgeOperation:
		c.acknowledgeOperation(m.AcknowledgeOperation)
	case *link.FromMaster_Shutdown:
		c.stop(Exit{Why: m.Shutdown.GetMessage(), Removed: true})
	default:
		c.trace(Warn, "unexpected message from master", Attr{"message", fmt.Sprintf("%T", m)})
	}
}

// runTask takes a task in, whatever becomes of it.
func (c *Core) runTask(ev RunTask) {
	f := c.frameworkOf(ev.Framework)
	id := ids.TaskID(ev.Task.GetTaskId().GetValue())
	if f.removed || f.find(id) != nil {
		c.trace(Warn, "ignored a task that is here already or whose framework is being removed",
			Attr{"framework_id", f.id()}, Attr{"task_id", string(id)})
		return
	}
	e := c.newEntry(f, ev)
	switch {
	case c.stopping != nil:
		c.step(e, task.Kill{End: task.End{Message: c.stopping.exit.Why}})
	case ev.Refusal != nil:
		c.step(e, task.Refuse{Why: errs.Text(ev.Refusal)})
	case ev.Task.GetAgentId().GetValue() != c.agentID():
		c.step(e, task.Refuse{Why: fmt.Sprintf("Task is for agent %q, this is %q", ev.Task.GetAgentId().GetValue(), c.agentID())})
	case ev.Executor != nil:
		c.queueTask(e, ev.Executor)
	default:
		c.step(e, task.Start{})
	}
	if x := ev.Executor; x != nil && f.findExecutor(x.Info.GetExecutorId().GetValue()) == nil {
		c.tellExited(f, x.Info.GetExecutorId(), -1) // the master believes that it was started
	}
}

// killTask begins or shortens a kill. A task that is not here was told to the
// master in no Hello either, so that it knows already.
func (c *Core) killTask(m *link.KillTask) {
	e := c.findTask(m.GetFrameworkId(), m.GetTaskId())
	if e == nil {
		c.trace(Warn, "ignored the kill of an unknown task",
			Attr{"framework_id", m.GetFrameworkId().GetValue()}, Attr{"task_id", m.GetTaskId().GetValue()})
		return
	}
	var k task.Kill
	if g := m.GetKillPolicy().GetGracePeriod(); g != nil {
		grace := time.Duration(max(0, g.GetNanoseconds()))
		k.Grace = &grace
	}
	c.step(e, k)
}

// acknowledge takes an update off its stream.
func (c *Core) acknowledge(m *link.Acknowledge) {
	attrs := []Attr{{"framework_id", m.GetFrameworkId().GetValue()}, {"task_id", m.GetTaskId().GetValue()}}
	e := c.findTask(m.GetFrameworkId(), m.GetTaskId())
	if e == nil {
		c.trace(Debug, "ignored the acknowledgement of an unknown task's update", attrs...)
		return
	}
	id, err := updates.ParseUUID(m.GetUuid())
	if err == nil {
		err = e.stream.Ack(id)
	}
	switch {
	case errors.Is(err, errs.Exists):
		c.trace(Debug, "ignored a repeated acknowledgement", attrs...)
	case err != nil:
		c.counters.InvalidUpdates++
		c.trace(Warn, "ignored an acknowledgement", append(attrs, Attr{"err", err.Error()})...)
	default:
		c.counters.ValidUpdates++
		e.changed()
		c.save(e)
		c.retire(e)
	}
}

// shutdownFramework ends a framework's tasks. It owes nobody their updates.
func (c *Core) shutdownFramework(id ids.FrameworkID) {
	c.forgetOperations(id)
	f := c.findFramework(id)
	if f == nil {
		c.trace(Info, "ignored the shutdown of an unknown framework", Attr{"framework_id", string(id)})
		return
	}
	c.trace(Info, "framework shut down", Attr{"framework_id", string(id)})
	f.removed = true
	c.saveFramework(f)
	for _, x := range slices.Clone(f.executors) {
		c.endExecutor(x, min(x.grace(c.cfg), c.cfg.ShutdownGrace), task.End{
			Reason: v1.TaskStatus_REASON_FRAMEWORK_REMOVED.Enum(), Message: "The framework was removed",
		})
	}
	for _, e := range append([]*entry(nil), f.tasks...) {
		if e.executor != nil {
			c.retire(e)
			continue
		}
		c.step(e, c.shutdownKill(e, task.End{
			Reason:  v1.TaskStatus_REASON_FRAMEWORK_REMOVED.Enum(),
			Message: "The framework was removed",
		}))
		c.retire(e)
	}
}

// shutdownKill is a kill with the task's grace, but no more than ShutdownGrace.
func (c *Core) shutdownKill(e *entry, end task.End) task.Kill {
	grace := min(e.grace, c.cfg.ShutdownGrace)
	return task.Kill{Grace: &grace, End: end}
}
