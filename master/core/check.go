package core

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/resources"
)

// Check verifies the invariants of the package comment. It is for tests: it
// looks at everything.
func (c *Core) Check() error {
	var problems []error
	for _, id := range sortedKeys(c.agents) {
		problems = append(problems, c.checkAgent(c.agents[id]))
	}
	tasks := 0
	for _, id := range sortedKeys(c.frameworks) {
		problems = append(problems, c.checkFramework(c.frameworks[id]))
		tasks += c.frameworks[id].tasks.Len()
	}
	if tasks != c.tasks {
		problems = append(problems, fmt.Errorf("%d tasks are there, %d are counted", tasks, c.tasks))
	}
	for _, id := range sortedKeys(c.offers) {
		o := c.offers[id]
		if o.framework.offers[id] != o || o.agent.offers[id] != o || !o.framework.Connected || !o.agent.Connected {
			problems = append(problems, fmt.Errorf("offer %s hangs in the air", id))
		}
	}
	listening := 0
	for address, agents := range c.addresses {
		for id := range agents {
			if a := c.agents[id]; a == nil || a.Address != address {
				problems = append(problems, fmt.Errorf("agent %s does not listen at %q", id, address))
			}
			listening++
		}
	}
	if listening != len(c.agents) {
		problems = append(problems, fmt.Errorf("%d agents listen, %d are there", listening, len(c.agents)))
	}
	for _, id := range sortedKeys(c.scheduled) {
		if a := c.agents[id]; a != c.scheduled[id] || a.Unavailability == nil {
			problems = append(problems, fmt.Errorf("agent %s is not scheduled, or not there", id))
		}
	}
	problems = append(problems, c.checkOrders())
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
		if f := c.frameworks[key.framework]; f == nil || f.task(key.task) != t || t.Agent != a.ID {
			return fmt.Errorf("task %s of agent %s is unknown to its framework", key.task, a.ID)
		}
		if t.live() {
			used = used.Add(t.Resources)
		}
	}
	for key, x := range a.executors {
		if c.frameworks[key.framework] == nil || x.Agent != a.ID {
			return fmt.Errorf("executor %s of agent %s is of no framework", key.executor, a.ID)
		}
		used = used.Add(x.Resources)
	}
	for _, o := range a.offers {
		offered = offered.Add(o.Resources)
	}
	switch {
	case !used.Equal(a.Used):
		return fmt.Errorf("agent %s uses %v, but its tasks %v", a.ID, a.Used, used)
	case !offered.Equal(a.Offered):
		return fmt.Errorf("agent %s offers %v, but its offers are %v", a.ID, a.Offered, offered)
	case c.overOffered(a) != nil:
		return fmt.Errorf("agent %s has %v, but %v is used and %v offered", a.ID, a.Total, used, offered)
	case a.Deactivated != c.orders.deactivated[a.ID] || a.Deactivated && len(a.offers) > 0:
		return fmt.Errorf("agent %s does not know whether it is deactivated, or is offered", a.ID)
	case a.Drain != nil != (c.orders.draining[a.ID] != nil) || a.Drain != nil && (a.Drain != c.orders.draining[a.ID].info || !a.Deactivated):
		return fmt.Errorf("agent %s does not know whether it is drained", a.ID)
	case a.Drain.GetState() == v1.DrainState_DRAINED && len(a.tasks) > 0:
		return fmt.Errorf("agent %s is drained and has tasks", a.ID)
	case a.Connected != (c.conns[a.conn] == a):
		return fmt.Errorf("agent %s does not know whether it is connected", a.ID)
	}
	return c.checkScheduled(a)
}

// checkScheduled checks what an agent knows of its machine's maintenance.
func (c *Core) checkScheduled(a *agent) error {
	m := c.orders.machineOf(&a.Agent)
	switch {
	case (m != nil) != (a.Unavailability != nil) || m != nil && (m.down || !proto.Equal(m.away, a.Unavailability)):
		return fmt.Errorf("agent %s does not know when it will be away, or should not be there", a.ID)
	case (c.scheduled[a.ID] == a) != (a.Unavailability != nil) || a.Unavailability == nil && len(a.inverse)+len(a.answers) > 0:
		return fmt.Errorf("agent %s is asked to be left, but stays", a.ID)
	}
	for _, o := range a.offers {
		if o.host.Unavailability != a.Unavailability && !proto.Equal(o.host.Unavailability, a.Unavailability) {
			return fmt.Errorf("offer %s does not tell when agent %s will be away", o.ID, a.ID)
		}
	}
	for id, o := range a.inverse {
		if o.Framework != id || o.framework.inverse[o.ID] != o || !o.framework.Connected || !a.Connected || a.answers[id] == nil {
			return fmt.Errorf("inverse offer %s hangs in the air", o.ID)
		}
	}
	for id := range a.answers {
		if c.frameworks[id] == nil {
			return fmt.Errorf("agent %s remembers what framework %s said, which is not there", a.ID, id)
		}
	}
	return nil
}

// checkOrders checks that the schedule and its machines are the same.
func (c *Core) checkOrders() error {
	keys := c.machineKeys()
	if len(keys) != len(c.orders.machines) {
		return fmt.Errorf("%d machines are scheduled, %d are known", len(keys), len(c.orders.machines))
	}
	for _, key := range keys {
		if m := c.orders.machines[key]; m == nil {
			return fmt.Errorf("machine %v is scheduled and not known", key)
		}
	}
	for _, id := range c.orders.gone.order {
		if _, lost := c.unreachable.get(id); lost || c.agents[id] != nil {
			return fmt.Errorf("agent %s is gone and there", id)
		}
	}
	return nil
}

func (c *Core) checkFramework(f *framework) error {
	for id, t := range f.tasks.Scan {
		a := c.agents[t.Agent]
		if a == nil || a.tasks[taskKey{f.ID, id}] != t {
			return fmt.Errorf("task %s of framework %s is unknown to its agent", id, f.ID)
		}
		if _, both := f.unreachable.get(id); both {
			return fmt.Errorf("task %s of framework %s is both there and unreachable", id, f.ID)
		}
	}
	for id, o := range f.inverse {
		if o.ID != id || o.framework != f || o.agent.inverse[f.ID] != o || c.agents[o.Agent] != o.agent {
			return fmt.Errorf("inverse offer %s of framework %s is unknown to its agent", id, f.ID)
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
