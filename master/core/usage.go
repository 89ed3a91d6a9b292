package core

import (
	"mezzo/api/ids"
	"mezzo/api/link"
	"mezzo/api/usage"
)

// usage keeps the newest samples. A report of all that runs is kept as it came: each
// agent sends one every second.
func (c *Core) usage(a *agent, u *link.Usage) {
	if u.GetNode() != nil {
		a.Usage = u.GetNode()
	}
	if u.GetAll() {
		a.Sampled = u.GetContainers()
		return
	}
	for _, s := range u.GetContainers() { // what they are of may have ended since
		key := taskOf(s)
		if x := a.executors[executorKey{key.framework, ids.ExecutorID(s.GetExecutorId().GetValue())}]; x != nil && s.ExecutorId != nil {
			sampled := *x
			sampled.Usage = s
			a.executors[x.key()] = &sampled
		}
		if t, ok := a.tasks[key]; ok {
			sampled := *t
			sampled.Usage = s
			c.replace(a, &sampled)
		}
	}
}

func taskOf(s *usage.ContainerUsage) taskKey {
	return taskKey{ids.FrameworkID(s.GetFrameworkId().GetValue()), ids.TaskID(s.GetTaskId().GetValue())}
}

// lastUsage is the newest sample of a task that ends.
func (a *agent) lastUsage(t *Task) *usage.ContainerUsage {
	last := t.Usage
	for _, s := range a.Sampled {
		if taskOf(s) == t.key() {
			last = newer(last, s)
		}
	}
	return last
}

// newer is the one that was taken later; of two at once, the second.
func newer(a, b *usage.ContainerUsage) *usage.ContainerUsage {
	if b == nil || a.GetTimestamp() > b.GetTimestamp() {
		return a
	}
	return b
}

// Usages finds what tasks and executors used when they were sampled last.
type Usages map[ids.AgentID]agentUsages

type agentUsages struct {
	tasks     map[taskKey]*usage.ContainerUsage
	executors map[executorKey]*usage.ContainerUsage
}

// Usages makes an index of all samples.
func (s *Snapshot) Usages() Usages {
	all := make(Usages, len(s.Agents))
	for i := range s.Agents {
		a := &s.Agents[i]
		if len(a.Sampled) == 0 {
			continue
		}
		of := agentUsages{map[taskKey]*usage.ContainerUsage{}, map[executorKey]*usage.ContainerUsage{}}
		for _, c := range a.Sampled {
			of.tasks[taskOf(c)] = c
			if c.ExecutorId != nil {
				of.executors[executorKey{taskOf(c).framework, ids.ExecutorID(c.GetExecutorId().GetValue())}] = c
			}
		}
		all[a.ID] = of
	}
	return all
}

// OfTask is the newest sample of a task, or its last; nil if there was none.
func (u Usages) OfTask(t *Task) *usage.ContainerUsage {
	if !t.live() {
		return t.Usage // another may have its id by now
	}
	return newer(t.Usage, u[t.Agent].tasks[t.key()])
}

// OfExecutor is the newest sample of an executor with all its tasks; nil if there was
// none.
func (u Usages) OfExecutor(x *Executor) *usage.ContainerUsage {
	return newer(x.Usage, u[x.Agent].executors[x.key()])
}
