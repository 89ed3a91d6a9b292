package allocator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mezzo/internal/errs"
	"mezzo/resources"
)

// Quota is what is promised to a role, with the roles below it, and what they
// may not exceed. Revocable resources count for neither.
type Quota struct {
	// Guarantee is kept free for the role while it consumes less.
	Guarantee resources.Quantities
	// Limit is the most that it may consume. Unlike elsewhere an amount of 0
	// counts: what is not named is not limited.
	Limit resources.Quantities
}

func (q *Quota) isZero() bool { return len(q.Guarantee) == 0 && len(q.Limit) == 0 }

// limit is the limit of name.
func (q *Quota) limit(name string) (resources.Scalar, bool) {
	i := slices.IndexFunc(q.Limit, func(l resources.Quantity) bool { return l.Name == name })
	if i < 0 {
		return 0, false
	}
	return q.Limit[i].Amount, true
}

// SetQuotas replaces the quota of some roles, all or none; the zero Quota takes
// it away. Without force it refuses what cannot be kept as things are: more
// guaranteed than there is, limits below what is consumed.
//
// Ownership: the quantities are the allocator's from now on.
// Errors: errs.Invalid naming the roles and figures: a guarantee above a limit,
// also of roles below against one above; a limit above that of a role above;
// errs.Conflict if force would do it.
func (a *Allocator) SetQuotas(quotas map[string]Quota, force bool) error {
	all := maps.Clone(a.quotas)
	for _, role := range slices.Sorted(maps.Keys(quotas)) {
		if err := resources.ValidateRole(role); err != nil {
			return fmt.Errorf("set quota: %w", err)
		}
		if q := quotas[role]; q.isZero() {
			delete(all, role)
		} else {
			all[role] = &q
		}
	}
	guaranteed, err := checkQuotas(all)
	if err == nil && !force {
		err = a.checkFigures(quotas, guaranteed)
	}
	if err != nil {
		return fmt.Errorf("set quota: %w", err)
	}
	a.quotas = all
	for role := range quotas {
		a.applyQuota(role)
	}
	a.epoch++
	return nil
}

// checkQuotas tells whether all fit together, and how much is guaranteed.
func checkQuotas(all map[string]*Quota) (resources.Quantities, error) {
	below := map[string]resources.Quantities{} // guaranteed to the roles below
	paths := slices.Sorted(maps.Keys(all))
	for _, role := range slices.Backward(paths) {
		q := all[role]
		needs := q.Guarantee.Max(below[role])
		for _, l := range q.Limit {
			if n := needs.Get(l.Name); n > l.Amount {
				return nil, fmt.Errorf("role %q, with those below it, is guaranteed %v %s, above its limit of %v: %w", role, n, l.Name, l.Amount, errs.Invalid)
			}
		}
		above := parentOf(role)
		for ; above != "" && all[above] == nil; above = parentOf(above) {
		}
		below[above] = below[above].Add(needs)
		for up := above; up != ""; up = parentOf(up) {
			if all[up] == nil {
				continue
			}
			for _, l := range q.Limit {
				if most, ok := all[up].limit(l.Name); ok && l.Amount > most {
					return nil, fmt.Errorf("limit of %v %s for role %q is above that of role %q, %v: %w", l.Amount, l.Name, role, up, most, errs.Invalid)
				}
			}
		}
	}
	return below[""], nil
}

