package allocator

import (
	"fmt"
	"time"

	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// MaxRefuse is how long a refusal holds at most.
const MaxRefuse = 365 * 24 * time.Hour

// Release gives back what a framework uses: an offer declined or rescinded, a
// task ended.
type Release struct {
	Framework ids.FrameworkID
	Agent     ids.AgentID
	Resources resources.Resources // allocated to roles, as offered
	Refuse    time.Duration       // not to be offered these or fewer of the agent
}

// Release takes back what a framework, known or removed, uses on an agent.
//
// Errors: errs.Conflict if the framework does not use all of it there.
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
	if fw := a.frameworks[r.Framework]; fw != nil && r.Refuse > 0 {
		for role, part := range r.Resources.Allocations() {
			if c := fw.clients[role]; c.subscribed {
				a.refuse(now, g, c, part.Unallocated(), r.Refuse)
			}
		}
	}
	a.takeBack(g, r.Framework, r.Resources, left)
	a.offerable(g)
	return nil
}

// takeBack undoes that a framework uses r on g, and leaves it left.
func (a *Allocator) takeBack(g *agent, f ids.FrameworkID, r, left resources.Resources) {
	a.use(g, f, left)
	g.taken = g.taken.Minus(r.NonShared().Unallocated())
	fw := a.frameworks[f]
	for role, part := range r.Allocations() {
		if a.consume(role, part, -1); fw != nil {
			a.refund(fw.clients[role], part, left)
		}
	}
}
