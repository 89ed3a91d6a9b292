package allocator

import "mezzo/internal/bitset"

// Constraint says which agents a framework takes offers of in a role. Equal
// keys mean equal constraints.
type Constraint interface {
	Key() string
	// Rejects says why not, or nothing if it takes the agent.
	Rejects(*Agent) string
}

// constraint is a Constraint and who has it.
type constraint struct {
	Constraint
	clients bitset.Set
}

// constrain sets the constraint of a client; nil: none.
func (a *Allocator) constrain(c *client, to Constraint) {
	if old := c.constraint; old != nil {
		if to != nil && old.Key() == to.Key() {
			return
		}
		old.clients.Remove(c.index)
		if old.clients.IsEmpty() {
			delete(a.constraints, old.Key())
			for _, g := range a.order {
				delete(g.judged, old)
			}
		}
	}
	c.constraint = nil
	if to == nil {
		return
	}
	n := a.constraints[to.Key()]
	if n == nil {
		n = &constraint{Constraint: to}
		a.constraints[to.Key()] = n
	}
	n.clients.Add(c.index)
	c.constraint = n
}

// takes tells whether g is one of those that the constraint takes.
func (g *agent) takes(n *constraint) bool {
	ok, known := g.judged[n]
	if !known {
		if g.judged == nil {
			g.judged = map[*constraint]bool{}
		}
		ok = n.Rejects(&g.Agent) == ""
		g.judged[n] = ok
	}
	return ok
}

// admits tells whether the client takes g.
func (a *Allocator) admits(g *agent, c *client) bool {
	return c.constraint == nil || g.takes(c.constraint)
}
