package core

import (
	"fmt"
	"time"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// drain is the emptying of an agent. It is never changed.
type drain struct {
	info  *v1.DrainInfo
	since time.Time
}

// show is what an Agent shows of d, which may be nil.
func (d *drain) show() (*v1.DrainInfo, time.Time) {
	if d == nil {
		return nil, time.Time{}
	}
	return d.info, d.since
}

func drainInfo(state v1.DrainState, config *v1.DrainConfig) *v1.DrainInfo {
	return &v1.DrainInfo{State: state.Enum(), Config: config}
}

// defaultGrace is what a task gets that says nothing of it.
// Source: mesos docs/high-availability-framework-guide.md, KillPolicy.
const defaultGrace = 3 * time.Second

// drainAgent is DRAIN_AGENT: all tasks of the agent are killed and nothing more
// of it is offered, until REACTIVATE_AGENT. It is remembered while the agent is
// unreachable, and goes on once it is back.
//
// Mesos differs: agents of scheduled machines can't be drained there.
func (c *Core) drainAgent(ev DrainAgent) error {
	if err := c.checkKnown(ev.Agent); err != nil {
		return fmt.Errorf("drain agent: %w", err)
	}
	if grace := duration(ev.Config.GetMaxGracePeriod()); grace < 0 {
		return fmt.Errorf("drain agent %s: max_grace_period %v is negative: %w", ev.Agent, grace, errs.Invalid)
	}
	c.setDrain(ev.Agent, &drain{drainInfo(v1.DrainState_DRAINING, ev.Config), c.now})
	c.deactivate(ev.Agent)
	c.trace(Info, "agent draining", "agent_id", string(ev.Agent))
	if a := c.agents[ev.Agent]; a != nil {
		c.hold(a, a.Info.GetHostname())
		c.endTasks(a, true)
	}
	return nil
}

func (c *Core) setDrain(id ids.AgentID, d *drain) {
	c.orders.draining[id] = d
	c.touchAgent(id)
	if a := c.agents[id]; a != nil {
		a.Drain, a.DrainStarted = d.show()
	}
}

// endTasks kills the tasks of an agent that is drained: all, or those whose end
// was not asked for yet.
func (c *Core) endTasks(a *agent, all bool) {
	if a.Drain == nil {
		return
	}
	if a.Drain.GetState() == v1.DrainState_DRAINED && len(a.tasks) > 0 { // it came back with more than was known
		c.setDrain(a.ID, &drain{drainInfo(v1.DrainState_DRAINING, a.Drain.GetConfig()), a.DrainStarted})
	}
	for _, t := range a.sortedTasks() {
		if before, asked := a.kills[t.key()]; t.live() && (all || !asked) {
			c.killTask(t, drainPolicy(t, before, a.Drain.GetConfig().GetMaxGracePeriod()))
		}
	}
	c.noteEmpty(a)
}

// drainPolicy is how to kill t, of which before was asked, within limit. Nil is
// the task's own way.
func drainPolicy(t *Task, before *v1.KillPolicy, limit *v1.DurationInfo) *v1.KillPolicy {
	grace := defaultGrace
	for _, p := range []*v1.KillPolicy{t.Info.GetKillPolicy(), before} {
		if p.GetGracePeriod() != nil {
			grace = duration(p.GetGracePeriod())
		}
	}
	if limit == nil || grace <= duration(limit) {
		return before
	}
	return &v1.KillPolicy{GracePeriod: limit}
}

// empty tells whether a has no tasks, and nobody is to hear of an operation on it.
func (a *agent) empty() bool { return len(a.tasks) == 0 && len(a.operations) == 0 }

// noteEmpty marks an agent of which nothing is left to end. That has its
// consequences at the end of the Step, when all else is settled.
func (c *Core) noteEmpty(a *agent) {
	if a.Drain.GetState() == v1.DrainState_DRAINING && a.empty() {
		c.emptied = append(c.emptied, a.ID)
	}
}

// finishDrains makes agents DRAINED, or gone, that are still there and empty.
func (c *Core) finishDrains() {
	for _, id := range c.emptied {
		a := c.agents[id]
		if a == nil || a.Drain.GetState() != v1.DrainState_DRAINING || !a.empty() {
			continue
		}
		c.trace(Info, "agent drained", "agent_id", string(id))
		if a.Drain.GetConfig().GetMarkGone() {
			must(c.markGone(id))
			continue
		}
		c.setDrain(id, &drain{drainInfo(v1.DrainState_DRAINED, a.Drain.GetConfig()), a.DrainStarted})
	}
	c.emptied = c.emptied[:0]
}

// markGone is MARK_AGENT_GONE: the agent is shut down, now or when it comes back,
// and its tasks are gone with it.
func (c *Core) markGone(id ids.AgentID) error {
	if _, done := c.orders.gone.get(id); done {
		return nil
	}
	const why = "was marked gone"
	a := c.agents[id]
	_, lost := c.unreachable.get(id)
	switch {
	case a != nil:
		c.dismiss(a, why)
	case c.recovered[id] != nil:
		delete(c.recovered, id)
		c.orders.forget(id)
	case lost:
		c.unreachable.remove(id)
		c.orders.forget(id)
		c.settle(id, v1.TaskState_TASK_GONE_BY_OPERATOR, "agent "+why)
	default:
		return fmt.Errorf("mark agent gone: agent %.300q: %w", id, errs.NotFound)
	}
	if old, full := c.orders.gone.put(id, c.now); full {
		c.forgetAgent(old)
	}
	c.touchAgent(id)
	c.trace(Info, "agent gone", "agent_id", string(id))
	return nil
}

func duration(d *v1.DurationInfo) time.Duration { return time.Duration(d.GetNanoseconds()) }
