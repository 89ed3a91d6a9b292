package core

import (
	"fmt"

	"mezzo/allocator"
	"mezzo/internal/errs"
)

// setDeactivated is DEACTIVATE_AGENT and REACTIVATE_AGENT. What runs on the
// agent goes on. It is remembered while the agent is unreachable.
func (c *Core) setDeactivated(ev SetDeactivated) error {
	a, ok := c.agents[ev.Agent]
	if !ok {
		return fmt.Errorf("agent %q is not registered: %w", ev.Agent, errs.Invalid)
	}
	if a.Deactivated == ev.On {
		return nil
	}
	a.Deactivated = ev.On
	must(c.alloc.SetHold(a.ID, allocator.HoldDeactivated, ev.On))
	if ev.On {
		c.deactivated[a.ID] = true
		for _, o := range a.sortedOffers() {
			c.rescind(o)
		}
	} else {
		delete(c.deactivated, a.ID)
		c.wantAllocation(a.ID)
	}
	c.trace(Info, "agent deactivated", "agent_id", string(a.ID), "on", fmt.Sprint(ev.On))
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

// hold makes the allocator, which just came to know of a, hold it for all that
// stands against it but its connection.
func (c *Core) hold(a *agent, host string) {
	a.Deactivated = c.deactivated[a.ID]
	must(c.alloc.SetHold(a.ID, allocator.HoldDeactivated, a.Deactivated))
	must(c.alloc.SetHold(a.ID, allocator.HoldUnlisted, !c.lists(host)))
}
