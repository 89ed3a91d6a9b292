package allocator

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// Agent is what the allocator is told of one.
type Agent struct {
	ID    ids.AgentID
	Total resources.Resources

	Hostname     string
	Attributes   []*v1.Attribute
	Region, Zone string // empty: unknown
}

// Hold is a reason why nothing of an agent is offered, for people.
type Hold string

// Holds.
const (
	HoldDisconnected Hold = "disconnected"
	HoldDeactivated  Hold = "deactivated"
	HoldDraining     Hold = "draining"
	HoldUnlisted     Hold = "not on the whitelist"
)

// agent is an Agent and what is used of it.
type agent struct {
	Agent
	holds []string                                // of Hold, sorted
	used  map[ids.FrameworkID]resources.Resources // allocated to roles; none is empty

	taken     resources.Resources  // all in used that is not shared, unallocated
	available resources.Resources  // total less taken
	spent     bool                 // nothing available but what is shared
	load      resources.Quantities // the most that can ever be used at once

	reserved []string // roles that something available is reserved to
	matters  Caps     // that make a difference here
	views    []view   // of available; made when needed
	refusals []*refusal
	idle     uint64 // epoch at which nobody was eligible; 0: perhaps somebody is
	judged   map[*constraint]bool

	last  gift              // that was offered
	free  resources.Amounts // of available, unreserved; nothing while it is held
	parts int               // that free can be split in
	made  []int             // offers of it in the cycle, by position in cycle.offers
}

// AddAgent adds g, not held, with what is used on it, by frameworks known or
// not. More may be used than there is.
//
// Ownership: used is not kept.
// Errors: errs.Exhausted if the cluster would have more of a resource than can
// be counted.
func (a *Allocator) AddAgent(g Agent, used map[ids.FrameworkID]resources.Resources) error {
	if a.agents[g.ID] != nil {
		return fmt.Errorf("add agent %s: %w", g.ID, errs.Exists)
	}
	n := &agent{used: map[ids.FrameworkID]resources.Resources{}}
	err := n.begin(used)
	if err == nil {
		err = a.resize(n, g)
	}
	if err != nil {
		return fmt.Errorf("add agent %s: %w", g.ID, err)
	}
	a.agents[g.ID] = n
	a.order = append(a.order, n)
	for _, f := range slices.Sorted(maps.Keys(used)) {
		a.use(n, f, used[f])
		for role, part := range used[f].Allocations() {
			a.consume(role, part, 1)
		}
		if fw := a.frameworks[f]; fw != nil {
			a.chargeAll(fw, used[f])
		}
	}
	return nil
}

// UpdateAgent replaces what is known of an agent. See Overdrawn.
func (a *Allocator) UpdateAgent(g Agent) error {
	n, err := a.agent(g.ID)
	if err != nil {
		return fmt.Errorf("update %w", err)
	}
	if err := a.resize(n, g); err != nil {
		return fmt.Errorf("update agent %s: %w", g.ID, err)
	}
	return nil
}

// RemoveAgent forgets an agent and all that is used and refused of it.
func (a *Allocator) RemoveAgent(id ids.AgentID) error {
	g, err := a.agent(id)
	if err != nil {
		return fmt.Errorf("remove %w", err)
	}
	for _, f := range slices.Sorted(maps.Keys(g.used)) {
		a.takeBack(g, f, g.used[f], resources.Resources{})
	}
	for _, r := range g.refusals {
		for _, c := range a.clients {
			if c != nil && r.clients.Has(c.index) {
				c.refusing--
			}
		}
		r.agent = nil
	}
	a.setAvailable(g, resources.Resources{})
	a.totals.Sub(g.Total.Quantities())
	a.firm = a.firm.Minus(firm(g.Total))
	a.load = a.load.Minus(g.load)
	a.order = slices.DeleteFunc(a.order, func(o *agent) bool { return o == g })
	delete(a.agents, id)
	return nil
}

