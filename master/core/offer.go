package core

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/assert"
	"mezzo/resources"
)

// Offer is something of one agent promised to one role of one framework. It is
// never changed.
type Offer struct {
	ID        ids.OfferID
	Framework ids.FrameworkID
	Agent     ids.AgentID
	Role      string
	Resources resources.Resources // allocated to Role
	Made      time.Time

	executors []*v1.ExecutorID // the framework's there, when the offer was made

	host Agent // as it was when the offer was made
}

// offer adds what only the core needs.
type offer struct {
	*Offer
	number    uint64 // offers are ordered by when they were made
	framework *framework
	agent     *agent
	expiry    *timer // nil if it lasts
}

// makeOffer books an offer.
func (c *Core) makeOffer(f *framework, a *agent, role string, res resources.Resources) *offer {
	number := c.lastOffer
	c.lastOffer++
	o := &offer{
		Offer: &Offer{
			ID:        ids.OfferID(c.cfg.Master.GetId() + "-O" + strconv.FormatUint(number, 10)),
			Framework: f.ID,
			Agent:     a.ID,
			Role:      role,
			Resources: res,
			Made:      c.now,
			executors: a.executorsOf(f.ID),
			host:      a.Agent,
		},
		number:    number,
		framework: f,
		agent:     a,
	}
	c.offers[o.ID], f.offers[o.ID], a.offers[o.ID] = o, o, o
	a.Offered = a.Offered.Add(res)
	f.Counts.OffersSent++
	if c.cfg.OfferTimeout > 0 {
		o.expiry = c.after(c.cfg.OfferTimeout, func() { c.rescind(o) })
	}
	return o
}

// Proto is the offer in the form of the v1 API.
func (o *Offer) Proto() *v1.Offer {
	return &v1.Offer{
		Id:             o.ID.Proto(),
		FrameworkId:    o.Framework.Proto(),
		AgentId:        o.Agent.Proto(),
		Hostname:       o.host.Info.Hostname,
		Attributes:     o.host.Info.Attributes,
		Domain:         o.host.Info.Domain,
		Url:            agentURL(&o.host),
		Unavailability: o.host.Unavailability,
		AllocationInfo: &v1.Resource_AllocationInfo{Role: proto.String(o.Role)},
		Resources:      o.Resources.Proto(),
		ExecutorIds:    o.executors,
	}
}

// protoFor is the offer as f understands it: who has no MULTI_ROLE never saw
// allocation infos, who has no RESERVATION_REFINEMENT no stacks.
func (o *Offer) protoFor(f *framework) *v1.Offer {
	p, res, format := o.Proto(), o.Resources, resources.Refined
	if !isMultiRole(f.Info) {
		p.AllocationInfo, res = nil, res.Unallocated()
	}
	if !f.has(v1.FrameworkInfo_Capability_RESERVATION_REFINEMENT) {
		format = resources.Legacy
	}
	var err error
	p.Resources, err = res.ProtoAs(format)
	assert.That(err == nil, "offer %s was allocated to who cannot read it: %v", o.ID, err)
	return p
}

// agentURL is where an agent's own API answers.
func agentURL(a *Agent) *v1.URL {
	i := strings.LastIndexByte(a.Address, ':')
	port, _ := strconv.ParseInt(a.Address[i+1:], 10, 32)
	return &v1.URL{
		Scheme: proto.String("http"),
		Address: &v1.Address{
			Hostname: a.Info.Hostname,
			Ip:       proto.String(strings.Trim(host(a.Address), "[]")),
			Port:     proto.Int32(int32(port)),
		},
		Path: proto.String("/slave(1)"),
	}
}

// unbook forgets an offer, whatever becomes of its resources.
func (c *Core) unbook(o *offer) {
	c.cancel(o.expiry)
	delete(c.offers, o.ID)
	delete(o.framework.offers, o.ID)
	delete(o.agent.offers, o.ID)
	o.agent.Offered = minus(o.agent.Offered, o.Resources)
}

// discard takes an offer back that its framework does not want for refuse. Who
// else wants it gets it soon; a refusal for no time at all waits for the next
// round to everybody, or the same offer would go back and forth without pause.
func (c *Core) discard(o *offer, refuse time.Duration) {
	c.unbook(o)
	c.release(o.framework, o.agent, o.Resources, refuse)
	if refuse != 0 {
		c.wantAllocation(o.agent.ID)
	}
}

// rescind takes an offer back that its framework may still think about.
func (c *Core) rescind(o *offer) {
	o.framework.Counts.OffersRescinded++
	c.discard(o, 0)
	c.wantAllocation(o.agent.ID)
	c.send(o.framework, rescindEvent(o.ID))
}

// rescindAll takes back all offers of a, inverse ones too.
func (c *Core) rescindAll(a *agent) {
	for _, o := range a.sortedOffers() {
		c.rescind(o)
	}
	for _, o := range sortInverse(a.inverse) {
		c.rescindInverse(o)
	}
}

// decline is the DECLINE call; offers that are gone don't matter.
func (c *Core) decline(f *framework, call *scheduler.Call_Decline) {
	c.counts[MessagesDeclineOffers]++
	for _, id := range call.GetOfferIds() {
		if o, ok := f.offers[ids.OfferID(id.GetValue())]; ok {
			f.Counts.OffersDeclined++
			c.discard(o, refuseFor(call.GetFilters()))
		}
	}
}

func (f *framework) sortedOffers() []*offer { return sortOffers(f.offers) }
func (a *agent) sortedOffers() []*offer     { return sortOffers(a.offers) }

func sortOffers(m map[ids.OfferID]*offer) []*offer {
	return slices.SortedFunc(maps.Values(m), func(a, b *offer) int { return cmp.Compare(a.number, b.number) })
}