// checkFigures tells whether the cluster, as it is, can keep to it.
func (a *Allocator) checkFigures(quotas map[string]Quota, guaranteed resources.Quantities) error {
	for _, q := range guaranteed {
		total := a.firm.Get(q.Name)
		raises := slices.ContainsFunc(slices.Collect(maps.Values(quotas)), func(n Quota) bool { return n.Guarantee.Get(q.Name) > 0 })
		if raises && q.Amount > total {
			return fmt.Errorf("%v %s would be guaranteed in all, the agents have %v: %w", q.Amount, q.Name, total, errs.Conflict)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(quotas)) {
		for _, l := range quotas[role].Limit {
			if used := a.Consumed(role).Get(l.Name); used > l.Amount {
				return fmt.Errorf("role %q consumes %v %s, above the limit of %v: %w", role, used, l.Name, l.Amount, errs.Conflict)
			}
		}
	}
	return nil
}

func parentOf(role string) string { return role[:max(0, strings.LastIndexByte(role, '/'))] }

// applyQuota makes the budget of a role what a.quotas says.
func (a *Allocator) applyQuota(role string) {
	b := a.budget(role)
	b.quota = a.quotas[role]
	b.guarantee, b.limit = nil, nil
	if b.quota != nil {
		for _, q := range b.quota.Guarantee {
			b.guarantee.Add(a.names.Of(q.Name), q.Amount)
		}
		for _, q := range b.quota.Limit {
			d := a.names.Of(q.Name)
			for len(b.limit) <= d {
				b.limit = append(b.limit, noLimit)
			}
			b.limit[d] = q.Amount
		}
	}
	for d := range a.names {
		b.settle(d)
	}
	a.pruneBudget(b)
}

// Quota is the quota of a role.
func (a *Allocator) Quota(role string) (Quota, bool) {
	if q := a.quotas[role]; q != nil {
		return *q, true
	}
	return Quota{}, false
}

// Consumed is what a role and those below it consume of their quota: what is
// allocated to them, and what is reserved to them and free.
func (a *Allocator) Consumed(role string) resources.Quantities {
	if b := a.budgets[role]; b != nil {
		return b.consumed.Quantities(a.names)
	}
	return nil
}

// Unmet is what is guaranteed to a role and those below it, and not consumed.
// That of "" is all that has to be kept free.
func (a *Allocator) Unmet(role string) resources.Quantities {
	if b := a.budgets[role]; b != nil {
		return b.unmet.Quantities(a.names)
	}
	return nil
}

// Free is what is unreserved and unused on agents that may be offered.
func (a *Allocator) Free() resources.Quantities { return a.free.Quantities(a.names) }

// Exceeded is a role at or above the given one that consumes more than its
// limit; "" if there is none.
func (a *Allocator) Exceeded(role string) string {
	for b := a.budgets[role]; b != nil; b = b.parent {
		for d := range b.limit {
			if l, ok := b.limitOf(d); ok && b.consumed.At(d) > l {
				return b.path
			}
		}
	}
	return ""
}

// bounded tells whether quota plays a part for the role now.
func (a *Allocator) bounded(b *budget) bool {
	if len(a.quotas) == 0 {
		return false
	}
	for n := b; n.parent != nil; n = n.parent {
		if n.limit != nil {
			return true
		}
	}
	return !a.root.unmet.IsZero()
}

// room is what a role may still be given without its quota or that of others
// being broken.
type room struct {
	head resources.Amounts   // of what is unreserved, all guarantees being kept
	left []resources.Amounts // under the limits of the role and those above, topmost first
}

// roomOf works out the room of a bounded role, until the next call. If
// guarantees is set there is none beyond what is guaranteed to it and unmet.
func (a *Allocator) roomOf(b *budget, guarantees bool) *room {
	r := &a.space
	r.head = r.head[:0]
	for d := range a.names {
		due, spare := b.due(d), max(0, a.free.At(d)-a.root.unmet.At(d))
		if guarantees && due > 0 {
			spare = 0
		}
		r.head = append(r.head, due.Add(spare))
	}
	for len(r.left) < b.depth {
		r.left = append(r.left, nil)
	}
	r.left = r.left[:b.depth]
	for n := b; n.parent != nil; n = n.parent {
		v := r.left[n.depth-1][:0]
		for d := range a.names {
			x := resources.Unlimited
			if l, ok := n.limitOf(d); ok {
				x = l - n.consumed.At(d)
			}
			v = append(v, x)
		}
		r.left[n.depth-1] = v
	}
	return r
}

// of is the room for what is reserved at a depth, 0 being unreserved.
func (r *room) of(d, depth int) resources.Scalar {
	x := resources.Unlimited
	if depth == 0 {
		x = r.head.At(d) // what nobody has there is no room for
	}
	for _, v := range r.left[depth:] {
		if d < len(v) {
			x = min(x, v[d])
		}
	}
	return x
}

func (r *room) take(d, depth int, x resources.Scalar) {
	if depth == 0 {
		r.head[d] -= x
	}
	for _, v := range r.left[depth:] {
		v[d] -= x
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

// hasRoom tells whether quota leaves the client room for what is the least for
// it. If not, it is passed over for the rest of the cycle.
func (a *Allocator) hasRoom(g *agent, c *client, owed bool) bool {
	if !g.plain() || !a.bounded(c.role.budget) {
		return true
	}
	in, minima := a.roomOf(c.role.budget, owed), a.minima(c)
	ok := len(minima) == 0 || slices.ContainsFunc(minima, func(q resources.Quantities) bool {
		return !slices.ContainsFunc(q, func(v resources.Quantity) bool { return in.of(a.names.Of(v.Name), 0) < v.Amount })
	})
	if !ok && !owed {
		a.open.Remove(c.index)
	}
	return ok
}
