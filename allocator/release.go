package allocator

import (
	"fmt"
	"time"

	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// How long a refusal holds.
// Source: mesos docs/app-framework-development-guide.md, master/constants.hpp.
const (
	DefaultRefuse = 5 * time.Second
	MaxRefuse     = 365 * 24 * time.Hour
)

// Release gives back what a framework uses: an offer declined or rescinded, a
// task ended.
type Release struct {
	Framework ids.FrameworkID
	Agent     ids.AgentID
	Resources resources.Resources // allocated to roles, as offered
	// Refuse is how long not to be offered these or fewer of the agent, 0 for
	// not at all; negative stands for DefaultRefuse.
	Refuse time.Duration
}

// Release takes back what a framework, known or removed, uses on an agent.
//
// Errors: errs.NotFound if the agent is unknown; errs.Conflict if the
// framework does not use all of it there. Then nothing is changed.
func (a *Allocator) Release(now time.Time, r Release) error {
	g, err := a.agent(r.Agent)
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	left, ok := g.used[r.Framework].Sub(r.Resources)
	if !ok {
		return fmt.Errorf("release %v on agent %s: framework %s uses %q there: %w",
			r.Resources, r.Agent, r.Framework, g.used[r.Framework], errs.Conflict)
	}
	a.use(g, r.Framework, left)
	g.taken = g.taken.Minus(r.Resources.NonShared().Unallocated())
	a.consume(r.Resources, -1)
	a.offerable(g)
	fw := a.frameworks[r.Framework]
	if fw == nil {
		return nil
	}
	for role, part := range r.Resources.Allocations() {
		c := fw.clients[role]
		if r.Refuse != 0 && c.subscribed {
			a.refuse(now, g, c, part.Unallocated(), r.Refuse)
		}
		a.refund(c, part, left)
	}
	return nil
}
