package agent

import (
	"fmt"
	"iter"

	"mezzo/agent/sandbox"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// held is a container that exists, or that a launch may still make: of a task, or
// of an executor of a framework's own.
type held struct {
	id        ids.ContainerID
	parent    ids.ContainerID // of the executor of its group; empty: none
	framework ids.FrameworkID
	executor  ids.ExecutorID // the task's own id, if no executor has it
	name      string
	limits    isolator.Limits
	status    *v1.ContainerStatus
	run       sandbox.Run // its sandbox
	group     bool        // no process is in it: it is what a group's tasks have in common
}

// held are all containers, and of groups that were seen to use anything theirs.
func (s *snapshot) held() iter.Seq[held] {
	return func(yield func(held) bool) {
		for f, t := range s.containers() {
			if t.Custom {
				continue // its executor's
			}
			h := held{
				id: t.Container, parent: t.Parent, framework: ids.FrameworkID(f.Info.GetId().GetValue()), executor: t.Executor,
				name: t.Info.GetName(), limits: t.Limits, status: statusOfContainer(t), run: runOf(f, t),
			}
			if !yield(h) {
				return
			}
		}
		for _, f := range s.all() {
			for _, x := range f.Executors {
				if !x.Held && (!x.Group || s.usage[x.Container] == nil) {
					continue
				}
				h := held{
					id: x.Container, framework: ids.FrameworkID(f.Info.GetId().GetValue()), executor: ids.ExecutorID(x.Info.GetExecutorId().GetValue()),
					name: x.Info.GetName(), limits: x.Limits, status: &v1.ContainerStatus{ContainerId: x.Container.Proto()}, run: runOfExecutor(f, x), group: x.Group,
				}
				if x.PID > 0 {
					h.status.ExecutorPid = &x.PID
				}
				if !yield(h) {
					return
				}
			}
		}
	}
}

// find returns the container that a reader names: a task's, below its group's
// executor if it is of one, or an executor's own.
//
// Errors: errs.NotFound.
func (s *snapshot) find(id *v1.ContainerID) (held, error) {
	name, up := ids.ContainerID(id.GetValue()), ids.ContainerID(id.GetParent().GetValue())
	if id.GetParent().GetParent() == nil {
		for h := range s.held() {
			if h.id == name && h.parent == up && !h.group {
				return h, nil
			}
		}
	}
	return held{}, fmt.Errorf("container %q: %w", sessionID(id), errs.NotFound)
}

// holds tells whether a container is still there.
func (s *snapshot) holds(id ids.ContainerID) bool {
	for h := range s.held() {
		if h.id == id && !h.group {
			return true
		}
	}
	return false
}
