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

// stage is a part of a cycle.
type stage int

const (
	guarantees stage = iota // to roles whose guarantees are unmet, up to these
	fair                    // to all
)

// Allocate makes offers of what is available on some agents; nil means on all
// of them. What it offers is used from then on, until it is released.
// Unknown agents are passed over: they may have gone in the meantime.
func (a *Allocator) Allocate(now time.Time, agents []ids.AgentID) []Offer {
	a.expire(now)
	a.cycle++
	if a.split = 1; !a.cfg.WholeAgents && a.roomy > 0 {
		a.split = max(1, (a.waiting+a.roomy-1)/a.roomy)
	}
	list := a.candidates(agents)
	var offers []Offer
	for st := guarantees; st <= fair; st++ {
		if st == guarantees && a.root.unmet.zero() {
			continue
		}
		a.openFor(st)
		for _, g := range list {
			offers = a.serve(offers, g, st)
		}
	}
	if a.asking > 0 {
		for i := range offers {
			a.answer(a.frameworks[offers[i].Framework], &offers[i])
		}
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

// openFor makes a.open the clients that may be offered what is unreserved in
// the stage. In its course those are taken out that quota leaves no room.
func (a *Allocator) openFor(st stage) {
	a.open = append(a.open[:0], a.active...)
	if st == guarantees {
		for _, r := range a.roles {
			if !a.owed(r.budget) {
				a.shut(r)
			}
		}
	}
}

// owed tells whether something that is guaranteed to b, or above it, is unmet.
func (a *Allocator) owed(b *budget) bool {
	for d := range a.names {
		if b.due(d) > 0 {
			return true
		}
	}
	return false
}

func (a *Allocator) shut(r *role) {
	for _, c := range r.clients {
		if c != nil {
			a.open.clear(c.index)
		}
	}
}

// serve offers all of g that somebody may have and wants.
func (a *Allocator) serve(offers []Offer, g *agent, st stage) []Offer {
	if g.holds != 0 || g.idle == a.epoch || st == guarantees && a.root.unmet.zero() {
		return offers
	}
	shares := a.shares(g, st)
	for {
		c, part := a.pick(g, shares, st)
		if c == nil {
			break
		}
		offers = a.give(offers, g, c, part)
		shares = max(1, shares-1)
	}
	if st == fair {
		g.idle = a.epoch
	}
	return offers
}

// shares is how many parts g is offered in: so many that everybody who waits
// gets one, on all agents together, none too small.
func (a *Allocator) shares(g *agent, st stage) int {
	n := a.split
	if n == 1 || st == guarantees || !g.roomy {
		return 1
	}
	for _, q := range a.cfg.MinShare {
		n = min(n, int(g.free.at(a.names.of(q.Name))/q.Amount))
	}
	return max(1, min(n, a.wants(g).count()))
}

// wants is the clients that may be eligible for g: all that are, and more.
func (a *Allocator) wants(g *agent) bitset {
	from := a.active
	if g.plain() {
		from = a.open
	}
	a.wanting = append(a.wanting[:0], from...)
	if g.plain() {
		v := a.view(g, "", 0)
		if v.resources.IsEmpty() {
			return nil
		}
		for _, r := range v.refusals {
			a.wanting.remove(r.clients)
		}
	}
	for _, n := range a.constraints {
		if !g.takes(n) {
			a.wanting.remove(n.clients)
		}
	}
	return a.wanting
}

// pick finds who is to be offered something of g, and what.
func (a *Allocator) pick(g *agent, shares int, st stage) (*client, resources.Resources) {
	if g.available.IsEmpty() {
		return nil, resources.Resources{}
	}
	want := a.wants(g)
	if want.empty() {
		return nil, resources.Resources{}
	}
	for id := range a.roleOrder.Order() {
		r := a.byID[id]
		if st == guarantees && !a.owed(r.budget) {
			a.shut(r)
			continue
		}
		for id := range r.order.Order() {
			c := r.clients[id]
			if !want.has(c.index) || !a.hasRoom(g, c, st) {
				continue
			}
			if part := a.fit(g, c, shares, st); !part.IsEmpty() {
				return a.prefer(g, c, part, st)
			}
		}
	}
	return nil, resources.Resources{}
}

// hasRoom tells whether quota leaves the client room for what is the least for
// it. If not, it is passed over until the next stage.
func (a *Allocator) hasRoom(g *agent, c *client, st stage) bool {
	if !g.plain() || !a.bounded(c.role.budget) {
		return true
	}
	in := a.roomOf(c.role.budget, st == guarantees)
	minima := a.minima(c)
	ok := len(minima) == 0 || slices.ContainsFunc(minima, func(q resources.Quantities) bool {
		return !slices.ContainsFunc(q, func(v resources.Quantity) bool { return in.of(a.names.of(v.Name), 0) < v.Amount })
	})
	if !ok {
		a.open.clear(c.index)
	}
	return ok
}

// prefer is c, who is first to be offered part of g; or one who is due the same
// and asked for what g has. Who asked gets that much if others wait too.
func (a *Allocator) prefer(g *agent, c *client, part resources.Resources, st stage) (*client, resources.Resources) {
	if a.asking == 0 {
		return c, part
	}
	others := a.wanting.count() > 1
	for id := range a.roleOrder.Order() {
		r := a.byID[id]
		if !a.roleOrder.Tied(id, c.role.id) {
			continue
		}
		var first *client
		for id := range r.order.Order() {
			n := r.clients[id]
			if first != nil && !r.order.Tied(id, first.id) {
				break
			}
			all := resources.Resources{}
			if a.wanting.has(n.index) && (n == c || first == nil || len(n.framework.requests) > 0) {
				all = a.fit(g, n, 1, st)
			}
			if all.IsEmpty() {
				continue
			}
			if first == nil {
				first = n
			}
			if asked := a.asked(g, n, all); !asked.IsEmpty() && !others {
				return n, all
			} else if !asked.IsEmpty() {
				return n, asked
			}
		}
	}
	return c, part
}

// give lets the client use part of g. Two parts for one are one offer.
func (a *Allocator) give(offers []Offer, g *agent, c *client, part resources.Resources) []Offer {
	if g.cycle != a.cycle {
		g.cycle, g.made = a.cycle, g.made[:0]
	}
	i := slices.IndexFunc(g.made, func(i int) bool {
		return offers[i].Framework == c.framework.ID && offers[i].Role == c.role.path
	})
	if i >= 0 {
		part = part.NonShared() // it has the shared already
	}
	given, single, had := part.Allocated(c.role.path), part.NonShared(), g.used[c.framework.ID]
	a.charge(c, single.Quantities(), had)
	a.use(g, c.framework.ID, had.Add(given))
	a.consumeAllocated(given, 1)
	g.taken = g.taken.Add(single)
	left, _ := g.available.Sub(single)
	a.setAvailable(g, left)
	if i >= 0 {
		o := &offers[g.made[i]]
		o.Resources = o.Resources.Add(given)
		return offers
	}
	g.made = append(g.made, len(offers))
	return append(offers, Offer{c.framework.ID, g.ID, c.role.path, given})
}
