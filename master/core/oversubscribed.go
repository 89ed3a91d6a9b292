package core

import (
	"fmt"
	"slices"

	"mezzo/api/link"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// oversubscribed takes what an agent has of revocable resources from now on. If
// that is less, offers that exceed it are taken back, the newest first; what
// tasks use is the agent's to take away.
//
// Mesos differs: it takes back all offers of the agent with revocable resources,
// however much of them there is.
func (c *Core) oversubscribed(a *agent, m *link.Oversubscribed) {
	c.counts[MessagesUpdateAgent]++
	revocable, err := resources.FromProto(m.GetResources())
	if rest := revocable.NonRevocable(); err == nil && !rest.IsEmpty() {
		err = fmt.Errorf("%v is not revocable: %w", rest, errs.Invalid)
	}
	total := a.Total.NonRevocable().Add(revocable)
	if err == nil {
		err = c.alloc.UpdateAgent(agentToAllocator(a.ID, a.Info, total))
	}
	if err != nil {
		c.trace(Warn, "revocable resources ignored", "agent_id", string(a.ID), "err", errs.Text(err))
		return
	}
	a.Total = total
	for o := c.overOffered(a); o != nil; o = c.overOffered(a) {
		c.rescind(o)
	}
	c.wantAllocation(a.ID)
}

// overOffered is the newest offer of something of which more is used and offered
// than there is; nil if there is none.
func (c *Core) overOffered(a *agent) *offer {
	over := c.alloc.Overdrawn(a.ID)
	if over.IsEmpty() {
		return nil
	}
	for _, o := range slices.Backward(a.sortedOffers()) {
		if part := o.Resources.NonShared().Unallocated(); !part.Minus(over).Equal(part) {
			return o
		}
	}
	return nil
}
