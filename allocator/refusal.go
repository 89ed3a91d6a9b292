package allocator

import (
	"container/heap"
	"slices"
	"time"

	"mezzo/internal/bitset"
	"mezzo/resources"
)

// refusal is resources of an agent that some clients do not want to be
// offered, nor any part of them.
type refusal struct {
	agent     *agent
	resources resources.Resources
	clients   bitset.Set
	again     map[*client]int // refused so often more while it was in force
}

// expiry is the end of one client's refusal.
type expiry struct {
	at      time.Time
	refusal *refusal
	client  *client
	age     uint64 // of the client when it refused
}

// refuse makes the client refuse r for d. Of two such refusals the longer
// one counts.
//
// Preconditions: g has no views yet, or they would not know of it.
func (a *Allocator) refuse(now time.Time, g *agent, c *client, r resources.Resources, d time.Duration) {
	if d < 0 {
		d = DefaultRefuse
	}
	d = min(max(d, a.cfg.MinRefuse), MaxRefuse)
	i := slices.IndexFunc(g.refusals, func(o *refusal) bool { return o.resources.Equal(r) })
	if i < 0 {
		i = len(g.refusals)
		g.refusals = append(g.refusals, &refusal{agent: g, resources: r})
	}
	ref := g.refusals[i]
	if ref.clients.Has(c.index) {
		if ref.again == nil {
			ref.again = map[*client]int{}
		}
		ref.again[c]++
	} else {
		ref.clients.Add(c.index)
		c.refusing++
	}
	a.refusals.add(expiry{now.Add(d), ref, c, c.age})
}

// expire ends the refusals whose time is over.
func (a *Allocator) expire(now time.Time) {
	h := &a.refusals
	for h.Len() > 0 && (!h.list[0].at.After(now) || !h.list[0].live()) {
		e := heap.Pop(h).(expiry)
		if !e.live() {
			continue
		}
		if n := e.refusal.again[e.client]; n > 0 {
			e.refusal.again[e.client]--
			continue
		}
		e.refusal.end(e.client)
	}
}

// NextWake is when the next refusal ends, so that Allocate may find more to
// offer. False: never, as things are.
func (a *Allocator) NextWake() (time.Time, bool) {
	for a.refusals.Len() > 0 {
		if e := a.refusals.list[0]; e.live() {
			return e.at, true
		}
		heap.Pop(&a.refusals)
	}
	return time.Time{}, false
}

// forget ends all refusals of the client.
func (a *Allocator) forget(c *client) {
	if c.refusing == 0 {
		return
	}
	for _, g := range a.order {
		for _, r := range slices.Clone(g.refusals) {
			if r.clients.Has(c.index) {
				delete(r.again, c)
				r.end(c)
			}
		}
	}
	a.age++
	c.age = a.age
}

// drop ends a refusal of all clients, when its agent goes.
func (a *Allocator) drop(r *refusal) {
	for _, c := range a.clients {
		if c != nil && r.clients.Has(c.index) {
			c.refusing--
		}
	}
	r.agent = nil
}

// end takes the client off the refusal, and the refusal off the agent if it
// was the last.
func (r *refusal) end(c *client) {
	r.clients.Remove(c.index)
	c.refusing--
	g := r.agent
	g.idle = 0
	if r.clients.IsEmpty() {
		g.refusals = slices.DeleteFunc(g.refusals, func(o *refusal) bool { return o == r })
	}
}

// live tells whether the refusal was not forgotten.
func (e *expiry) live() bool { return e.refusal.agent != nil && e.age == e.client.age }

// expiries is a heap of them, the earliest first.
type expiries struct {
	list    []expiry
	sweepAt int // length at which dead ones are thrown out
}

func (h *expiries) Len() int           { return len(h.list) }
func (h *expiries) Less(i, j int) bool { return h.list[i].at.Before(h.list[j].at) }
func (h *expiries) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *expiries) Push(x any)         { h.list = append(h.list, x.(expiry)) }

// Pop is the heap's.
func (h *expiries) Pop() any {
	e := h.list[len(h.list)-1]
	h.list[len(h.list)-1] = expiry{}
	h.list = h.list[:len(h.list)-1]
	return e
}

// add pushes e. Each time the heap has doubled, it first throws out the dead,
// or a client that refuses for a year and revives would fill it.
func (h *expiries) add(e expiry) {
	if len(h.list) >= h.sweepAt {
		h.list = slices.DeleteFunc(h.list, func(e expiry) bool { return !e.live() })
		heap.Init(h)
		h.sweepAt = max(1024, 2*len(h.list))
	}
	heap.Push(h, e)
}
