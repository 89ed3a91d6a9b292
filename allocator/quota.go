package allocator

import (
	"fmt"
	"math"
	"slices"

	"mezzo/resources"
	"mezzo/resources/quota"
)

// Quota is what is promised to a role, and what it may not exceed.
type Quota = quota.Quota

// SetQuotas replaces the quota of some roles, all or none, as Ledger.Replace.
//
// Ownership: the quantities are the allocator's from now on.
// Errors: as Ledger.Replace.
func (a *Allocator) SetQuotas(quotas map[string]Quota, force bool) error {
	if err := a.ledger.Replace(quotas, a.firm, force); err != nil {
		return fmt.Errorf("set quota: %w", err)
	}
	a.epoch++
	return nil
}

// Quotas tells what is promised to roles and what they consume: what is allocated
// to them, and what is reserved to them and free. Only SetQuotas changes it.
func (a *Allocator) Quotas() *quota.Ledger { return a.ledger }

// Free is what is unreserved and unused on agents that may be offered.
func (a *Allocator) Free() resources.Quantities { return a.free.Quantities(a.ledger.Names) }

// counts tells whether r is what quota is about.
func counts(r *resources.Resource) bool {
	return r.Kind() == resources.KindScalar && !r.Revocable() && !r.Shared()
}

// consume counts r, which a role uses.
func (a *Allocator) consume(role string, r resources.Resources, sign resources.Scalar) {
	if !a.ledger.IsEmpty() {
		a.epoch++ // one agent's change may be another's chance
	}
	for item := range r.All() {
		if counts(&item) {
			a.ledger.Consume(role, a.ledger.Names.Of(item.Name()), sign*item.Scalar())
		}
	}
}

// count counts what is available on g: what is free for all, in how many parts
// it can be split, and what is reserved, to the role that it is reserved to.
func (a *Allocator) count(g *agent, sign resources.Scalar) {
	if !a.ledger.IsEmpty() {
		a.epoch++ // as above
	}
	if g.parts > 0 {
		a.roomy--
	}
	g.free, g.parts = g.free[:0], 0
	for item := range g.available.All() {
		switch to, d, x := item.ReservedTo(), a.ledger.Names.Of(item.Name()), item.Scalar(); {
		case !counts(&item):
		case to != "":
			a.ledger.Consume(to, d, sign*x)
		case len(g.holds) == 0:
			g.free.Add(d, x)
			a.free.Add(d, sign*x)
		}
	}
	if sign > 0 && len(g.free) > 0 {
		g.parts = math.MaxInt
		for _, q := range a.cfg.MinShare {
			g.parts = min(g.parts, int(g.free.At(a.ledger.Names.Of(q.Name))/q.Amount))
		}
	}
	if g.parts > 0 {
		a.roomy++
	}
}

// roomOf is the room of a role, endless if nil, until the next call. If owed is
// set there is none beyond what is guaranteed to it and unmet.
func (a *Allocator) roomOf(r *role, owed bool) *quota.Room {
	if !a.ledger.Bounds(r.account) {
		return nil
	}
	a.room.Measure(a.ledger, r.account, a.free, owed)
	return &a.room
}

// hasRoom tells whether quota leaves the client room for what is the least for
// it.
func (a *Allocator) hasRoom(g *agent, c *client, owed bool) bool {
	room, minima := a.roomOf(c.role, owed), a.minima(c)
	return room == nil || !g.plain() || len(minima) == 0 || slices.ContainsFunc(minima, func(q resources.Quantities) bool {
		return !slices.ContainsFunc(q, func(v resources.Quantity) bool { return room.Of(a.ledger.Names.Of(v.Name), 0) < v.Amount })
	})
}
