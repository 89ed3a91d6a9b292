package allocator

import (
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

// live tells whether the refusal was not forgotten.
func (e *expiry) live() bool { return e.refusal.agent != nil && e.age == e.client.age }

func earlier(a, b *expiry) bool { return a.at.Before(b.at) }

// refuse makes the client refuse r for d. Of two such refusals the longer
// one counts.
//
// Preconditions: the views of g are made anew before they are used.
func (a *Allocator) refuse(now time.Time, g *agent, c *client, r resources.Resources, d time.Duration) {
	if r.Equal(g.Total) {
		r = g.Total // once in memory
	}
	d = min(max(d, a.cfg.MinRefuse), MaxRefuse)
	i := slices.IndexFunc(g.refusals, func(o *refusal) bool { return o.resources.Equal(r) })
	if i < 0 {
		i = len(g.refusals)
		g.refusals = append(g.refusals, &refusal{agent: g, resources: r})
	}
	ref := g.refusals[i]
	if !ref.clients.Has(c.index) {
		ref.clients.Add(c.index)
		c.refusing++
	} else {
		if ref.again == nil {
			ref.again = map[*client]int{}
		}
		ref.again[c]++
	}
	// Or a client that refuses for a year and revives would fill the memory.
	if a.refusals.Len() >= a.sweepAt {
		a.refusals.Filter((*expiry).live)
		a.sweepAt = max(1024, 2*a.refusals.Len())
	}
	a.refusals.Push(expiry{now.Add(d), ref, c, c.age})
}

// expire ends the refusals whose time is over.
func (a *Allocator) expire(now time.Time) {
	for e := a.refusals.Min(); e != nil && (!e.at.After(now) || !e.live()); e = a.refusals.Min() {
		switch e := a.refusals.Pop(); {
		case !e.live():
		case e.refusal.again[e.client] > 0:
			e.refusal.again[e.client]--
		default:
			e.refusal.end(e.client)
		}
	}
}

// NextWake is when the next refusal ends, so that Allocate may find more to
// offer. False: never, as things are.
func (a *Allocator) NextWake() (time.Time, bool) {
	for e := a.refusals.Min(); e != nil; e = a.refusals.Min() {
		if e.live() {
			return e.at, true
		}
		a.refusals.Pop()
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
				r.end(c)
			}
		}
	}
	a.age++
	c.age = a.age
}

// end takes the client off the refusal, and the refusal off the agent if it
// was the last.
func (r *refusal) end(c *client) {
	r.clients.Remove(c.index)
	delete(r.again, c)
	c.refusing--
	g := r.agent
	g.idle = 0
	if r.clients.IsEmpty() {
		g.refusals = slices.DeleteFunc(g.refusals, func(o *refusal) bool { return o == r })
	}
}
