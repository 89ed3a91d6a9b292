package core

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/task"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
)

// framework is one that has, or had, tasks here.
type framework struct {
	info      *v1.FrameworkInfo
	tasks     []*entry    // live, in order of arrival
	completed []*entry    // the oldest first
	executors []*executor // in order of arrival
	removed   bool        // shut down by the master
	dirty     bool        // in Core.dirtyFrameworks
	forgotten bool        // not kept any more
}

func (f *framework) id() string { return f.info.GetId().GetValue() }

// find returns the live task of that id, or nil.
func (f *framework) find(id ids.TaskID) *entry {
	for _, e := range f.tasks {
		if e.id() == string(id) {
			return e
		}
	}
	return nil
}

// has tells whether the framework asked for a capability.
func (f *framework) has(want v1.FrameworkInfo_Capability_Type) bool {
	return slices.ContainsFunc(f.info.GetCapabilities(), func(c *v1.FrameworkInfo_Capability) bool {
		return c.GetType() == want
	})
}

// findFramework returns the live framework of that id, or nil.
func (c *Core) findFramework(id ids.FrameworkID) *framework {
	for _, f := range c.frameworks {
		if f.id() == string(id) {
			return f
		}
	}
	return nil
}

func (c *Core) findTask(fid *v1.FrameworkID, tid *v1.TaskID) *entry {
	f := c.findFramework(ids.FrameworkID(fid.GetValue()))
	if f == nil {
		return nil
	}
	return f.find(ids.TaskID(tid.GetValue()))
}

// frameworkOf returns the live framework of info, brought up to date; one that
// is past comes to life again with what it completed.
func (c *Core) frameworkOf(info *v1.FrameworkInfo) *framework {
	if f := c.findFramework(ids.FrameworkID(info.GetId().GetValue())); f != nil {
		if !proto.Equal(f.info, info) {
			f.info = info
			c.saveFramework(f)
		}
		return f
	}
	f := &framework{}
	for i, p := range c.past {
		if p.id() == info.GetId().GetValue() {
			f.completed = p.completed
			for _, e := range f.completed {
				e.framework = f
			}
			c.past = slices.Delete(c.past, i, i+1)
			break
		}
	}
	f.info = info
	c.saveFramework(f)
	c.frameworks = append(c.frameworks, f)
	return f
}

// retire moves e to the completed tasks if nothing is owed about it any more.
func (c *Core) retire(e *entry) {
	f := e.framework
	c.overIfDone(e)
	if e.held || !e.stream.Closed() && !f.removed || e.executor != nil && e.life.State() != task.Done || c.containers[e.container] != e {
		return
	}
	c.live = without(c.live, e)
	f.tasks = without(f.tasks, e)
	delete(c.containers, e.container)
	e.completed = c.now
	c.save(e)
	c.complete(e)
	c.passIfIdle(f)
}

// passIfIdle lets a framework pass of which nothing is left.
func (c *Core) passIfIdle(f *framework) {
	if len(f.tasks) == 0 && len(f.executors) == 0 && slices.Contains(c.frameworks, f) {
		c.pass(f)
	}
}

// complete remembers a completed task, and forgets the oldest.
func (c *Core) complete(e *entry) {
	f := e.framework
	f.completed = append(f.completed, e)
	for n := len(f.completed) - c.cfg.MaxCompletedTasksPerFramework; n > 0; n-- {
		c.forget(f.completed[0])
		f.completed = f.completed[1:]
	}
}

func (c *Core) forget(e *entry) {
	e.forgotten = true
	c.save(e)
}

// pass remembers a framework without live tasks, and forgets the oldest.
func (c *Core) pass(f *framework) {
	c.frameworks = without(c.frameworks, f)
	c.past = append(c.past, f)
	for n := len(c.past) - c.cfg.MaxCompletedFrameworks; n > 0; n-- {
		old := c.past[0]
		for _, e := range old.completed {
			c.forget(e)
		}
		old.forgotten = true
		c.saveFramework(old)
		c.past = c.past[1:]
	}
}

// without returns a new list, so that a loop over the old one goes on unharmed.
func without[T comparable](list []T, x T) []T {
	out := make([]T, 0, len(list))
	for _, y := range list {
		if y != x {
			out = append(out, y)
		}
	}
	return out
}
