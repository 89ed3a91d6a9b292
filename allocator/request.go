package allocator

import (
	"fmt"
	"slices"

	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// Request is what a framework asks for: so much, of one agent. It is pending
// until the framework was offered it.
//
// Among those that are due the same, who asks for what an agent has comes
// first; while others wait too it is offered that, not the whole agent.
type Request struct {
	Agent  ids.AgentID // empty: any
	Amount resources.Quantities
}

// String prints "cpus:2;mem:1024 of agent A".
func (r Request) String() string {
	if r.Agent == "" {
		return r.Amount.String()
	}
	return r.Amount.String() + " of agent " + string(r.Agent)
}

// SetRequests replaces what a framework asks for.
//
// Ownership: list is the allocator's from now on.
// Errors: errs.Exhausted, with the figures, if there are agents, but none that
// could ever satisfy one.
//
// What the framework refused so far is forgotten, as by Revive.
func (a *Allocator) SetRequests(id ids.FrameworkID, list []Request) error {
	fw, err := a.framework(id)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	for _, r := range list {
		if err := a.checkRequest(fw, r); err != nil {
			return fmt.Errorf("request %v for framework %s: %w", r, id, err)
		}
	}
	a.askFor(fw, list)
	if len(list) > 0 { // what it asks for it does not refuse
		for _, c := range fw.clients {
			a.forget(c)
		}
	}
	return nil
}

// Requests is what a framework asks for and was not offered yet.
//
// Ownership: the result must not be changed.
func (a *Allocator) Requests(id ids.FrameworkID) []Request {
	if fw := a.frameworks[id]; fw != nil {
		return fw.requests
	}
	return nil
}

func (a *Allocator) askFor(fw *framework, list []Request) {
	if len(fw.requests) > 0 {
		a.asking--
	}
	if fw.requests = list; len(list) > 0 {
		a.asking++
	}
}

// checkRequest tells why a request can't ever be satisfied, as things are.
func (a *Allocator) checkRequest(fw *framework, r Request) error {
	if len(r.Amount) == 0 {
		return fmt.Errorf("it asks for nothing: %w", errs.Invalid)
	}
	agents := a.order
	if r.Agent != "" {
		g, err := a.agent(r.Agent)
		if err != nil {
			return err
		}
		agents = []*agent{g}
	}
	if len(agents) == 0 {
		return nil // those to come may
	}
	var most resources.Quantities
	for _, c := range fw.sortedClients() {
		for _, g := range agents {
			if !c.subscribed || !a.admits(g, c) {
				continue
			}
			has := usable(g, g.Total, c.role.path, fw.Caps).Quantities()
			if has.Contains(r.Amount) {
				return nil
			}
			most = most.Max(has)
		}
	}
	return fmt.Errorf("no agent has as much, the most are %v: %w", most, errs.Exhausted)
}

// asked is what g has of what the client asks for, with the identities it has
// there; nothing if it asks for nothing that g has.
func (a *Allocator) asked(g *agent, c *client, has resources.Resources) resources.Resources {
	for _, r := range c.framework.requests {
		if r.Agent != "" && r.Agent != g.ID || !has.Quantities().Contains(r.Amount) {
			continue
		}
		part, ok := has.Find(r.Amount.Resources(), c.role.path)
		if ok && a.minima(c).MetBy(part.Quantities()) && !g.refuses(c, part) {
			return part
		}
	}
	return resources.Resources{}
}

// prefer is c, who is first to be offered part of g; or one who is due the same
// and asked for what g has. Who asked gets that much if others wait too.
func (a *Allocator) prefer(g *agent, c *client, part resources.Resources) (*client, resources.Resources) {
	others := a.want.Len() > 1
	for r := range a.roleOrder.Order() {
		if !a.roleOrder.Tied(r.node, c.role.node) {
			continue
		}
		var first *client
		for n := range r.order.Order() {
			if first != nil && !r.order.Tied(n.node, first.node) {
				break
			}
			if !a.want.Has(n.index) || first != nil && len(n.framework.requests) == 0 {
				continue
			}
			all := a.fit(g, n, 1, false)
			if all.IsEmpty() {
				continue
			}
			if first == nil {
				first = n
			}
			if asked := a.asked(g, n, all); !asked.IsEmpty() {
				if others {
					all = asked
				}
				return n, all
			}
		}
	}
	return c, part
}

// answer forgets the requests that o satisfies.
func (a *Allocator) answer(o *Offer) {
	fw, q := a.frameworks[o.Framework], o.Resources.Quantities()
	a.askFor(fw, slices.DeleteFunc(slices.Clone(fw.requests), func(r Request) bool {
		return (r.Agent == "" || r.Agent == o.Agent) && q.Contains(r.Amount)
	}))
}
