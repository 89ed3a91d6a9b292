package allocator

import (
	"net/url"
	"strings"

	"mezzo/allocator/sorter"
	"mezzo/resources"
	"mezzo/resources/quota"
)

// role is a role with clients.
type role struct {
	path    string
	node    *sorter.Node[*role]
	order   sorter.Sorter[*client]
	account *quota.Account
	clients int
	active  int // of them
}

// client is a framework in one of its roles.
type client struct {
	framework *framework
	role      *role
	node      *sorter.Node[*client]
	index     int32 // among all clients

	subscribed bool
	suppressed bool
	active     bool                   // in role.order
	agents     int                    // on which the framework uses something for the role
	minima     resources.Alternatives // nil: those of the Config
	constraint *constraint            // nil: takes all agents

	refusing int    // refusals in force
	age      uint64 // a refusal of another age is forgotten
}

// client finds or makes the client of f in the role.
func (a *Allocator) client(f *framework, path string) *client {
	if c := f.clients[path]; c != nil {
		return c
	}
	r := a.role(path)
	a.age++
	c := &client{framework: f, role: r, age: a.age}
	c.node = r.order.Add(url.PathEscape(string(f.ID)), c)
	r.clients++
	if n := len(a.freeIndex); n > 0 {
		c.index, a.freeIndex = a.freeIndex[n-1], a.freeIndex[:n-1]
		a.clients[c.index] = c
	} else {
		c.index = int32(len(a.clients))
		a.clients = append(a.clients, c)
	}
	f.clients[path] = c
	return c
}

func (a *Allocator) role(path string) *role {
	if r := a.roles[path]; r != nil {
		return r
	}
	r := &role{path: path, order: newSorter[*client](a.cfg.FrameworkSorter, a.totals, a.rand), account: a.ledger.Pin(path)}
	r.node = a.roleOrder.Add(path, r)
	a.roles[path] = r
	return r
}

// refresh puts the client into the order, or takes it out.
func (a *Allocator) refresh(c *client) {
	on := c.subscribed && !c.suppressed && c.framework.connected
	if on == c.active {
		return
	}
	c.active = on
	a.enlist(c, on)
	if on {
		a.active.Add(c.index)
		a.epoch++
	} else {
		a.active.Remove(c.index)
	}
}

// enlist puts the client, and its role with it, into the order or out of it.
func (a *Allocator) enlist(c *client, on bool) {
	c.role.order.SetActive(c.node, on)
	if c.role.active--; on {
		c.role.active += 2
	}
	a.roleOrder.SetActive(c.role.node, c.role.active > 0)
}

// prune removes the client if nothing holds it.
func (a *Allocator) prune(c *client) {
	if !c.subscribed && c.agents == 0 {
		a.removeClient(c)
	}
}

// removeClient forgets the client and takes what it is charged off its role.
func (a *Allocator) removeClient(c *client) {
	a.forget(c)
	c.subscribed = false
	a.refresh(c)
	a.constrain(c, nil)
	r := c.role
	if c.agents > 0 {
		for _, g := range a.order {
			part := g.used[c.framework.ID].AllocatedTo(r.path)
			a.roleOrder.Refund(r.node, charged(part))
		}
	}
	r.order.Remove(c.node)
	a.clients[c.index] = nil
	a.freeIndex = append(a.freeIndex, c.index)
	delete(c.framework.clients, r.path)
	if r.clients--; r.clients == 0 {
		a.roleOrder.Remove(r.node)
		delete(a.roles, r.path)
		a.ledger.Unpin(r.account)
	}
}

// charge counts q, used for the client's role on one agent beside had, against
// it and its role.
func (a *Allocator) charge(c *client, q resources.Quantities, had resources.Resources) {
	c.role.order.Charge(c.node, q)
	a.roleOrder.Charge(c.role.node, q)
	if !had.IsAllocatedTo(c.role.path) {
		c.agents++
	}
}

// chargeAll counts all that a framework uses on one agent.
func (a *Allocator) chargeAll(fw *framework, used resources.Resources) {
	for path, part := range used.Allocations() {
		a.charge(a.client(fw, path), charged(part), resources.Resources{})
	}
}

// refund takes part off again, left staying on its agent.
func (a *Allocator) refund(c *client, part, left resources.Resources) {
	q := charged(part)
	c.role.order.Refund(c.node, q)
	a.roleOrder.Refund(c.role.node, q)
	if !left.IsAllocatedTo(c.role.path) {
		c.agents--
		a.prune(c)
	}
}

// charged is what counts in fairness: all but what is shared.
func charged(r resources.Resources) resources.Quantities { return r.NonShared().Quantities() }

func parentOf(role string) string { return role[:max(0, strings.LastIndexByte(role, '/'))] }
