package core

import (
	"errors"
	"fmt"

	"mezzo/resources"
)

// Check verifies the invariants of the package comment. It is for tests: it
// looks at everything.
func (c *Core) Check() error {
	var problems []error
	for _, id := range sortedKeys(c.agents) {
		problems = append(problems, c.checkAgent(c.agents[id]))
	}
	for _, id := range sortedKeys(c.frameworks) {
		problems = append(problems, c.checkFramework(c.frameworks[id]))
	}
	for _, id := range sortedKeys(c.offers) {
		o := c.offers[id]
		if o.framework.offers[id] != o || o.agent.offers[id] != o || !o.framework.Connected || !o.agent.Connected {
			problems = append(problems, fmt.Errorf("offer %s hangs in the air", id))
		}
	}
	for s, f := range c.streams {
		if f.stream != s || c.frameworks[f.ID] != f {
			problems = append(problems, fmt.Errorf("stream %s is not that of framework %s", s, f.ID))
		}
	}
	for n, a := range c.conns {
		if a.conn != n || !a.Connected || c.agents[a.ID] != a {
			problems = append(problems, fmt.Errorf("connection %d is not that of agent %s", n, a.ID))
		}
	}
	return errors.Join(append(problems, c.alloc.Check())...)
}

func (c *Core) checkAgent(a *agent) error {
	var used, offered resources.Resources
	for key, t := range a.tasks {
		if f := c.frameworks[key.framework]; f == nil || f.tasks[key.task] != t || t.Agent != a.ID {
			return fmt.Errorf("task %s of agent %s is unknown to its framework", key.task, a.ID)
		}
		if t.live() {
			used = used.Add(t.Resources)
		}
	}
	for _, o := range a.offers {
		offered = offered.Add(o.Resources)
	}
	switch {
	case !used.Equal(a.Used):
		return fmt.Errorf("agent %s uses %v, but its tasks %v", a.ID, a.Used, used)
	case !offered.Equal(a.Offered):
		return fmt.Errorf("agent %s offers %v, but its offers are %v", a.ID, a.Offered, offered)
	case !a.Total.Contains(used.Add(offered).Unallocated()) && !offered.IsEmpty():
		return fmt.Errorf("agent %s has %v, but %v is used and %v offered", a.ID, a.Total, used, offered)
	case a.Deactivated != c.deactivated[a.ID] || a.Deactivated && len(a.offers) > 0:
		return fmt.Errorf("agent %s does not know whether it is deactivated, or is offered", a.ID)
	case a.Connected != (c.conns[a.conn] == a):
		return fmt.Errorf("agent %s does not know whether it is connected", a.ID)
	}
	return nil
}

func (c *Core) checkFramework(f *framework) error {
	for id, t := range f.tasks {
		a := c.agents[t.Agent]
		if a == nil || a.tasks[taskKey{f.ID, id}] != t {
			return fmt.Errorf("task %s of framework %s is unknown to its agent", id, f.ID)
		}
		if _, both := f.unreachable.get(id); both {
			return fmt.Errorf("task %s of framework %s is both there and unreachable", id, f.ID)
		}
	}
	switch {
	case f.Connected != (c.streams[f.stream] == f):
		return fmt.Errorf("framework %s does not know whether it is connected", f.ID)
	case len(f.finished) > c.cfg.MaxCompletedTasks || len(f.unreachable.order) > c.cfg.MaxUnreachableTasks:
		return fmt.Errorf("framework %s remembers too much", f.ID)
	}
	return nil
}
