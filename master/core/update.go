package core

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

// uuidBytes is the length of an update's id.
const uuidBytes = 16

// statusUpdate takes what an agent reports of a task. The agent repeats it until
// the framework acknowledged it, so one that can't be passed on is dropped.
func (c *Core) statusUpdate(a *agent, u *link.StatusUpdate) {
	c.counts[MessagesStatusUpdate]++
	id := ids.FrameworkID(u.GetFrameworkId().GetValue())
	status := u.GetStatus()
	newest := status
	if u.GetLatest() != nil {
		newest = u.GetLatest()
	}
	if len(status.GetUuid()) != uuidBytes || !agentKnows(status.GetState()) || !agentKnows(newest.GetState()) {
		c.counts[InvalidStatusUpdates]++
		c.trace(Warn, "status update without sense ignored", "agent_id", string(a.ID), "task_id", status.GetTaskId().GetValue())
		return
	}
	status, newest = a.drained(status), a.drained(newest)
	if _, removed := c.completed.get(id); removed {
		c.acknowledge(a, id, status.GetTaskId(), status.GetUuid())
		return
	}
	f, ok := c.frameworks[id]
	if !ok {
		c.counts[InvalidStatusUpdates]++
		return
	}
	t, known := a.tasks[taskKey{id, ids.TaskID(status.GetTaskId().GetValue())}]
	if known {
		t = c.advance(a, t, status, newest)
	}
	if !f.Connected || !known {
		c.counts[InvalidStatusUpdates]++
	} else {
		c.counts[ValidStatusUpdates]++
	}
	if f.Connected {
		c.forward(f, a, t, status)
	}
}

// drained gives the end of a task on an agent that is drained its reason, as far
// as it has none.
//
// Source: mesos slave/slave.cpp, where it is the agent's to give.
func (a *agent) drained(s *v1.TaskStatus) *v1.TaskStatus {
	if a.Drain.GetState() != v1.DrainState_DRAINING || s.GetState() != v1.TaskState_TASK_KILLED || s.Reason != nil {
		return s
	}
	s = proto.CloneOf(s)
	s.Reason = v1.TaskStatus_REASON_AGENT_DRAINING.Enum()
	return s
}

// agentKnows tells whether s is a state that an agent can see a task in.
func agentKnows(s v1.TaskState) bool {
	return terminal(s) || holds(s) && s != v1.TaskState_TASK_UNKNOWN
}

// forward passes an agent's update on; t is nil for a task the master forgot.
func (c *Core) forward(f *framework, a *agent, t *Task, status *v1.TaskStatus) {
	if t != nil {
		told := *t
		told.Told, told.ToldUUID = status.GetState(), status.GetUuid()
		c.replace(a, &told)
	}
	out := proto.CloneOf(status)
	out.State = f.stateFor(status.GetState()).Enum()
	out.AgentId = a.ID.Proto()
	if out.Timestamp == nil {
		out.Timestamp = proto.Float64(Seconds(c.now))
	}
	c.send(f, updateEvent(out))
}

// acknowledged is the ACKNOWLEDGE call. A task is over once its last update came
// to be known.
func (c *Core) acknowledged(f *framework, call *scheduler.Call_Acknowledge) {
	c.counts[MessagesStatusUpdateAcknowledgement]++
	a, ok := c.agents[ids.AgentID(call.GetAgentId().GetValue())]
	if !ok || !a.Connected {
		c.counts[InvalidStatusUpdateAcknowledgements]++
		return // the agent repeats the update once it is back
	}
	if t, ok := a.tasks[taskKey{f.ID, ids.TaskID(call.GetTaskId().GetValue())}]; ok {
		if t.ToldUUID == nil {
			c.counts[InvalidStatusUpdateAcknowledgements]++
			return
		}
		if terminal(t.Told) && bytes.Equal(t.ToldUUID, call.GetUuid()) {
			c.forget(a, t)
		}
	}
	c.counts[ValidStatusUpdateAcknowledgements]++
	c.acknowledge(a, f.ID, call.GetTaskId(), call.GetUuid())
}

func (c *Core) acknowledge(a *agent, f ids.FrameworkID, t *v1.TaskID, uuid []byte) {
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_Acknowledge{Acknowledge: &link.Acknowledge{
		FrameworkId: f.Proto(),
		TaskId:      t,
		Uuid:        uuid,
	}}})
}
