package core

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/assert"
	"mezzo/resources"
)

// addTask makes f and a know t.
func (c *Core) addTask(f *framework, a *agent, t *Task) {
	f.agents[a.ID] = true
	a.tasks[t.key()] = t
	f.tasks.Set(t.ID, t)
	c.tasks++
	if t.live() {
		a.Used = a.Used.Add(t.Resources)
	}
	c.tell(TaskAdded{t})
}

// replace puts t in the place of what it was made from.
func (c *Core) replace(a *agent, t *Task) {
	a.tasks[t.key()] = t
	c.frameworks[t.Framework].tasks.Set(t.ID, t)
}

// advance applies an update to t and returns what became of it: status is what
// was reported, newest the newest status known. Resources are free as soon as
// that is an end, acknowledged or not.
func (c *Core) advance(a *agent, t *Task, status, newest *v1.TaskStatus) *Task {
	u := t.with(status, newest.GetState())
	if t.live() && !u.live() {
		u.Usage = a.lastUsage(t)
	}
	c.replace(a, u)
	c.tellUpdate(t, u)
	if t.live() && !u.live() {
		f := c.frameworks[t.Framework]
		a.Used = minus(a.Used, t.Resources)
		c.release(f, a, t.Resources, 0)
		c.wantAllocation(a.ID)
		c.countEnd(f, newest)
	}
	if u.State != t.State {
		c.trace(Info, "task state changed", "task_id", string(t.ID), "framework_id", string(t.Framework),
			"agent_id", string(a.ID), "from", t.State.String(), "to", u.State.String(), "reason", reasonText(newest))
	}
	return u
}

// end is the master's own word that t is over: it is told, and forgotten.
func (c *Core) end(a *agent, t *Task, state v1.TaskState, reason v1.TaskStatus_Reason, message string) {
	f := c.frameworks[t.Framework]
	status := c.status(f, t.ID, a.ID, state, reason, message)
	status.ExecutorId = t.Info.ExecutorId
	t = c.advance(a, t, status, status)
	c.forget(a, t)
	c.send(f, updateEvent(status))
}

// forget moves a task that is over to the past.
func (c *Core) forget(a *agent, t *Task) {
	f := c.frameworks[t.Framework]
	delete(a.tasks, t.key())
	delete(a.kills, t.key())
	f.tasks.Delete(t.ID)
	c.tasks--
	f.finished = keep(f.finished, t, c.cfg.MaxCompletedTasks)
	c.noteEmpty(a)
}

// lose moves a task whose agent is unreachable to those that may come back.
func (c *Core) lose(a *agent, t *Task) {
	f := c.frameworks[t.Framework]
	delete(a.tasks, t.key())
	f.tasks.Delete(t.ID)
	c.tasks--
	f.unreachable.put(t.ID, t)
}

// status makes an update of the master's own, which nobody acknowledges.
func (c *Core) status(f *framework, id ids.TaskID, on ids.AgentID, state v1.TaskState, reason v1.TaskStatus_Reason, message string) *v1.TaskStatus {
	s := &v1.TaskStatus{
		TaskId:    id.Proto(),
		State:     f.stateFor(state).Enum(),
		Source:    v1.TaskStatus_SOURCE_MASTER.Enum(),
		Reason:    reason.Enum(),
		Message:   proto.String(message),
		Timestamp: proto.Float64(Seconds(c.now)),
	}
	if on != "" {
		s.AgentId = on.Proto()
	}
	return s
}

// stateFor is state in the words that f knows: without PARTITION_AWARE all that
// is gone or unsure is LOST.
func (f *framework) stateFor(state v1.TaskState) v1.TaskState {
	switch state {
	case v1.TaskState_TASK_DROPPED, v1.TaskState_TASK_UNREACHABLE, v1.TaskState_TASK_GONE,
		v1.TaskState_TASK_GONE_BY_OPERATOR, v1.TaskState_TASK_UNKNOWN:
		if !f.has(v1.FrameworkInfo_Capability_PARTITION_AWARE) {
			return v1.TaskState_TASK_LOST
		}
		return state
	default:
		return state
	}
}

func reasonText(s *v1.TaskStatus) string {
	if s.Reason == nil {
		return ""
	}
	return s.GetReason().String()
}

func (a *agent) sortedTasks() []*Task {
	return slices.SortedFunc(maps.Values(a.tasks), compareTasks)
}

// task is f's task of that id; nil if there is none.
func (f *framework) task(id ids.TaskID) *Task {
	t, _ := f.tasks.Get(id)
	return t
}

func compareTasks(a, b *Task) int {
	if c := cmp.Compare(a.Framework, b.Framework); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

// sortedKeys makes nothing of an empty map: every step asks some.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

// minus takes away what is known to be in r.
func minus(r, part resources.Resources) resources.Resources {
	rest, ok := r.Sub(part)
	assert.That(ok, "%v does not contain %v", r, part)
	return rest
}