// SetHold begins or ends a reason to offer nothing of an agent.
func (a *Allocator) SetHold(id ids.AgentID, why Hold, on bool) error {
	g, err := a.agent(id)
	if err != nil {
		return fmt.Errorf("hold %w", err)
	}
	a.count(g, -1)
	if g.holds = slices.DeleteFunc(g.holds, func(h string) bool { return h == string(why) }); on {
		g.holds = append(g.holds, string(why))
		slices.Sort(g.holds)
	}
	a.count(g, 1)
	g.idle = 0
	return nil
}

// begin validates what is used on a new agent and takes it.
func (g *agent) begin(used map[ids.FrameworkID]resources.Resources) error {
	for _, f := range slices.Sorted(maps.Keys(used)) {
		for r := range used[f].All() {
			if r.AllocatedTo() == "" {
				return fmt.Errorf("%v, used by framework %s, is allocated to no role: %w", r, f, errs.Invalid)
			}
		}
		part := used[f].NonShared().Unallocated()
		sum := g.taken.Add(part)
		if rest, ok := sum.Sub(g.taken); !ok || !rest.Equal(part) {
			return fmt.Errorf("%v, used by framework %s, is used by others too: %w", part, f, errs.Invalid)
		}
		g.taken = sum
	}
	return nil
}

// use sets what a framework, known or not, uses on an agent.
func (a *Allocator) use(g *agent, f ids.FrameworkID, r resources.Resources) {
	_, before := g.used[f]
	switch after := !r.IsEmpty(); {
	case after:
		g.used[f] = r
		if !before {
			a.users[f]++
		}
	case before:
		delete(g.used, f)
		if a.users[f]--; a.users[f] == 0 {
			delete(a.users, f)
		}
	}
}

// firm is how much of r may not be taken back.
func firm(r resources.Resources) resources.Quantities { return r.NonRevocable().Quantities() }

// resize makes g, new or not, what n says.
func (a *Allocator) resize(g *agent, n Agent) error {
	total := n.Total
	for r := range total.All() {
		if r.AllocatedTo() != "" {
			return fmt.Errorf("total has %v, which is allocated: %w", r, errs.Invalid)
		}
	}
	load := total.Quantities().Add(g.taken.Quantities())
	sum := a.load.Minus(g.load).Add(load)
	for _, q := range sum {
		if q.Amount == math.MaxInt64 {
			return fmt.Errorf("total %v: the cluster has more %q than can be counted: %w", total, q.Name, errs.Exhausted)
		}
	}
	a.load, g.load = sum, load
	a.totals.Sub(g.Total.Quantities())
	a.totals.Add(total.Quantities())
	a.firm = a.firm.Minus(firm(g.Total)).Add(firm(total))
	g.Agent, g.judged = n, nil
	a.offerable(g)
	return nil
}

// offerable renews what is available, and all that follows from it.
func (a *Allocator) offerable(g *agent) {
	a.setAvailable(g, g.Total.NonShared().Minus(g.taken).Add(g.Total.Shared()))
}

func (a *Allocator) setAvailable(g *agent, r resources.Resources) {
	a.count(g, -1)
	g.available, g.idle = r, 0
	a.count(g, 1)
	g.views = g.views[:0]
	g.reserved = g.reserved[:0]
	g.matters, g.spent = 0, true
	for r := range r.All() {
		g.spent = g.spent && r.Shared()
		if to := r.ReservedTo(); to != "" && !slices.Contains(g.reserved, to) {
			g.reserved = append(g.reserved, to)
		}
		g.matters |= needs(r)
	}
	g.matters.Set(CapGPU, g.Total.Total("gpus") > 0 && !a.cfg.GPUsForAll)
	g.matters.Set(CapRegion, g.Region != a.cfg.Region && g.Region != "")
}

// Overdrawn is what is used of an agent, or offered, and no longer there.
func (a *Allocator) Overdrawn(id ids.AgentID) resources.Resources {
	if g := a.agents[id]; g != nil {
		return g.taken.Minus(g.Total.NonShared())
	}
	return resources.Resources{}
}
