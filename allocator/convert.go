package allocator

import (
	"fmt"

	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// Convert makes something else of resources of an agent: of what a framework,
// known or removed, uses there or is offered, or, if no framework is named, of what
// nobody does. The agent's total changes with them.
//
// Errors: errs.Conflict if they are not there.
func (a *Allocator) Convert(id ids.AgentID, f ids.FrameworkID, c resources.Conversion) error {
	g, err := a.agent(id)
	if err != nil {
		return fmt.Errorf("convert %w", err)
	}
	plain := resources.Conversion{From: c.From.Unallocated(), To: c.To.Unallocated()}
	n := g.Agent
	if n.Total, err = plain.Apply(g.Total); err != nil {
		return fmt.Errorf("convert resources of agent %s: %w", id, err)
	}
	if f == "" {
		if !g.available.Contains(plain.From) {
			return fmt.Errorf("convert resources of agent %s: %v is in use or offered: %w", id, plain.From, errs.Conflict)
		}
		return a.resize(g, n)
	}
	left, ok := g.used[f].Sub(c.From)
	if !ok {
		return fmt.Errorf("convert %v on agent %s: framework %s uses %q there: %w", c.From, id, f, g.used[f], errs.Conflict)
	}
	for r := range c.To.All() {
		if r.AllocatedTo() == "" {
			return fmt.Errorf("convert resources of agent %s: %v is allocated to no role: %w", id, r, errs.Invalid)
		}
	}
	a.takeBack(g, f, c.From, left)
	if err := a.resize(g, n); err != nil { // as before
		a.hold(g, f, left, c.From)
		return err
	}
	a.hold(g, f, left, c.To)
	a.offerable(g)
	return nil
}

// Share lets a framework use shared resources of an agent once more, for one more of
// its tasks.
//
// Errors: errs.Invalid if they are not shared, or allocated to no role;
// errs.Conflict if the framework has none of them there.
func (a *Allocator) Share(id ids.AgentID, f ids.FrameworkID, r resources.Resources) error {
	g, err := a.agent(id)
	if err != nil {
		return fmt.Errorf("share %w", err)
	}
	if !r.NonShared().IsEmpty() || r.IsAllocatedTo("") {
		return fmt.Errorf("share %v on agent %s: it is not shared, or allocated to no role: %w", r, id, errs.Invalid)
	}
	if !g.used[f].Contains(r) {
		return fmt.Errorf("share %v on agent %s: framework %s does not have it: %w", r, id, f, errs.Conflict)
	}
	a.hold(g, f, g.used[f], r)
	return nil
}

// hold lets a framework use more on g, where it uses had.
func (a *Allocator) hold(g *agent, f ids.FrameworkID, had, more resources.Resources) {
	a.use(g, f, had.Add(more))
	g.taken = g.taken.Add(more.NonShared().Unallocated())
	fw := a.frameworks[f]
	for role, part := range more.Allocations() {
		if a.consume(role, part, 1); fw != nil {
			a.charge(a.client(fw, role), charged(part), had)
		}
	}
}
