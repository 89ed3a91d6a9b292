package agent

import (
	"context"
	"iter"
	"maps"

	"mezzo/agent/core"
	"mezzo/agent/meter"
	"mezzo/agent/nested"
	"mezzo/agent/sandbox"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
	"mezzo/resources"
)

// snapshot is what readers see: the agent at one moment. Nothing in it changes.
type snapshot struct {
	*core.View
	usage map[ids.ContainerID]*isolator.Usage // newest samples
	disk  map[ids.ContainerID]diskUse         // measured last
	gc    collection

	nested []nested.Container

	revocable resources.Resources // told to the master
	throttled int                 // containers

	recoveryErrors int
}

// snapshot takes one.
func (l *loop) snapshot(ctx context.Context) (*snapshot, error) {
	return ask(ctx, l, func() *snapshot {
		s := &snapshot{View: l.core.View(), usage: make(map[ids.ContainerID]*isolator.Usage, len(l.containers)), gc: l.gc, disk: l.disk, nested: l.nested.All(), revocable: revocableCPUs(l.over.told), recoveryErrors: l.recoveryErrors}
		for id, c := range l.containers {
			if c.last != nil {
				s.usage[id] = c.last
			}
		}
		maps.Copy(s.usage, l.others)
		if l.over.controller != nil {
			s.throttled = l.over.controller.Throttled()
		}
		return s
	})
}

// statistics are those of a container; nil: none yet.
func (s *snapshot) statistics(id ids.ContainerID, l isolator.Limits) *v1.ResourceStatistics {
	u := s.usage[id]
	if u == nil {
		return nil
	}
	m := meter.Statistics(*u, l)
	if d, ok := s.disk[id]; ok {
		d.addTo(m)
	}
	return m
}

// all are all frameworks, those that are past first.
func (s *snapshot) all() []core.Framework {
	return append(s.Completed[:len(s.Completed):len(s.Completed)], s.Frameworks...)
}

// tasks are all tasks with their frameworks: of each framework the completed
// ones first.
func (s *snapshot) tasks() iter.Seq2[core.Framework, core.Task] {
	return func(yield func(core.Framework, core.Task) bool) {
		for _, f := range s.all() {
			for _, list := range [][]core.Task{f.Completed, f.Tasks} {
				for _, t := range list {
					if !yield(f, t) {
						return
					}
				}
			}
		}
	}
}

// containers are the tasks whose container exists or is being made.
func (s *snapshot) containers() iter.Seq2[core.Framework, core.Task] {
	return func(yield func(core.Framework, core.Task) bool) {
		for f, t := range s.tasks() {
			if t.Held && !yield(f, t) {
				return
			}
		}
	}
}

// runOf names a task's sandbox.
func runOf(f core.Framework, t core.Task) sandbox.Run {
	r := sandbox.Run{
		Agent:     t.Agent,
		Framework: ids.FrameworkID(f.Info.GetId().GetValue()),
		Executor:  t.Executor,
		Container: t.Container,
	}
	if t.Parent != "" {
		r.Container = t.Parent
	}
	if t.Parent != "" && !t.Custom {
		r.Task = ids.TaskID(t.Info.GetTaskId().GetValue())
	}
	return r
}

// runOfExecutor names an executor's sandbox.
func runOfExecutor(f core.Framework, x core.Executor) sandbox.Run {
	return sandbox.Run{
		Agent:     x.Agent,
		Framework: ids.FrameworkID(f.Info.GetId().GetValue()),
		Executor:  ids.ExecutorID(x.Info.GetExecutorId().GetValue()),
		Container: x.Container,
	}
}
