package allocator

import (
	"slices"

	"mezzo/resources"
)

// view is what one kind of client may have of an agent: those whose role has
// the same reservations, and who know of the same things.
type view struct {
	reserved string // the deepest role reserved to that the client's role is within
	caps     caps

	resources resources.Resources
	amount    resources.Quantities // of what is not shared
	enough    bool                 // by the Config's minima
	refusals  []*refusal           // that cover all of resources
}

// view finds or makes the view of g for a role and caps.
func (a *Allocator) view(g *agent, role string, has caps) *view {
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
	g.views = append(g.views, a.newView(g, deepest, has))
	return &g.views[len(g.views)-1]
}

func (a *Allocator) newView(g *agent, reserved string, has caps) view {
	v := view{reserved: reserved, caps: has}
	if g.matters&^has&capGPU != 0 && !a.cfg.GPUsForAll {
		return v
	}
	v.resources = g.available.Filter(func(r resources.Resource) bool {
		return r.AllocatableTo(reserved) && needs(r)&^has == 0
	})
	single := v.resources.NonShared()
	if single.IsEmpty() {
		v.resources = single
		return v
	}
	v.amount = single.Quantities()
	v.enough = enough(v.amount, a.cfg.MinAllocatable)
	for _, r := range g.refusals {
		if r.resources.Contains(v.resources) {
			v.refusals = append(v.refusals, r)
		}
	}
	return v
}

// fits tells whether the client may be offered the view.
func (v *view) fits(c *client) bool {
	if v.resources.IsEmpty() {
		return false
	}
	ok := v.enough
	if c.minima != nil {
		ok = enough(v.amount, c.minima)
	}
	return ok && !slices.ContainsFunc(v.refusals, func(r *refusal) bool { return r.clients.has(c.index) })
}

// enough tells whether q has one of the minima; if there are none, it has.
func enough(q resources.Quantities, minima []resources.Quantities) bool {
	return len(minima) == 0 || slices.ContainsFunc(minima, q.Contains)
}
