package core

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

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
	c.setDrain(ev.Agent, &drain{&v1.DrainInfo{State: v1.DrainState_DRAINING.Enum(), Config: ev.Config}, c.now})
	c.deactivate(ev.Agent)
	c.trace(Info, "agent draining", "agent_id", string(ev.Agent))
	if a := c.agents[ev.Agent]; a != nil {
		c.hold(a, a.Info.GetHostname())
		clear(a.kills)
		c.goOnDraining(a)
	}
	return nil
}

func (c *Core) setDrain(id ids.AgentID, d *drain) {
	c.orders.draining[id] = d
	if a := c.agents[id]; a != nil {
		a.Drain, a.DrainStarted = d.show()
	}
}

// goOnDraining kills the tasks of an agent that is drained and whose end was not
// asked for yet.
func (c *Core) goOnDraining(a *agent) {
	if a.Drain == nil {
		return
	}
	for _, t := range a.sortedTasks() {
		if _, asked := a.kills[t.key()]; !asked && t.live() {
			c.killTask(t, drainPolicy(t, a.Drain.GetConfig().GetMaxGracePeriod()))
		}
	}
	c.noteEmpty(a)
}

// drainPolicy shortens a task's grace to limit; nil leaves it as it is.
func drainPolicy(t *Task, limit *v1.DurationInfo) *v1.KillPolicy {
	own := defaultGrace
	if g := t.Info.GetKillPolicy().GetGracePeriod(); g != nil {
		own = duration(g)
	}
	if limit == nil || own <= duration(limit) {
		return nil
	}
	return &v1.KillPolicy{GracePeriod: limit}
}

// noteEmpty marks an agent of which nothing is left to end. That has its
// consequences at the end of the Step, when all else is settled.
func (c *Core) noteEmpty(a *agent) {
	if a.Drain.GetState() == v1.DrainState_DRAINING && len(a.tasks) == 0 {
		c.emptied = append(c.emptied, a.ID)
	}
}

// finishDrains makes agents DRAINED, or gone, that are still there and empty.
func (c *Core) finishDrains() {
	for _, id := range c.emptied {
		a := c.agents[id]
		if a == nil || a.Drain.GetState() != v1.DrainState_DRAINING || len(a.tasks) > 0 {
			continue
		}
		c.trace(Info, "agent drained", "agent_id", string(id))
		if a.Drain.GetConfig().GetMarkGone() {
			must(c.markGone(id))
			continue
		}
		done := proto.CloneOf(a.Drain)
		done.State = v1.DrainState_DRAINED.Enum()
		c.setDrain(id, &drain{done, a.DrainStarted})
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
	case lost:
		c.unreachable.remove(id)
		c.orders.forget(id)
		c.settle(id, v1.TaskState_TASK_GONE_BY_OPERATOR, "agent "+why)
	default:
		return fmt.Errorf("mark agent gone: agent %.300q: %w", id, errs.NotFound)
	}
	c.orders.gone.put(id, c.now)
	c.trace(Info, "agent gone", "agent_id", string(id))
	return nil
}

func duration(d *v1.DurationInfo) time.Duration { return time.Duration(d.GetNanoseconds()) }
