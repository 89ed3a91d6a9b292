package allocator

import (
	"slices"
	"time"

	"mezzo/api/ids"
	"mezzo/resources"
)

// Offer is what a framework is offered of one agent, for one of its roles.
type Offer struct {
	Framework ids.FrameworkID
	Agent     ids.AgentID
	Role      string
	Resources resources.Resources // allocated to Role
}

// Allocate makes offers of what is available on some agents; nil means on all
// of them. What it offers is used from then on, until it is released.
// Unknown agents are passed over: they may have gone in the meantime.
func (a *Allocator) Allocate(now time.Time, agents []ids.AgentID) []Offer {
	a.expire(now)
	var offers []Offer
	for _, g := range a.candidates(agents) {
		if !g.active || g.idle == a.epoch {
			continue
		}
		for {
			c, v := a.pick(g)
			if c == nil {
				break
			}
			offers = append(offers, Offer{c.framework.ID, g.id, c.role.path, a.give(g, c, v)})
		}
		g.idle = a.epoch
	}
	return offers
}

// candidates is the agents to ask, shuffled.
func (a *Allocator) candidates(agents []ids.AgentID) []*agent {
	out := a.order
	if agents != nil {
		out = nil
		for _, id := range slices.Compact(slices.Sorted(slices.Values(agents))) {
			if g := a.agents[id]; g != nil {
				out = append(out, g)
			}
		}
	}
	a.rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// pick finds who is to be offered something of g, and what.
func (a *Allocator) pick(g *agent) (*client, view) {
	if !g.available.IsEmpty() {
		for id := range a.roleOrder.Order() {
			r := a.byID[id]
			for id := range r.order.Order() {
				c := r.clients[id]
				if v := a.view(g, r.path, c.framework.caps); v.fits(c) {
					return c, *v
				}
			}
		}
	}
	return nil, view{}
}

// give lets the client use the view, which is of g.
func (a *Allocator) give(g *agent, c *client, v view) resources.Resources {
	part, had := v.resources.Allocated(c.role.path), g.used[c.framework.ID]
	a.charge(c, v.amount, had)
	a.use(g, c.framework.ID, had.Add(part))
	single := v.resources.NonShared()
	g.taken = g.taken.Add(single)
	left, _ := g.available.Sub(single)
	g.setAvailable(left)
	return part
}
