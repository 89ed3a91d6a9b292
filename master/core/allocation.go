package core

import (
	"fmt"
	"time"

	"mezzo/allocator"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/assert"
	"mezzo/internal/errs"
	"mezzo/master/constraint"
	"mezzo/resources"
)

const (
	// maxCandidates bounds the agents that are asked one by one.
	maxCandidates = 256
	// allocationShare is what a round of offers may cost, for each agent.
	allocationShare = 10 * time.Microsecond
)

// allocationGap is the least time between two rounds that events asked for, so
// that a burst of them costs one round, and rounds do not fill all the time.
func (c *Core) allocationGap() time.Duration {
	gap := allocationShare * time.Duration(len(c.agents))
	return min(max(gap, time.Millisecond), c.cfg.AllocationInterval)
}

// wantAllocation asks for a round of offers soon: of one agent, or of all if
// none is named.
func (c *Core) wantAllocation(id ids.AgentID) {
	if id != "" && len(c.candidates) < maxCandidates {
		c.candidates[id] = true
		return
	}
	c.candidatesAll = true
}

func (c *Core) wantsAllocation() bool { return c.candidatesAll || len(c.candidates) > 0 }

// allocateAll is the round that comes every AllocationInterval.
func (c *Core) allocateAll() {
	c.candidatesAll = true
	c.lastAllocation = time.Time{}
	c.after(c.cfg.AllocationInterval, c.allocateAll)
}

// allocateCandidates makes the offers that events asked for.
func (c *Core) allocateCandidates() {
	if !c.wantsAllocation() || c.startsSlowly() || c.lastAllocation.Add(c.allocationGap()).After(c.now) {
		return
	}
	var agents []ids.AgentID // nil: all
	if !c.candidatesAll {
		agents = sortedKeys(c.candidates)
	}
	clear(c.candidates)
	c.candidatesAll, c.lastAllocation = false, c.now
	c.counts[AllocationRuns]++
	c.sendOffers(c.alloc.Allocate(c.now, agents))
	c.sendInverseOffers(agents)
}

// Rounds counts the rounds of offers so far.
func (c *Core) Rounds() uint64 { return c.counts[AllocationRuns] }

// sendOffers books what the allocator gave and tells each framework once.
func (c *Core) sendOffers(given []allocator.Offer) {
	var order []*framework
	events := map[*framework]*scheduler.Event_Offers{}
	for _, g := range given {
		f, a := c.frameworks[g.Framework], c.agents[g.Agent]
		if events[f] == nil {
			order = append(order, f)
			events[f] = &scheduler.Event_Offers{}
		}
		o := c.makeOffer(f, a, g.Role, g.Resources)
		events[f].Offers = append(events[f].Offers, o.protoFor(f))
	}
	for _, f := range order {
		c.countAnswered(f)
		c.send(f, &scheduler.Event{Type: scheduler.Event_OFFERS.Enum(), Offers: events[f]})
	}
}

// must asserts that the allocator and the core agree on who is there.
func must(err error) { assert.That(err == nil, "allocator: %v", err) }

// release gives back what f was offered on a.
func (c *Core) release(f *framework, a *agent, r resources.Resources, refuse time.Duration) {
	must(c.alloc.Release(c.now, allocator.Release{Framework: f.ID, Agent: a.ID, Resources: r, Refuse: refuse}))
}

