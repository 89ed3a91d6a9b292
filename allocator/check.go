package allocator

import (
	"fmt"
	"slices"

	"mezzo/internal/errs"
	"mezzo/resources"
)

// Check verifies all invariants. It is slow, for tests and simulation.
//
// Errors: errs.Corrupt naming what does not fit.
func (a *Allocator) Check() error {
	want := map[*client]use{}
	for _, g := range a.order {
		if err := a.checkAgent(g); err != nil {
			return fmt.Errorf("agent %s: %w: %w", g.ID, err, errs.Corrupt)
		}
		for f, used := range g.used {
			fw := a.frameworks[f]
			if fw == nil {
				continue
			}
			for role, part := range used.Allocations() {
				c := fw.clients[role]
				if c == nil {
					return fmt.Errorf("framework %s uses %v for a role it is no client in: %w", f, part, errs.Corrupt)
				}
				u := want[c]
				want[c] = use{u.agents + 1, u.charged.Add(charged(part))}
			}
		}
	}
	if len(a.order) != len(a.agents) {
		return fmt.Errorf("%d agents in the order, %d known: %w", len(a.order), len(a.agents), errs.Corrupt)
	}
	for _, c := range a.clients {
		if c == nil {
			continue
		}
		if err := a.checkClient(c, want[c]); err != nil {
			return fmt.Errorf("framework %s in role %q: %w: %w", c.framework.ID, c.role.path, err, errs.Corrupt)
		}
	}
	return a.checkRoles(want)
}

// use is what a client is known to use.
type use struct {
	agents  int
	charged resources.Quantities
}

func (a *Allocator) checkAgent(g *agent) error {
	if a.agents[g.ID] != g {
		return fmt.Errorf("is in the order, but not known")
	}
	var taken resources.Resources
	for f, used := range g.used {
		if used.IsEmpty() {
			return fmt.Errorf("framework %s uses nothing", f)
		}
		taken = taken.Add(used.NonShared().Unallocated())
	}
	available := g.Total.NonShared().Minus(taken).Add(g.Total.Shared())
	switch {
	case !taken.Equal(g.taken):
		return fmt.Errorf("taken is %v, but %v is used", g.taken, taken)
	case !available.Equal(g.available):
		return fmt.Errorf("available is %v, but should be %v", g.available, available)
	case !g.load.Contains(taken.Quantities()):
		return fmt.Errorf("%v is used, at most %v was foreseen", taken, g.load)
	}
	for _, r := range g.refusals {
		if r.agent != g || r.clients.IsEmpty() {
			return fmt.Errorf("refusal of %v belongs to another or has no clients", r.resources)
		}
	}
	return nil
}

func (a *Allocator) checkClient(c *client, u use) error {
	ends := map[*refusal]int{}
	for _, e := range a.refusals.All() {
		if e.client == c && e.live() {
			ends[e.refusal]++
		}
	}
	refusing := 0
	for _, g := range a.order {
		for _, r := range g.refusals {
			if r.clients.Has(c.index) {
				refusing++
				if ends[r] != r.again[c]+1 {
					return fmt.Errorf("refusal of %v has %d ends for %d times", r.resources, ends[r], r.again[c]+1)
				}
			}
		}
	}
	switch {
	case a.frameworks[c.framework.ID] != c.framework || c.framework.clients[c.role.path] != c ||
		a.roles[c.role.path] != c.role || a.clients[c.index] != c:
		return fmt.Errorf("client is not where it is looked for")
	case c.subscribed != slices.Contains(c.framework.Roles, c.role.path) || !c.subscribed && c.agents == 0:
		return fmt.Errorf("is client, subscribed: %t, using %d agents", c.subscribed, c.agents)
	case c.active != (c.subscribed && !c.suppressed && c.framework.connected) || c.active != a.active.Has(c.index):
		return fmt.Errorf("is active: %t", c.active)
	case c.agents != u.agents:
		return fmt.Errorf("uses %d agents, counted %d", u.agents, c.agents)
	case c.refusing != refusing || len(ends) != refusing:
		return fmt.Errorf("refuses %d times with %d ends, counted %d", refusing, len(ends), c.refusing)
	}
	return nil
}

func (a *Allocator) checkRoles(want map[*client]use) error {
	sums := map[*role]resources.Quantities{}
	actives, counts := map[*role]int{}, map[*role]int{}
	for _, c := range a.clients {
		if c != nil {
			sums[c.role] = sums[c.role].Add(want[c].charged)
			counts[c.role]++
			if c.active {
				actives[c.role]++
			}
		}
	}
	for path, r := range a.roles {
		err := r.order.Check(func(c *client) resources.Quantities { return want[c].charged })
		if err == nil && (r.clients != counts[r] || r.active != actives[r] || r.budget != a.budgets[path]) {
			err = fmt.Errorf("has %d clients, %d active, counted %d and %d: %w", counts[r], actives[r], r.clients, r.active, errs.Corrupt)
		}
		if err != nil {
			return fmt.Errorf("role %q: %w", path, err)
		}
	}
	return a.roleOrder.Check(func(r *role) resources.Quantities { return sums[r] })
}
