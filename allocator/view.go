package allocator

import "mezzo/resources"

// Caps is what a framework knows to handle, and may be offered.
type Caps uint8

// Caps.
const (
	CapRevocable Caps = 1 << iota // what may be taken back
	CapShared                     // shared volumes
	CapRefined                    // refined reservations
	CapGPU                        // agents with GPUs
	CapRegion                     // agents of other regions
)

// Set adds bit if on.
func (c *Caps) Set(bit Caps, on bool) {
	if on {
		*c |= bit
	}
}

// needs is what a framework must know of to be offered r.
func needs(r resources.Resource) Caps {
	var c Caps
	c.Set(CapRevocable, r.Revocable())
	c.Set(CapShared, r.Shared())
	c.Set(CapRefined, r.Depth() > 1)
	return c
}

// view is what one kind of client may have of an agent: those whose role has
// the same reservations, and who know of the same things.
type view struct {
	agent    *agent
	reserved string // the deepest role reserved to that the client's role is within
	caps     Caps

	resources resources.Resources
	amount    resources.Quantities // of what is not shared
	enough    bool                 // by the Config's minima
	refusals  []*refusal           // that cover all of resources
}

// view finds or makes the view of g for a role and caps.
func (a *Allocator) view(g *agent, role string, has Caps) *view {
	has &= g.matters
	var deepest string
	for _, r := range g.reserved {
		if len(r) > len(deepest) && resources.Within(role, r) {
			deepest = r
		}
	}
	for i := range g.views {
		if v := &g.views[i]; v.caps == has && v.reserved == deepest {
			return v
		}
	}
	v := view{agent: g, reserved: deepest, caps: has, resources: usable(g, g.available, deepest, has)}
	v.amount = g.last.amountOf(v.resources)
	v.enough = a.cfg.MinAllocatable.MetBy(v.amount)
	for _, r := range g.refusals {
		if r.resources.Contains(v.resources) {
			v.refusals = append(v.refusals, r)
		}
	}
	g.views = append(g.views, v)
	return &g.views[len(g.views)-1]
}

// usable is the part of r, which is of g, that a role may have of who has caps:
// nothing if all would be shared.
func usable(g *agent, r resources.Resources, role string, has Caps) resources.Resources {
	if g.matters&^has&(CapGPU|CapRegion) != 0 {
		return resources.Resources{}
	}
	r = r.Filter(func(r resources.Resource) bool { return r.AllocatableTo(role) && needs(r)&^has == 0 })
	if r.NonShared().IsEmpty() {
		return resources.Resources{}
	}
	return r
}

// plain tells whether all clients see the same of g.
func (g *agent) plain() bool { return g.matters == 0 && len(g.reserved) == 0 }
