package core

import (
	"mezzo/agent/task"
	v1 "mezzo/api/mesos/v1"
	"mezzo/resources"
)

// evict ends what runs in a container at once.
func (c *Core) evict(ev Evict) {
	if x := c.executors[ev.Container]; x != nil {
		if !x.usable() || x.group {
			return // it ends already, or is nothing that runs
		}
		c.counters.preempt(ev.End)
		x.life.End = task.ExecutorEnd{Reason: ev.End.Reason, Message: ev.End.Message}
		c.stepExecutor(x, task.ExecutorShutdown, 0)
		return
	}
	e := c.containers[ev.Container]
	if e == nil || e.life.State() != task.Running {
		return
	}
	c.counters.preempt(ev.End)
	if isPreempted(ev.End.Reason) {
		ev.End.State = e.framework.preempted()
	}
	none := span(0)
	c.step(e, task.Kill{Grace: &none, End: ev.End})
}

func isPreempted(r *v1.TaskStatus_Reason) bool {
	return r != nil && *r == v1.TaskStatus_REASON_CONTAINER_PREEMPTED
}

// preempted is the end of f's tasks that gave way to others.
//
// Source: mesos slave/slave.cpp, qosCorrections.
func (f *framework) preempted() v1.TaskState {
	if f.has(v1.FrameworkInfo_Capability_PARTITION_AWARE) {
		return v1.TaskState_TASK_GONE
	}
	return v1.TaskState_TASK_LOST
}

// diskBytes is the disk in what was asked for; 0: none, and so there is no limit.
func diskBytes(list []*v1.Resource) int64 {
	all, err := resources.FromProto(list)
	if err != nil {
		return 0 // the master checked it
	}
	return all.DiskBytes()
}

// diskBytes is the disk of an executor and its tasks, if all of them asked for some.
func (x *executor) diskBytes() int64 {
	sum := diskBytes(x.info.GetResources())
	for _, e := range x.tasks {
		part := diskBytes(e.info.GetResources())
		if part == 0 {
			return 0
		}
		sum += part
	}
	return sum
}
