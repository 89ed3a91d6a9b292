package allocator

import (
	"fmt"

	"mezzo/internal/errs"
	"mezzo/resources"
)

// books is what follows from what each agent has and is used for.
type books struct {
	agents   map[*client]int
	charged  map[*client]resources.Quantities
	refusing map[*client]int
	consumed map[string]resources.Quantities // by role
	free     resources.Quantities
}

func (b *books) consume(role string, q resources.Quantities) {
	for ; role != ""; role = parentOf(role) {
		b.consumed[role] = b.consumed[role].Add(q)
	}
}

// Check verifies all invariants; what it finds is errs.Corrupt. It is slow, for
// tests and simulation.
func (a *Allocator) Check() error {
	b := books{map[*client]int{}, map[*client]resources.Quantities{}, map[*client]int{}, map[string]resources.Quantities{}, nil}
	for _, g := range a.order {
		if err := a.checkAgent(g, &b); err != nil {
			return fmt.Errorf("agent %s: %w: %w", g.ID, err, errs.Corrupt)
		}
	}
	charged := map[*role]resources.Quantities{}
	for _, f := range a.frameworks {
		for path, c := range f.clients {
			charged[c.role] = charged[c.role].Add(b.charged[c])
			on := c.subscribed && !c.suppressed && f.connected
			if c.role.path != path || a.clients[c.index] != c || c.active != on || a.active.Has(c.index) != on ||
				!c.subscribed && c.agents == 0 || c.agents != b.agents[c] || c.refusing != b.refusing[c] {
				return fmt.Errorf("framework %s in role %q does not fit what it is, uses or refuses: %w", f.ID, path, errs.Corrupt)
			}
		}
	}
	for path, r := range a.roles {
		if err := r.order.Check(func(c *client) resources.Quantities { return b.charged[c] }); err != nil {
			return fmt.Errorf("role %q: %w", path, err)
		}
	}
	if free := a.Free(); !free.Contains(b.free) || !b.free.Contains(free) {
		return fmt.Errorf("%v is free, counted %v: %w", b.free, free, errs.Corrupt)
	}
	for path, want := range b.consumed {
		if got := a.Quotas().Consumed(path); !got.Contains(want) || !want.Contains(got) {
			return fmt.Errorf("role %q consumes %v, counted %v: %w", path, want, got, errs.Corrupt)
		}
	}
	return a.roleOrder.Check(func(r *role) resources.Quantities { return charged[r] })
}

// checkAgent checks g and adds it to the books.
func (a *Allocator) checkAgent(g *agent, b *books) error {
	var taken resources.Resources
	for f, used := range g.used {
		taken = taken.Add(used.NonShared().Unallocated())
		for role, part := range used.Allocations() {
			b.consume(role, firm(part.NonShared()))
			if fw := a.frameworks[f]; fw == nil {
				continue
			} else if c := fw.clients[role]; c == nil {
				return fmt.Errorf("framework %s uses %v for a role it is no client in", f, part)
			} else {
				b.agents[c]++
				b.charged[c] = b.charged[c].Add(charged(part))
			}
		}
	}
	if left := g.Total.NonShared().Minus(taken).Add(g.Total.Shared()); !taken.Equal(g.taken) || !left.Equal(g.available) || a.agents[g.ID] != g {
		return fmt.Errorf("%v is taken and %v left, counted %v and %v", taken, left, g.taken, g.available)
	}
	for r := range g.available.NonRevocable().NonShared().All() {
		switch q := (resources.Quantities{{Name: r.Name(), Amount: r.Scalar()}}); {
		case r.Scalar() == 0:
		case r.ReservedTo() != "":
			b.consume(r.ReservedTo(), q)
		case len(g.holds) == 0:
			b.free = b.free.Add(q)
		}
	}
	for _, r := range g.refusals {
		for _, c := range a.clients {
			if c != nil && r.clients.Has(c.index) {
				b.refusing[c]++
			}
		}
		if r.agent != g || r.clients.IsEmpty() {
			return fmt.Errorf("refusal of %v belongs to another or has no clients", r.resources)
		}
	}
	return nil
}
