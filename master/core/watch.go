package core

import (
	"bytes"

	v1 "mezzo/api/mesos/v1"
)

// Watch says whether anybody watches. While that is so, changes are told: what
// the Snapshot of that moment shows and the changes since are what a later one
// shows.
type Watch struct{ On bool }

func (Watch) isEvent() {}

// What changed, for those who watch.
type (
	// TaskAdded tells of a task the core did not know, or knew to be unreachable.
	TaskAdded struct{ Task *Task }

	// TaskUpdated tells of a change in the state of a task, its health, or what
	// else its last status says.
	TaskUpdated struct{ Task *Task }

	// AgentAdded tells of an agent that registered, or came back after it was
	// removed. Its tasks follow.
	AgentAdded struct{ Agent Agent }

	// AgentRemoved tells that an agent is unreachable, or gone.
	AgentRemoved struct{ Agent Agent }

	// FrameworkAdded tells of a framework's first subscription, or of one that
	// only agents know.
	FrameworkAdded struct{ Framework FrameworkView }

	// FrameworkUpdated tells that a framework subscribed, changed its description
	// or lost its stream.
	FrameworkUpdated struct{ Framework FrameworkView }

	// FrameworkRemoved tells that a framework is gone, with its tasks.
	FrameworkRemoved struct{ Info *v1.FrameworkInfo }
)

func (TaskAdded) isEffect()        {}
func (TaskUpdated) isEffect()      {}
func (AgentAdded) isEffect()       {}
func (AgentRemoved) isEffect()     {}
func (FrameworkAdded) isEffect()   {}
func (FrameworkUpdated) isEffect() {}
func (FrameworkRemoved) isEffect() {}

func (c *Core) tell(e Effect) {
	if c.watched {
		c.emit(e)
	}
}

// tellUpdate tells what became of a task, unless that is a
// repetition, or comes behind its end.
func (c *Core) tellUpdate(before, after *Task) {
	if before.State == after.State {
		was, is := before.Latest().GetUuid(), after.Latest().GetUuid()
		if is == nil && terminal(before.State) || is != nil && bytes.Equal(was, is) {
			return
		}
	}
	c.tell(TaskUpdated{after})
}

// tellFramework tells of f. What its tasks hold takes their number of steps.
func (c *Core) tellFramework(f *framework, added bool) {
	switch {
	case !c.watched:
	case added:
		c.emit(FrameworkAdded{c.viewOf(f)})
	default:
		c.emit(FrameworkUpdated{c.viewOf(f)})
	}
}

// viewOf is f with all that belongs to it.
func (c *Core) viewOf(f *framework) FrameworkView {
	v := f.view()
	v.Requests = c.alloc.Requests(f.ID)
	for _, id := range sortedKeys(f.agents) {
		if a := c.agents[id]; a != nil {
			for _, x := range a.sortedExecutors() {
				if x.Framework == f.ID {
					v.Executors = append(v.Executors, x)
				}
			}
		}
	}
	return v
}