// allocateTo makes the allocator know a with all its tasks, those in adopted
// included. It may say no: what an agent tells need not add up.
func (c *Core) allocateTo(a *agent, info *v1.AgentInfo, total resources.Resources, adopted []*Task, executors []*Executor) error {
	var all resources.Resources
	used := map[ids.FrameworkID]resources.Resources{}
	for _, t := range append(a.sortedTasks(), adopted...) {
		if !t.live() {
			continue
		}
		sum := all.Add(t.Resources)
		if part, ok := sum.Sub(all); !ok || !part.Equal(t.Resources) {
			return fmt.Errorf("task %q uses %v, part of which others use too: %w", t.ID, t.Resources, errs.Invalid)
		}
		all, used[t.Framework] = sum, used[t.Framework].Add(t.Resources)
	}
	for _, x := range append(a.sortedExecutors(), executors...) {
		sum := all.Add(x.Resources)
		if part, ok := sum.Sub(all); !ok || !part.Equal(x.Resources) {
			return fmt.Errorf("executor %q uses %v, part of which others use too: %w", x.ID, x.Resources, errs.Invalid)
		}
		all, used[x.Framework] = sum, used[x.Framework].Add(x.Resources)
	}
	if err := c.alloc.AddAgent(agentToAllocator(a.ID, info, total), used); err != nil {
		return err
	}
	c.hold(a, info.GetHostname())
	return nil
}

// agentToAllocator is an agent as the allocator knows it.
func agentToAllocator(id ids.AgentID, info *v1.AgentInfo, total resources.Resources) allocator.Agent {
	place := info.GetDomain().GetFaultDomain()
	return allocator.Agent{
		ID:         id,
		Total:      total,
		Hostname:   info.GetHostname(),
		Attributes: info.GetAttributes(),
		Region:     place.GetRegion().GetName(),
		Zone:       place.GetZone().GetName(),
	}
}

// allocatorCaps are the capabilities that decide what may be offered.
var allocatorCaps = map[v1.FrameworkInfo_Capability_Type]allocator.Caps{
	v1.FrameworkInfo_Capability_REVOCABLE_RESOURCES:    allocator.CapRevocable,
	v1.FrameworkInfo_Capability_SHARED_RESOURCES:       allocator.CapShared,
	v1.FrameworkInfo_Capability_RESERVATION_REFINEMENT: allocator.CapRefined,
	v1.FrameworkInfo_Capability_GPU_RESOURCES:          allocator.CapGPU,
	v1.FrameworkInfo_Capability_REGION_AWARE:           allocator.CapRegion,
}

// toAllocator is f as the allocator knows it.
func toAllocator(f *framework) allocator.Framework {
	out := allocator.Framework{
		ID:             f.ID,
		Roles:          append([]string(nil), f.Roles()...),
		Suppressed:     append([]string(nil), f.Suppressed...),
		MinAllocatable: map[string]resources.Alternatives{},
		Constraints:    map[string]allocator.Constraint{},
	}
	for capability, bit := range allocatorCaps {
		out.Caps.Set(bit, f.has(capability))
	}
	for role, filter := range f.Info.GetOfferFilters() {
		minima, err := minAllocatable(filter)
		must(err) // checkInfo saw to it
		out.MinAllocatable[role] = minima
	}
	constraints, err := constraint.Compile(f.Constraints)
	must(err) // admissible saw to it
	for role, c := range constraints {
		out.Constraints[role] = c
	}
	return out
}

// checkOfferFilters tells whether a framework's filters make sense.
func checkOfferFilters(info *v1.FrameworkInfo) error {
	for _, role := range sortedKeys(info.GetOfferFilters()) {
		if _, err := minAllocatable(info.GetOfferFilters()[role]); err != nil {
			return fmt.Errorf("offer filter of role %q: %w", role, err)
		}
	}
	return nil
}

func minAllocatable(filter *v1.OfferFilters) (resources.Alternatives, error) {
	var out resources.Alternatives
	for _, q := range filter.GetMinAllocatableResources().GetQuantities() {
		var amounts resources.Quantities
		for _, name := range sortedKeys(q.GetQuantities()) {
			amount, err := resources.ScalarOf(q.GetQuantities()[name].GetValue())
			if err != nil {
				return nil, fmt.Errorf("quantity of %s: %w", name, err)
			}
			if amount > 0 {
				amounts = append(amounts, resources.Quantity{Name: name, Amount: amount})
			}
		}
		out = append(out, amounts)
	}
	return out, nil
}
