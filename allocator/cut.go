package allocator

import (
	"slices"
	"strings"

	"mezzo/resources"
	"mezzo/resources/quota"
)

// cut is the part of r, which is of one agent, that a client in a role gets: one
// of so many shares, within the room. A nil room is endless.
func (a *Allocator) cut(r resources.Resources, shares int, in *quota.Room) resources.Resources {
	return r.Trim(func(item resources.Resource) resources.Scalar {
		x := item.Part(shares)
		if in == nil || !counts(&item) {
			return x
		}
		d, depth := a.ledger.Names.Of(item.Name()), 0
		if to := item.ReservedTo(); to != "" {
			depth = 1 + strings.Count(to, "/")
		}
		x = max(0, min(x, in.Of(d, depth)))
		if item.Whole() && x < item.Scalar() {
			return 0
		}
		in.Take(d, depth, x)
		return x
	})
}

// fit is what a client is offered of g if g is split into so many shares;
// nothing if it may not, or does not want to, have it. Who cannot use one share
// is given the part of a smaller number, down to all of it.
func (a *Allocator) fit(g *agent, c *client, shares int, owed bool) resources.Resources {
	v := a.view(g, c.role.path, c.framework.Caps)
	if v.resources.IsEmpty() || !a.admits(g, c) {
		return resources.Resources{}
	}
	for ; ; shares /= 2 {
		part, in := v.resources, a.roomOf(c.role, owed)
		cut := shares > 1 || in != nil
		if cut {
			part = a.cut(part, shares, in)
		}
		if a.fits(v, c, part, cut) {
			return part
		}
		if shares <= 1 {
			return resources.Resources{}
		}
	}
}

// fits tells whether part, of the view, is enough for the client and not
// refused by it. Unless cut it is all of the view.
func (a *Allocator) fits(v *view, c *client, part resources.Resources, cut bool) bool {
	if !cut {
		ok := v.enough
		if c.minima != nil {
			ok = c.minima.MetBy(v.amount)
		}
		return ok && !slices.ContainsFunc(v.refusals, func(r *refusal) bool { return r.clients.Has(c.index) })
	}
	single := part.NonShared()
	return !single.IsEmpty() && a.minima(c).MetBy(single.Quantities()) && !v.agent.refuses(c, part)
}

// refuses tells whether the client refused as much or more of g.
func (g *agent) refuses(c *client, part resources.Resources) bool {
	return slices.ContainsFunc(g.refusals, func(r *refusal) bool {
		return r.clients.Has(c.index) && r.resources.Contains(part)
	})
}

// minima are those that hold for the client.
func (a *Allocator) minima(c *client) resources.Alternatives {
	if c.minima != nil {
		return c.minima
	}
	return a.cfg.MinAllocatable
}
