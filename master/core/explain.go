package core

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"mezzo/allocator"
	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// Bounds of an Explanation, which is for people.
const (
	maxReasons = 50 // in one role
	maxHolders = 5
)

// Explanation is how a framework stands.
type Explanation struct {
	Framework   ids.FrameworkID
	Name        string
	OffersHeld  int
	OldestOffer time.Time // zero if it holds none
	Standings   []allocator.Explanation
	Holders     []Holder // most first
}

// Holder is a framework that has some of what nothing is left of.
type Holder struct {
	Framework   ids.FrameworkID
	Name        string
	Agents      int // of those that nothing is left of: on which it has something,
	OffersHeld  int // how many offers there,
	Tasks       int // how many live tasks
	OldestOffer time.Time
}

// explain is the EXPLAIN call.
func (c *Core) explain(ev Explain) (*Explanation, error) {
	f, ok := c.frameworks[ev.Framework]
	if !ok {
		if _, over := c.completed.get(ev.Framework); over {
			return nil, fmt.Errorf("explain: framework %s has been removed: %w", ev.Framework, errs.NotFound)
		}
		return nil, fmt.Errorf("explain: framework %q: %w", ev.Framework, errs.NotFound)
	}
	if ev.Role != "" {
		if err := resources.ValidateRole(ev.Role); err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
	}
	standings, err := c.alloc.Explain(c.now, ev.Framework, ev.Role, ev.Agent)
	if err != nil {
		return nil, err
	}
	out := &Explanation{
		Framework:   f.ID,
		Name:        f.Info.GetName(),
		OffersHeld:  len(f.offers),
		OldestOffer: oldest(f.offers),
		Standings:   standings,
	}
	left := false
	for i := range standings {
		s := &standings[i]
		left = left || slices.ContainsFunc(s.Reasons, func(r allocator.Reason) bool { return r.Why == allocator.WhyNothingLeft })
		s.Reasons = s.Reasons[:min(len(s.Reasons), maxReasons)]
	}
	if left {
		out.Holders = c.holders(ev.Agent)
	}
	return out, nil
}

// holders tells who has the agents that nothing is left of: all such agents, or
// the one that is named.
func (c *Core) holders(only ids.AgentID) []Holder {
	found := map[ids.FrameworkID]*Holder{}
	for _, id := range sortedKeys(c.agents) {
		a := c.agents[id]
		if only != "" && id != only || !a.isTaken() {
			continue
		}
		here := map[ids.FrameworkID]bool{}
		holder := func(f ids.FrameworkID) *Holder {
			h := found[f]
			if h == nil {
				h = &Holder{Framework: f, Name: c.frameworks[f].Info.GetName()}
				found[f] = h
			}
			if !here[f] {
				here[f] = true
				h.Agents++
			}
			return h
		}
		for _, o := range a.offers {
			h := holder(o.Framework)
			h.OffersHeld++
			h.OldestOffer = earlier(h.OldestOffer, o.Made)
		}
		for _, t := range a.tasks {
			if t.live() {
				holder(t.Framework).Tasks++
			}
		}
	}
	out := make([]Holder, 0, len(found))
	for _, id := range sortedKeys(found) {
		out = append(out, *found[id])
	}
	slices.SortStableFunc(out, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(b.Agents, a.Agents), cmp.Compare(b.OffersHeld, a.OffersHeld), cmp.Compare(b.Tasks, a.Tasks))
	})
	return out[:min(len(out), maxHolders)]
}

// isTaken tells whether all of a is used or offered.
func (a *agent) isTaken() bool {
	return a.Total.NonShared().Minus(a.Used.Add(a.Offered).NonShared().Unallocated()).IsEmpty()
}

// oldest is when the first of some offers was made; zero if there are none.
func oldest(offers map[ids.OfferID]*offer) time.Time {
	var t time.Time
	for _, o := range offers {
		t = earlier(t, o.Made)
	}
	return t
}

// earlier is the earlier of two times, zero meaning none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
