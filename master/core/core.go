package core

import (
	"fmt"
	"time"

	"mezzo/allocator"
	"mezzo/api/ids"
	"mezzo/master/registry"
)

// Core is the master's state. Make one with New.
type Core struct {
	cfg   Config
	alloc *allocator.Allocator

	policy    policy
	orders    orders
	whitelist map[string]bool // hosts; nil: all

	frameworks map[ids.FrameworkID]*framework
	tasks      int // of all of them
	completed  history[ids.FrameworkID, *framework]
	streams    map[StreamID]*framework

	agents      map[ids.AgentID]*agent
	conns       map[ConnID]*agent
	addresses   map[string]map[ids.AgentID]bool // where agents listen
	unreachable history[ids.AgentID, time.Time]
	recovered   map[ids.AgentID]*absent // by masters before
	recoveredAt map[string]ids.AgentID  // where each listened
	scheduled   map[ids.AgentID]*agent  // those with an Unavailability
	emptied     []ids.AgentID           // in this Step, while they are drained

	offers map[ids.OfferID]*offer

	lastFramework, lastAgent, lastOffer, lastOperation uint64

	timers   timers
	timerSeq uint64

	fresh         bool      // nobody is known from before
	absentAtStart int       // of recovered
	nextRemoval   time.Time // of an agent, at the earliest
	touched       touched
	kept          map[string]uint64 // hashes of the registry's variables, by name

	candidates     map[ids.AgentID]bool // to be offered from at the next round
	candidatesAll  bool
	lastAllocation time.Time

	watched bool // changes are told

	counts   Counts
	taskEnds map[TaskEnd]uint64

	started time.Time
	now     time.Time // of this Step
	effects []Effect  // of this Step
}

// New makes a core that knows what masters before kept. What it changes in that,
// the first Step stores.
func New(now time.Time, cfg Config, before *registry.State) (*Core, error) {
	alloc, err := allocator.New(cfg.Allocator)
	if err != nil {
		return nil, fmt.Errorf("make core: %w", err)
	}
	c := &Core{
		cfg:         cfg,
		alloc:       alloc,
		policy:      newPolicy(),
		orders:      newOrders(cfg.MaxUnreachableAgents),
		frameworks:  map[ids.FrameworkID]*framework{},
		completed:   newHistory[ids.FrameworkID, *framework](cfg.MaxCompletedFrameworks),
		streams:     map[StreamID]*framework{},
		agents:      map[ids.AgentID]*agent{},
		conns:       map[ConnID]*agent{},
		addresses:   map[string]map[ids.AgentID]bool{},
		unreachable: newHistory[ids.AgentID, time.Time](cfg.MaxUnreachableAgents),
		scheduled:   map[ids.AgentID]*agent{},
		recovered:   map[ids.AgentID]*absent{},
		recoveredAt: map[string]ids.AgentID{},
		offers:      map[ids.OfferID]*offer{},
		touched:     newTouched(),
		kept:        map[string]uint64{},
		candidates:  map[ids.AgentID]bool{},
		taskEnds:    map[TaskEnd]uint64{},
		started:     now,
		now:         now,
	}
	c.after(cfg.AllocationInterval, c.allocateAll)
	c.after(cfg.CollectInterval, c.collect)
	c.after(orphanPatience, c.adoptOrphans)
	if err := c.recover(before); err != nil {
		return nil, fmt.Errorf("recover from the registry: %w", err)
	}
	if len(cfg.Weights) > 0 && len(c.policy.weights) == 0 {
		if err := c.setWeights(cfg.Weights); err != nil {
			return nil, fmt.Errorf("make core: %w", err)
		}
	}
	return c, nil
}

// Step takes one event and returns what is to be done about it, in order. Time
// must not go backwards.
func (c *Core) Step(now time.Time, ev Event) []Effect {
	c.now = now
	switch ev := ev.(type) {
	case SchedulerCall:
		c.reply(c.schedulerCall(ev))
	case StreamClosed:
		c.streamClosed(ev.Stream)
	case AgentHello:
		c.agentHello(ev)
	case AgentMessage:
		c.agentMessage(ev)
	case AgentDisconnected:
		c.agentDisconnected(ev.Conn)
	case KillTask:
		c.reply(c.killByOperator(ev))
	case SetQuotas:
		c.reply(c.setQuotas(ev))
	case SetWeights:
		c.reply(c.setWeights(ev.Weights))
	case SetDeactivated:
		c.reply(c.setDeactivated(ev))
	case DrainAgent:
		c.reply(c.drainAgent(ev))
	case MarkAgentGone:
		c.reply(c.markGone(ev.Agent))
	case SetSchedule:
		c.reply(c.setSchedule(ev.Schedule))
	case StartMaintenance:
		c.reply(c.startMaintenance(ev.Machines))
	case StopMaintenance:
		c.reply(c.stopMaintenance(ev.Machines))
	case Teardown:
		c.reply(c.teardownByOperator(ev.Framework))
	case Operate:
		c.reply(c.convertByOperator(ev))
	case SetWhitelist:
		c.setWhitelist(ev)
	case Explain:
		explanation, err := c.explain(ev)
		c.emit(Reply{err, explanation})
	case Watch:
		c.watched = ev.On
	case Tick:
		c.fireTimers()
		c.allocateCandidates()
	}
	c.finishDrains()
	c.store()
	effects := c.effects
	c.effects = nil
	return effects
}

// NextWake is when the core wants a Tick; there always is a next one.
func (c *Core) NextWake() time.Time {
	next := c.timers[0].at
	if wanted := c.lastAllocation.Add(c.allocationGap()); c.wantsAllocation() && !c.startsSlowly() && wanted.Before(next) {
		return wanted
	}
	return next
}

func (c *Core) emit(e Effect)   { c.effects = append(c.effects, e) }
func (c *Core) reply(err error) { c.emit(Reply{Err: err}) }

// trace logs message with pairs of key and value.
func (c *Core) trace(l Level, message string, pairs ...string) {
	attrs := make([]Attr, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		attrs = append(attrs, Attr{pairs[i], pairs[i+1]})
	}
	c.emit(Trace{l, message, attrs})
}
