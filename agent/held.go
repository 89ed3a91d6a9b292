package agent

import (
	"fmt"
	"iter"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/nested"
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
	run       sandbox.Run       // its sandbox
	group     bool              // no process is in it: it is what a group's tasks have in common
	nested    *nested.Container // nil: it is a task's or an executor's
}

// proto is its id with those around it.
func (h held) proto() *v1.ContainerID {
	switch {
	case h.nested != nil:
		return h.nested.ID
	case h.parent != "":
		return &v1.ContainerID{Value: proto.String(string(h.id)), Parent: h.parent.Proto()}
	}
	return h.id.Proto()
}

// sandbox is where its sandbox is.
func (h held) sandbox(workDir string) string {
	if h.nested != nil {
		return filepath.Join(workDir, sandboxOf(*h.nested))
	}
	return h.run.Path(workDir)
}

// shown tells whether it is to be listed. Tasks of groups always are.
func (h held) shown(showNested, showStandalone bool) bool {
	switch {
	case h.nested == nil:
		return true
	case h.nested.Within == "":
		return showStandalone
	}
	return showNested
}

// held are all containers, and those of groups that tasks are in.
func (s *snapshot) held() iter.Seq[held] {
	return func(yield func(held) bool) {
		inUse := make(map[ids.ContainerID]bool) // groups
		for f, t := range s.containers() {
			if t.Custom {
				continue // its executor's
			}
			inUse[t.Parent] = true
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
				if !x.Held && (!x.Group || !inUse[x.Container]) {
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
		for i := range s.nested {
			if n := &s.nested[i]; n.State != nested.Ended && !yield(heldNested(n)) {
				return
			}
		}
	}
}

func heldNested(n *nested.Container) held {
	h := held{
		id: n.Name, framework: n.Framework, executor: n.Executor, name: nested.Path(n.ID), limits: n.Limits,
		status: &v1.ContainerStatus{ContainerId: n.ID}, nested: n,
	}
	if n.PID > 0 {
		h.status.ExecutorPid = &n.PID
	}
	return h
}

// find returns the container that a reader names: a task's, below its group's
// executor if it is of one, an executor's own, a group's, or a nested one.
//
// Errors: errs.NotFound.
func (s *snapshot) find(id *v1.ContainerID) (held, error) {
	for h := range s.held() {
		if nested.Same(h.proto(), id) {
			return h, nil
		}
	}
	return held{}, fmt.Errorf("container %q: %w", nested.Path(id), errs.NotFound)
}

// findProcess is find for containers in which there is a process.
func (s *snapshot) findProcess(id *v1.ContainerID) (held, error) {
	h, err := s.find(id)
	if err == nil && h.group {
		err = fmt.Errorf("container %q is a task group's, only its tasks run: %w", nested.Path(id), errs.NotFound)
	}
	return h, err
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
