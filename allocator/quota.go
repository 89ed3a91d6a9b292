package allocator

import (
	"fmt"
	"maps"
	"slices"

	"mezzo/internal/errs"
	"mezzo/resources"
	"mezzo/resources/quota"
)

// Quota is what is promised to a role, and what it may not exceed.
type Quota = quota.Quota

// SetQuotas replaces the quota of some roles, all or none; the zero Quota takes
// it away. Without force it refuses what cannot be kept as things are: more
// guaranteed than there is, limits below what is consumed.
//
// Ownership: the quantities are the allocator's from now on.
// Errors: errs.Invalid if a role is no role, or as quota.Check; errs.Conflict,
// with the figures, if force would do it.
func (a *Allocator) SetQuotas(quotas map[string]Quota, force bool) error {
	all, roles := maps.Clone(a.quotas), slices.Sorted(maps.Keys(quotas))
	for _, role := range roles {
		if err := resources.ValidateRole(role); err != nil {
			return fmt.Errorf("set quota: %w", err)
		}
		q := quotas[role]
		if all[role] = &q; q.IsZero() {
			delete(all, role)
		}
	}
	guaranteed, err := quota.Check(all)
	if err == nil && !force {
		err = a.checkFigures(quotas, roles, guaranteed)
	}
	if err != nil {
		return fmt.Errorf("set quota: %w", err)
	}
	a.quotas = all
	for _, role := range roles {
		a.ledger.Set(role, all[role])
	}
	a.epoch++
	return nil
}

// checkFigures tells whether the cluster, as it is, can keep to it.
func (a *Allocator) checkFigures(quotas map[string]Quota, roles []string, guaranteed resources.Quantities) error {
	for _, role := range roles {
		for _, g := range quotas[role].Guarantee {
			if sum, total := guaranteed.Get(g.Name), a.firm.Get(g.Name); sum > total {
				return fmt.Errorf("%v %s would be guaranteed in all, the agents have %v: %w", sum, g.Name, total, errs.Conflict)
			}
		}
		for _, l := range quotas[role].Limit {
			if used := a.Consumed(role).Get(l.Name); used > l.Amount {
				return fmt.Errorf("role %q consumes %v %s, above the limit of %v: %w", role, used, l.Name, l.Amount, errs.Conflict)
			}
		}
	}
	return nil
}

// Consumed is what a role and those below it consume of their quota: what is
// allocated to them, and what is reserved to them and free.
func (a *Allocator) Consumed(role string) resources.Quantities { return a.ledger.Consumed(role) }

// Unmet is what is guaranteed to a role and those below it, and not consumed.
// That of "" is all that has to be kept free.
func (a *Allocator) Unmet(role string) resources.Quantities { return a.ledger.Unmet(role) }

// Free is what is unreserved and unused on agents that may be offered.
func (a *Allocator) Free() resources.Quantities { return a.free.Quantities(a.ledger.Names) }

// Exceeded is a role at or above the given one that consumes more than its
// limit; "" if there is none.
func (a *Allocator) Exceeded(role string) string {
	if r := a.roles[role]; r != nil {
		if at, ok := a.ledger.Reached(r.account, a.Consumed("")); ok && at.Consumed > at.Most {
			return at.Role
		}
	}
	return ""
}

// counts tells whether r is what quota is about.
func counts(r *resources.Resource) bool {
	return r.Kind() == resources.KindScalar && !r.Revocable() && !r.Shared()
}

// stir makes all agents be looked at again where one's change may be another's
// chance.
func (a *Allocator) stir() {
	if !a.ledger.IsEmpty() {
		a.epoch++
	}
}

// consume counts all of r, each to the role that it is allocated to.
func (a *Allocator) consume(r resources.Resources, sign resources.Scalar) {
	a.stir()
	for item := range r.All() {
		if counts(&item) {
			a.ledger.Consume(item.AllocatedTo(), a.ledger.Names.Of(item.Name()), sign*item.Scalar())
		}
	}
}

// reserve is what is reserved and free on one agent.
type reserve struct {
	role   string
	dim    int
	amount resources.Scalar
}

// countFree renews what of g.available is free for all, and what is reserved.
func (a *Allocator) countFree(g *agent) {
	a.stir()
	for _, v := range g.reserves {
		a.ledger.Consume(v.role, v.dim, -v.amount)
	}
	for d, x := range g.free {
		a.free.Add(d, -x)
	}
	g.reserves, g.free = g.reserves[:0], g.free[:0]
	for item := range g.available.All() {
		switch to := item.ReservedTo(); {
		case !counts(&item):
		case to != "":
			v := reserve{to, a.ledger.Names.Of(item.Name()), item.Scalar()}
			g.reserves = append(g.reserves, v)
			a.ledger.Consume(v.role, v.dim, v.amount)
		case g.holds == 0:
			g.free.Add(a.ledger.Names.Of(item.Name()), item.Scalar())
		}
	}
	for d, x := range g.free {
		a.free.Add(d, x)
	}
	roomy := len(g.free) > 0
	for _, q := range a.cfg.MinShare {
		roomy = roomy && g.free.At(a.ledger.Names.Of(q.Name)) >= q.Amount
	}
	switch {
	case roomy && !g.roomy:
		a.roomy++
	case !roomy && g.roomy:
		a.roomy--
	}
	g.roomy = roomy
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
// it. If not, it is passed over for the rest of the cycle.
func (a *Allocator) hasRoom(g *agent, c *client, owed bool) bool {
	room, minima := a.roomOf(c.role, owed), a.minima(c)
	ok := room == nil || !g.plain() || len(minima) == 0 || slices.ContainsFunc(minima, func(q resources.Quantities) bool {
		return !slices.ContainsFunc(q, func(v resources.Quantity) bool { return room.Of(a.ledger.Names.Of(v.Name), 0) < v.Amount })
	})
	if !ok && !owed {
		a.open.Remove(c.index)
	}
	return ok
}
