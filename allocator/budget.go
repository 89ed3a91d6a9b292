package allocator

import (
	"strings"

	"mezzo/resources"
)

// budget is a role as quota sees it: what it and the roles below it consume,
// and what was promised to them and is not met. The root stands above all.
//
// Invariant: consumed is what is allocated within the role, and what is
// reserved within it and free. unmet is the larger of guarantee less consumed
// and the sum of what is unmet below, never less than 0.
type budget struct {
	path   string
	parent *budget // nil for the root
	depth  int
	kids   int
	quota  *Quota            // nil: none
	limit  resources.Amounts // noLimit where there is none

	guarantee, consumed, unmet, unmetBelow resources.Amounts
}

const noLimit = -1

// limitOf is the limit of b itself.
func (b *budget) limitOf(d int) (resources.Scalar, bool) {
	return b.limit.At(d), d < len(b.limit) && b.limit[d] != noLimit
}

// budget finds or makes that of a role.
func (a *Allocator) budget(path string) *budget {
	if b := a.budgets[path]; b != nil {
		return b
	}
	above := ""
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		above = path[:i]
	}
	b := &budget{path: path, parent: a.budget(above)}
	b.depth = b.parent.depth + 1
	b.parent.kids++
	a.budgets[path] = b
	return b
}

// pruneBudget forgets b, and what is above it, if there is nothing to know.
func (a *Allocator) pruneBudget(b *budget) {
	for b.parent != nil && b.kids == 0 && b.quota == nil && a.roles[b.path] == nil && b.consumed.IsZero() {
		delete(a.budgets, b.path)
		b = b.parent
		b.kids--
	}
}

// consume counts x more, or less, of dimension d.
func (a *Allocator) consume(b *budget, d int, x resources.Scalar) {
	a.stir()
	for n := b; n != nil; n = n.parent {
		n.consumed.Add(d, x)
	}
	b.settle(d)
}

// stir makes all agents be looked at again where one's change may be another's
// chance.
func (a *Allocator) stir() {
	if len(a.quotas) > 0 {
		a.epoch++
	}
}

// settle renews what is unmet of b and above.
func (b *budget) settle(d int) {
	for n := b; n != nil; n = n.parent {
		change := max(n.guarantee.At(d)-n.consumed.At(d), n.unmetBelow.At(d)) - n.unmet.At(d)
		if change == 0 {
			continue
		}
		n.unmet.Add(d, change)
		if n.parent != nil {
			n.parent.unmetBelow.Add(d, change)
		}
	}
}

// due is how much of what is unmet at the root would be met by more of d for b.
//
// More for b counts at each node above it where the node's own guarantee, not
// those below, is what is unmet.
func (b *budget) due(d int) resources.Scalar {
	var x resources.Scalar
	for n := b; n != nil; n = n.parent {
		x += n.unmet.At(d) - n.unmetBelow.At(d)
	}
	return x
}

// counts tells whether r is what quota is about.
func counts(r *resources.Resource) bool {
	return r.Kind() == resources.KindScalar && !r.Revocable() && !r.Shared()
}

// consumeAllocated counts all of r, each to the role that it is allocated to.
func (a *Allocator) consumeAllocated(r resources.Resources, sign resources.Scalar) {
	for item := range r.All() {
		if counts(&item) {
			b := a.budget(item.AllocatedTo())
			a.consume(b, a.names.Of(item.Name()), sign*item.Scalar())
			if sign < 0 {
				a.pruneBudget(b)
			}
		}
	}
}

// reserve is what is reserved and free on one agent.
type reserve struct {
	budget *budget
	dim    int
	amount resources.Scalar
}

// countFree renews what of g.available is free for all, and what is reserved.
func (a *Allocator) countFree(g *agent) {
	reserved, free := g.reserves, g.free
	g.reserves, g.free = nil, nil
	for item := range g.available.All() {
		switch {
		case !counts(&item):
		case item.ReservedTo() == "":
			g.free.Add(a.names.Of(item.Name()), item.Scalar())
		default:
			v := reserve{a.budget(item.ReservedTo()), a.names.Of(item.Name()), item.Scalar()}
			g.reserves = append(g.reserves, v)
			a.consume(v.budget, v.dim, v.amount)
		}
	}
	for _, v := range reserved {
		a.consume(v.budget, v.dim, -v.amount)
		a.pruneBudget(v.budget)
	}
	if g.holds != 0 {
		g.free = nil
	}
	a.stir()
	for d := range max(len(free), len(g.free)) {
		a.free.Add(d, g.free.At(d)-free.At(d))
	}
	if roomy := a.isRoomy(g); roomy != g.roomy {
		g.roomy = roomy
		if roomy {
			a.roomy++
		} else {
			a.roomy--
		}
	}
}

// isRoomy tells whether g has enough for one share.
func (a *Allocator) isRoomy(g *agent) bool {
	for _, q := range a.cfg.MinShare {
		if g.free.At(a.names.Of(q.Name)) < q.Amount {
			return false
		}
	}
	return len(g.free) > 0
}
