package allocator

import (
	"slices"
	"time"

	"mezzo/api/ids"
	"mezzo/internal/bitset"
	"mezzo/resources"
	"mezzo/resources/quota"
)

// Offer is what a framework is offered of one agent, for one of its roles.
type Offer struct {
	Framework ids.FrameworkID
	Agent     ids.AgentID
	Role      string
	Resources resources.Resources // allocated to Role
}

// cycle is what lasts for one Allocate.
type cycle struct {
	offers []Offer
	split  int        // parts that an agent is offered in, at most
	open   bitset.Set // active clients that quota may leave room for
	rested []*client  // out of the order as long as one pass goes on
	want   bitset.Set // of one agent, in one pick
	room   quota.Room // of one role
	seek   seek
}

// Allocate makes offers of what is available on some agents; nil means on all
// of them. What it offers is used from then on, until it is released.
// Unknown agents are passed over: they may have gone in the meantime.
func (a *Allocator) Allocate(now time.Time, agents []ids.AgentID) []Offer {
	a.expire(now)
	a.offers, a.split = make([]Offer, 0, len(a.offers)), 1
	if !a.cfg.WholeAgents && a.roomy > 0 {
		a.split = (a.active.Len() + a.roomy - 1) / a.roomy
	}
	list := a.candidates(agents)
	if !a.ledger.Met() {
		a.pass(list, true)
	}
	a.pass(list, false)
	if a.asking > 0 {
		for i := range a.offers {
			a.answer(&a.offers[i])
		}
	}
	return a.offers
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
	for _, g := range out {
		g.made = g.made[:0]
	}
	a.rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// pass serves each agent once.
func (a *Allocator) pass(list []*agent, owed bool) {
	a.wake()
	for _, g := range list {
		a.serve(g, owed)
	}
	a.wake()
}

// rest passes over c until wake.
func (a *Allocator) rest(c *client) {
	a.open.Remove(c.index)
	a.enlist(c, false)
	a.rested = append(a.rested, c)
}

func (a *Allocator) wake() {
	for _, c := range a.rested {
		a.enlist(c, true)
	}
	a.rested = a.rested[:0]
	a.open = append(a.open[:0], a.active...)
}

// serve offers all of g that somebody may have and wants. If owed is set, only
// roles count whose guarantees are unmet, and what is guaranteed to them.
func (a *Allocator) serve(g *agent, owed bool) {
	if len(g.holds) > 0 || g.idle == a.epoch || owed && a.ledger.Met() {
		return
	}
	if !g.plain() && len(a.rested) > 0 {
		a.wake() // what is reserved for them needs no room
	}
	for shares := a.shares(g, owed); ; shares = max(1, shares-1) {
		c, part := a.pick(g, shares, owed)
		if c == nil {
			break
		}
		a.give(g, c, part)
	}
	if !owed {
		g.idle = a.epoch
	}
}

// shares is how many parts g is offered in: so many that everybody who waits
// gets one, on all agents together, none too small.
func (a *Allocator) shares(g *agent, owed bool) int {
	if owed || a.split <= 1 || g.parts <= 1 {
		return 1
	}
	return max(1, min(a.split, a.wants(g).Len(), g.parts))
}

// wants is the clients that may be eligible for g: all that are, and more.
func (a *Allocator) wants(g *agent) bitset.Set {
	if !g.plain() {
		a.want = append(a.want[:0], a.active...)
	} else if v := a.view(g, "", 0); v.resources.IsEmpty() {
		return nil
	} else {
		a.want = append(a.want[:0], a.open...)
		for _, r := range v.refusals {
			a.want.RemoveAll(r.clients)
		}
	}
	for _, n := range a.constraints {
		if !g.takes(n) {
			a.want.RemoveAll(n.clients)
		}
	}
	return a.want
}

// seek is one search for who is to be offered something of an agent, and what.
type seek struct {
	agent  *agent
	shares int
	owed   bool
	tired  []*client // to be rested
	client *client
	part   resources.Resources
}

// pick finds who is to be offered something of g, and what.
func (a *Allocator) pick(g *agent, shares int, owed bool) (*client, resources.Resources) {
	if g.spent || a.wants(g).IsEmpty() {
		return nil, resources.Resources{}
	}
	a.seek = seek{agent: g, shares: shares, owed: owed, tired: a.seek.tired[:0]}
	a.roleOrder.Order()(a.tryRole)
	for _, c := range a.seek.tired {
		a.rest(c)
	}
	if a.asking > 0 && !owed && a.seek.client != nil {
		return a.prefer(g, a.seek.client, a.seek.part)
	}
	return a.seek.client, a.seek.part
}

// try tells whether to search on after c.
func (a *Allocator) try(c *client) bool {
	s := &a.seek
	switch {
	case !a.want.Has(c.index):
	case s.owed && !a.ledger.Owed(c.role.account) || !a.hasRoom(s.agent, c, s.owed):
		s.tired = append(s.tired, c)
	default:
		if s.part = a.fit(s.agent, c, s.shares, s.owed); !s.part.IsEmpty() {
			s.client = c
			return false
		}
	}
	return true
}

// gift is a part and what follows from it, kept since the next is often the same.
type gift struct {
	role        string
	part, given resources.Resources
	amount      resources.Quantities // of what is not shared
}

func (l *gift) amountOf(part resources.Resources) resources.Quantities {
	if l.part.Equal(part) {
		return l.amount
	}
	return part.NonShared().Quantities()
}

// give lets the client use part of g. Two parts for one are one offer.
func (a *Allocator) give(g *agent, c *client, part resources.Resources) {
	i := slices.IndexFunc(g.made, func(i int) bool {
		return a.offers[i].Framework == c.framework.ID && a.offers[i].Role == c.role.path
	})
	if i >= 0 {
		part = part.NonShared() // it has the shared already
	}
	if g.last.role != c.role.path || !g.last.part.Equal(part) {
		g.last = gift{c.role.path, part, part.Allocated(c.role.path), g.last.amountOf(part)}
	}
	given, single, had := g.last.given, part.NonShared(), g.used[c.framework.ID]
	a.charge(c, g.last.amount, had)
	a.use(g, c.framework.ID, had.Add(given))
	a.consume(c.role.path, part, 1)
	g.taken = g.taken.Add(single)
	left, _ := g.available.Sub(single)
	a.setAvailable(g, left)
	if i >= 0 {
		o := &a.offers[g.made[i]]
		o.Resources = o.Resources.Add(given)
		return
	}
	g.made = append(g.made, len(a.offers))
	a.offers = append(a.offers, Offer{c.framework.ID, g.ID, c.role.path, given})
}
