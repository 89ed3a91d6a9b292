package allocator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
	WhyQuotaLimit   Why = "quota limit"
	WhyHeadroom     Why = "headroom for guarantees"
	WhyBelowMinimum Why = "below minimum"
	WhyRefused      Why = "refused"
	WhyEligible     Why = "eligible"
)

// Reason says why nothing of some agents is offered to a framework in a role.
type Reason struct {
	Why     Why
	Detail  string      // for people, with figures; equal for all the agents
	Agents  int         // how many
	Example ids.AgentID // one of them, the first by id
	Until   time.Time   // of WhyRefused: when the first refusal ends
}

// Explanation is how a framework stands in one of its roles.
type Explanation struct {
	Framework ids.FrameworkID
	Role      string
	// Of the role's dominant resource: how much it has, offers included, of how
	// much there is.
	Used, Total resources.Scalar
	Before      []string // roles due an offer before it, the first few
	Requests    []Request
	Reasons     []Reason // most agents first
}

// Explain tells, for each role that a framework is subscribed in, why it is not
// offered anything right now; as what it could have was offered in the last
// cycle, that is why it was not in that one. If role or agent is not empty, of
// these alone.
//
// Errors: errs.NotFound if there is no such framework or agent, or the framework
// is not subscribed in the role.
func (a *Allocator) Explain(now time.Time, id ids.FrameworkID, role string, agent ids.AgentID) ([]Explanation, error) {
	fw, err := a.framework(id)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	list := slices.Sorted(maps.Keys(a.agents))
	if agent != "" {
		if _, err := a.agent(agent); err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		list = []ids.AgentID{agent}
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
	e := Explanation{Framework: c.framework.ID, Role: c.role.path, Requests: c.framework.requests}
	e.Used, e.Total = a.roleOrder.Dominant(c.role.path)
	if a.cfg.RoleSorter != "random" { // lots are not drawn to look
		for r := range a.roleOrder.Order() {
			if r == c.role || len(e.Before) == 5 || c.active && a.roleOrder.Tied(r.node, c.role.node) {
				break
			}
			e.Before = append(e.Before, r.path)
		}
	}
	for _, id := range agents {
		why, detail, until := a.why(a.agents[id], c)
		i := slices.IndexFunc(e.Reasons, func(r Reason) bool { return r.Why == why && r.Detail == detail })
		if i < 0 {
			i = len(e.Reasons)
			e.Reasons = append(e.Reasons, Reason{why, detail, 0, id, until})
		}
		r := &e.Reasons[i]
		r.Agents++
		if until.Before(r.Until) {
			r.Until = until
		}
	}
	slices.SortStableFunc(e.Reasons, func(a, b Reason) int { return b.Agents - a.Agents })
	return e
}

// why is the first reason against offering g to c.
func (a *Allocator) why(g *agent, c *client) (why Why, detail string, until time.Time) {
	has := c.framework.caps
	switch {
	case !c.framework.connected:
		return WhyDisconnected, "the framework is not connected", until
	case c.suppressed:
		return WhySuppressed, fmt.Sprintf("the framework suppressed offers for role %q", c.role.path), until
	case g.holds != 0:
		return WhyHeld, "the agent is " + g.holds.String(), until
	case g.matters&^has&capRegion != 0:
		return WhyRegion, fmt.Sprintf("the agent is in region %q, the framework does not know of regions", g.Region), until
	case g.matters&^has&capGPU != 0:
		return WhyGPU, "agents with GPUs are kept for frameworks that use them (GPU_RESOURCES)", until
	case !a.admits(g, c):
		return WhyConstraint, c.constraint.Rejects(&g.Agent), until
	case g.available.NonShared().IsEmpty():
		return WhyNothingLeft, "all is used or offered", until
	}
	left := g.available.NonShared().Filter(func(r resources.Resource) bool { return r.AllocatableTo(c.role.path) })
	if left.IsEmpty() {
		return WhyNotForRole, "what is left is reserved for " + quoted(g.reserved), until
	}
	v := a.view(g, c.role.path, has)
	if v.resources.IsEmpty() {
		return WhyCapability, "what is left is for frameworks with other capabilities: " + left.Quantities().String(), until
	}
	minima := a.minima(c)
	if a.bounded(c.role.budget) && enough(v.amount, minima) {
		if part := a.cut(v.resources, 1, a.roomOf(c.role.budget, false)); !enough(part.NonShared().Quantities(), minima) {
			return a.whyNoRoom(c, v.amount)
		}
	}
	part := a.fit(g, c, 1, false)
	switch {
	case !part.IsEmpty():
		return WhyEligible, "it comes with the next cycle, or went to who is due before", until
	case !enough(v.amount, minima):
		return WhyBelowMinimum, fmt.Sprintf("less is left than any of %v", joined(minima)), until
	default:
		for _, e := range a.refusals.All() {
			if e.refusal.agent == g && e.client == c && e.live() && (until.IsZero() || e.at.Before(until)) {
				until = e.at
			}
		}
		return WhyRefused, "the framework refused it", until
	}
}

// whyNoRoom tells which quota leaves no room.
func (a *Allocator) whyNoRoom(c *client, q resources.Quantities) (Why, string, time.Time) {
	for n := c.role.budget; n.parent != nil; n = n.parent {
		for d := range n.limit {
			if l, ok := n.limitOf(d); ok && n.consumed.At(d) >= l && q.Get(a.names[d]) > 0 {
				return WhyQuotaLimit, fmt.Sprintf("role %q has reached its limit of %s: %v of %v", n.path, a.names[d], n.consumed.At(d), l), time.Time{}
			}
		}
	}
	var owed []string
	for _, role := range slices.Sorted(maps.Keys(a.quotas)) {
		if unmet := a.Unmet(role); len(unmet) > 0 {
			owed = append(owed, fmt.Sprintf("%q (%v)", role, unmet))
		}
	}
	return WhyHeadroom, fmt.Sprintf("%v is free, and kept for what is guaranteed to %s", a.Free(), strings.Join(owed, ", ")), time.Time{}
}

// String names the holds: "draining, disconnected".
func (h Hold) String() string {
	var out []string
	for i, name := range []string{"disconnected", "deactivated", "draining", "not on the whitelist"} {
		if h&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range slices.Sorted(slices.Values(list)) {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}

func joined(minima []resources.Quantities) string {
	out := make([]string, len(minima))
	for i, q := range minima {
		out[i] = q.String()
	}
	return strings.Join(out, " | ")
}
