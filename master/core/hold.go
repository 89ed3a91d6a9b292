package core

import (
	"fmt"

	"mezzo/allocator"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// setDeactivated is DEACTIVATE_AGENT and REACTIVATE_AGENT. What runs on the
// agent goes on. It is remembered while the agent is unreachable.
func (c *Core) setDeactivated(ev SetDeactivated) error {
	if err := c.checkKnown(ev.Agent); err != nil {
		return err
	}
	if !ev.On {
		return c.reactivate(ev.Agent)
	}
	c.deactivate(ev.Agent)
	return nil
}

// checkKnown tells whether an agent is there, or may come back.
func (c *Core) checkKnown(id ids.AgentID) error {
	if _, unreachable := c.unreachable.get(id); c.agents[id] == nil && c.recovered[id] == nil && !unreachable {
		return fmt.Errorf("agent %.300q is not registered: %w", id, errs.Invalid)
	}
	return nil
}

// deactivate takes the offers of an agent back, and makes no more.
func (c *Core) deactivate(id ids.AgentID) {
	c.orders.deactivated[id] = true
	c.touchAgent(id)
	a := c.agents[id]
	if a == nil || a.Deactivated {
		return
	}
	a.Deactivated = true
	must(c.alloc.SetHold(id, allocator.HoldDeactivated, true))
	for _, o := range a.sortedOffers() {
		c.rescind(o)
	}
	c.trace(Info, "agent deactivated", "agent_id", string(id), "on", "true")
}

// reactivate ends deactivation and draining.
func (c *Core) reactivate(id ids.AgentID) error {
	if d := c.orders.draining[id]; d != nil && d.info.GetState() == v1.DrainState_DRAINING {
		return fmt.Errorf("agent %s is still draining: its tasks were asked to end: %w", id, errs.Invalid)
	}
	c.forgetAgent(id)
	a := c.agents[id]
	if a == nil || !a.Deactivated {
		return nil
	}
	c.hold(a, a.Info.GetHostname())
	c.wantAllocation(id)
	c.trace(Info, "agent deactivated", "agent_id", string(id), "on", "false")
	return nil
}

// setWhitelist changes whose agents are offered. What is offered stays so, as
// in Mesos.
func (c *Core) setWhitelist(ev SetWhitelist) {
	c.whitelist = nil
	if !ev.All {
		c.whitelist = map[string]bool{}
		for _, host := range ev.Hosts {
			c.whitelist[host] = true
		}
	}
	for _, id := range sortedKeys(c.agents) {
		must(c.alloc.SetHold(id, allocator.HoldUnlisted, !c.lists(c.agents[id].Info.GetHostname())))
	}
	c.wantAllocation("")
}

func (c *Core) lists(host string) bool { return c.whitelist == nil || c.whitelist[host] }

// hold makes the allocator, which knows a, hold it for all that stands against
// it but its connection.
func (c *Core) hold(a *agent, host string) {
	a.Deactivated = c.orders.deactivated[a.ID]
	a.Drain, a.DrainStarted = c.orders.draining[a.ID].show()
	must(c.alloc.SetHold(a.ID, allocator.HoldDeactivated, a.Deactivated))
	must(c.alloc.SetHold(a.ID, allocator.HoldDraining, a.Drain != nil))
	must(c.alloc.SetHold(a.ID, allocator.HoldUnlisted, !c.lists(host)))
}
