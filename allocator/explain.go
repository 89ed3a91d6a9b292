package allocator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mezzo/allocator/sorter"
	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// Why is the kind of a Reason.
type Why string

// Kinds, in the order in which they are looked at: of an agent only the first
// is told.
const (
	WhyDisconnected Why = "framework disconnected"
	WhySuppressed   Why = "suppressed"
	WhyHeld         Why = "agent held"
	WhyRegion       Why = "other region"
	WhyGPU          Why = "agent with GPUs"
	WhyConstraint   Why = "offer constraints"
	WhyNothingLeft  Why = "nothing left"
	WhyNotForRole   Why = "reserved for others"
	WhyCapability   Why = "capability missing"
	WhyBelowMinimum Why = "below minimum"
	WhyQuotaLimit   Why = "quota limit"
	WhyHeadroom     Why = "headroom for guarantees"
	WhyRefused      Why = "refused"
	WhyEligible     Why = "eligible"
)

// Reason says why nothing of some agents is offered to a framework in a role.
type Reason struct {
	Why     Why
	Detail  string      // for people, with figures; equal for all the agents
	Agents  int         // how many
	Example ids.AgentID // the first of them by id
	Until   time.Time   // of WhyRefused: when the first refusal ends
}

// Explanation is how a framework stands in one of its roles.
type Explanation struct {
	Framework ids.FrameworkID
	Role      string
	Share     sorter.Share // of the role, offers included
	Before    []string     // roles due an offer before it, the first few
	Requests  []Request
	Reasons   []Reason // most agents first
}

// Explain tells, for each role that a framework is subscribed in, why it is not
// offered anything now; as all that anybody could have was offered in the last
// cycle, that is why it got nothing then. If role or agent is not empty, of
// these alone.
func (a *Allocator) Explain(now time.Time, id ids.FrameworkID, role string, agent ids.AgentID) ([]Explanation, error) {
	fw, err := a.framework(id)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	list := slices.Sorted(maps.Keys(a.agents))
	if agent != "" {
		list = []ids.AgentID{agent}
		if _, err := a.agent(agent); err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
	}
	a.expire(now)
	var out []Explanation
	for _, c := range fw.sortedClients() {
		if c.subscribed && (role == "" || role == c.role.path) {
			out = append(out, a.explain(c, list))
		}
	}
	if role != "" && len(out) == 0 {
		return nil, fmt.Errorf("explain framework %s: role %q: %w", id, role, errs.NotFound)
	}
	return out, nil
}

func (a *Allocator) explain(c *client, agents []ids.AgentID) Explanation {
	path := c.role.path
	e := Explanation{Framework: c.framework.ID, Role: path, Share: a.roleOrder.Dominant(path), Requests: c.framework.requests}
	if a.cfg.RoleSorter != "random" { // lots are not drawn to look
		for r := range a.roleOrder.Order() {
			if r == c.role || len(e.Before) == 5 || c.active && a.roleOrder.Tied(r.node, c.role.node) {
				break
			}
			e.Before = append(e.Before, r.path)
		}
	}
	ends := map[*agent]time.Time{}
	for _, x := range a.refusals.All() {
		if g := x.refusal.agent; x.client == c && x.live() && (ends[g].IsZero() || x.at.Before(ends[g])) {
			ends[g] = x.at
		}
	}
	for _, id := range agents {
		r := Reason{Agents: 1, Example: id}
		if r.Why, r.Detail = a.why(a.agents[id], c); r.Why == WhyRefused {
			r.Until = ends[a.agents[id]]
		}
		i := slices.IndexFunc(e.Reasons, func(o Reason) bool { return o.Why == r.Why && o.Detail == r.Detail })
		if i < 0 {
			e.Reasons = append(e.Reasons, r)
			continue
		}
		if e.Reasons[i].Agents++; r.Until.Before(e.Reasons[i].Until) {
			e.Reasons[i].Until = r.Until
		}
	}
	slices.SortStableFunc(e.Reasons, func(a, b Reason) int { return b.Agents - a.Agents })
	return e
}

// why is the first reason against offering g to c.
func (a *Allocator) why(g *agent, c *client) (Why, string) {
	has, minima := c.framework.Caps, a.minima(c)
	switch {
	case !c.framework.connected:
		return WhyDisconnected, "the framework is not connected"
	case c.suppressed:
		return WhySuppressed, fmt.Sprintf("the framework suppressed offers for role %q", c.role.path)
	case len(g.holds) > 0:
		return WhyHeld, "the agent is " + strings.Join(g.holds, ", ")
	case g.matters&^has&CapRegion != 0:
		return WhyRegion, fmt.Sprintf("the agent is in region %q, the framework does not know of regions", g.Region)
	case g.matters&^has&CapGPU != 0:
		return WhyGPU, "agents with GPUs are kept for frameworks that use them (GPU_RESOURCES)"
	case !a.admits(g, c):
		return WhyConstraint, c.constraint.Rejects(&g.Agent)
	case g.spent:
		return WhyNothingLeft, "all is used or offered"
	}
	v := a.view(g, c.role.path, has)
	switch mine := g.available.NonShared().ForRole(c.role.path); {
	case mine.IsEmpty():
		return WhyNotForRole, fmt.Sprintf("what is left is reserved for %q", g.reserved)
	case v.resources.IsEmpty():
		return WhyCapability, "what is left is for frameworks with other capabilities"
	case !minima.MetBy(v.amount):
		return WhyBelowMinimum, fmt.Sprintf("less is left than the least worth offering, any of %v", minima)
	case !a.fit(g, c, 1, false).IsEmpty():
		return WhyEligible, "it is offered with the next cycle, or to who is due before" + a.lessWhat(c, v.amount)
	}
	if room := a.roomOf(c.role, false); room != nil && !minima.MetBy(a.cut(v.resources, 1, room).NonShared().Quantities()) {
		return a.whyNoRoom(c, v.amount)
	}
	return WhyRefused, "the framework refused it" + a.lessWhat(c, v.amount)
}

// lessWhat tells which of q a limit keeps out of what is offered: who waits for
// it refuses the rest.
func (a *Allocator) lessWhat(c *client, q resources.Quantities) string {
	at, ok := a.ledger.Reached(c.role.account, q)
	if !ok {
		return ""
	}
	return fmt.Sprintf(", without %s: %s", at.Name, at)
}

// whyNoRoom tells which quota leaves no room for any of q.
func (a *Allocator) whyNoRoom(c *client, q resources.Quantities) (Why, string) {
	if at, ok := a.ledger.Reached(c.role.account, q); ok {
		return WhyQuotaLimit, at.String()
	}
	return WhyHeadroom, fmt.Sprintf("%v is free, and kept for what is guaranteed to %s", a.Free(), strings.Join(a.ledger.Debts(), ", "))
}
