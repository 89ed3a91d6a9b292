package core

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/allocator"
	"mezzo/api/mesos/v1/scheduler"
)

// InverseOffer asks a framework to be off an agent in time. It is never changed.
type InverseOffer struct {
	ID        ids.OfferID
	Framework ids.FrameworkID
	Agent     ids.AgentID

	host Agent // as it was when the offer was made
}

// inverseOffer adds what only the core needs. There is one for a framework and
// an agent at a time.
type inverseOffer struct {
	*InverseOffer
	number    uint64 // of the same series as those of offers
	framework *framework
	agent     *agent
	expiry    *timer // nil if it lasts
}

// Answer is what a framework last said of leaving an agent. It is never changed.
type Answer struct {
	Framework ids.FrameworkID
	Status    allocator.InverseOfferStatus_Status
	At        time.Time // of the answer, or of the first offer while there is none

	until time.Time // when it may be asked again
}

// Proto is the inverse offer in the form of the v1 API. It asks for the whole
// agent, so it names no resources.
func (o *InverseOffer) Proto() *v1.InverseOffer {
	return &v1.InverseOffer{
		Id:             o.ID.Proto(),
		Url:            agentURL(&o.host),
		FrameworkId:    o.Framework.Proto(),
		AgentId:        o.Agent.Proto(),
		Unavailability: o.host.Unavailability,
	}
}

// sendInverseOffers asks all who have something on agents that will be away,
// unless they were asked and did not answer, or do not want to be asked now.
// Nil means all agents.
//
// Source: mesos allocator/mesos/hierarchical.cpp, generateInverseOffers.
func (c *Core) sendInverseOffers(agents []ids.AgentID) {
	if len(c.scheduled) == 0 {
		return
	}
	if agents == nil {
		agents = sortedKeys(c.scheduled)
	}
	events := map[ids.FrameworkID]*scheduler.Event_InverseOffers{}
	for _, id := range agents {
		a := c.scheduled[id]
		if a == nil || !a.Connected {
			continue
		}
		for _, user := range c.alloc.Users(id) {
			f := c.frameworks[user]
			answer := a.answers[user]
			if f == nil || !f.Connected || a.inverse[user] != nil || answer != nil && answer.until.After(c.now) {
				continue
			}
			if events[user] == nil {
				events[user] = &scheduler.Event_InverseOffers{}
			}
			o := c.makeInverse(f, a)
			events[user].InverseOffers = append(events[user].InverseOffers, o.Proto())
		}
	}
	for _, id := range sortedKeys(events) {
		c.send(c.frameworks[id], &scheduler.Event{Type: scheduler.Event_INVERSE_OFFERS.Enum(), InverseOffers: events[id]})
	}
}

// makeInverse books an inverse offer.
func (c *Core) makeInverse(f *framework, a *agent) *inverseOffer {
	number := c.lastOffer
	c.lastOffer++
	o := &inverseOffer{
		InverseOffer: &InverseOffer{
			ID:        ids.OfferID(c.cfg.Master.GetId() + "-O" + strconv.FormatUint(number, 10)),
			Framework: f.ID,
			Agent:     a.ID,
			host:      a.Agent,
		},
		number:    number,
		framework: f,
		agent:     a,
	}
	f.inverse[o.ID], a.inverse[f.ID] = o, o
	c.counts[InverseOffersSent]++
	if a.answers[f.ID] == nil {
		a.answers[f.ID] = &Answer{Framework: f.ID, Status: allocator.InverseOfferStatus_UNKNOWN, At: c.now}
	}
	if c.cfg.OfferTimeout > 0 {
		o.expiry = c.after(c.cfg.OfferTimeout, func() { c.rescindInverse(o) })
	}
	return o
}

// unbookInverse forgets an inverse offer; the answers stay.
func (c *Core) unbookInverse(o *inverseOffer) {
	c.cancel(o.expiry)
	delete(o.framework.inverse, o.ID)
	delete(o.agent.inverse, o.Framework)
}

// rescindInverse takes an inverse offer back that nobody answered.
func (c *Core) rescindInverse(o *inverseOffer) {
	c.counts[InverseOffersRescinded]++
	c.unbookInverse(o)
	c.send(o.framework, rescindInverseEvent(o.ID))
}

// answerInverse is ACCEPT_INVERSE_OFFERS and DECLINE_INVERSE_OFFERS: it moves no
// task, it is what the operator reads. Offers that are gone don't matter.
func (c *Core) answerInverse(f *framework, status allocator.InverseOfferStatus_Status, list []*v1.OfferID, filters *v1.Filters) {
	refuse := max(refuseFor(filters), c.cfg.AllocationInterval)
	for _, p := range list {
		o, ok := f.inverse[ids.OfferID(p.GetValue())]
		if !ok {
			c.counts[DroppedMessages]++
			continue
		}
		if status == allocator.InverseOfferStatus_ACCEPT {
			c.counts[InverseOffersAccepted]++
		} else {
			c.counts[InverseOffersDeclined]++
		}
		c.unbookInverse(o)
		o.agent.answers[f.ID] = &Answer{Framework: f.ID, Status: status, At: c.now, until: c.now.Add(refuse)}
		c.trace(Info, "inverse offer answered", "framework_id", string(f.ID), "agent_id", string(o.Agent), "answer", status.String())
	}
}

// askAgain forgets for how long f does not want inverse offers; what it said
// stays.
func (c *Core) askAgain(f *framework) {
	for _, id := range sortedKeys(c.scheduled) {
		if answer := c.scheduled[id].answers[f.ID]; answer != nil {
			anew := *answer
			anew.until = time.Time{}
			c.scheduled[id].answers[f.ID] = &anew
		}
	}
}

// forgetAnswers drops all that f, which is removed, said of leaving.
func (c *Core) forgetAnswers(f *framework) {
	for _, a := range c.scheduled {
		delete(a.answers, f.ID)
	}
}

// Proto is the answer in the form of the v1 API.
func (a *Answer) Proto() *allocator.InverseOfferStatus {
	return &allocator.InverseOfferStatus{
		Status:      a.Status.Enum(),
		FrameworkId: a.Framework.Proto(),
		Timestamp:   TimeInfo(a.At),
	}
}

func rescindInverseEvent(id ids.OfferID) *scheduler.Event {
	return &scheduler.Event{
		Type:                scheduler.Event_RESCIND_INVERSE_OFFER.Enum(),
		RescindInverseOffer: &scheduler.Event_RescindInverseOffer{InverseOfferId: id.Proto()},
	}
}

func sortInverse[K comparable](m map[K]*inverseOffer) []*inverseOffer {
	return slices.SortedFunc(maps.Values(m), func(a, b *inverseOffer) int { return cmp.Compare(a.number, b.number) })
}
