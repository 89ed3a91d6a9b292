package core

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/task"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
)

// Config is what a core is told once.
type Config struct {
	Agent         *v1.AgentInfo // as it registers; with an id once it has one
	Version       string
	Address       string        // of the agent's HTTP API, "ip:port"
	IP            string        // told as the address of tasks on the host's network
	ShutdownGrace time.Duration // longest grace of tasks that end with their framework or the agent
	NewID         func() [16]byte

	// How long an executor may take to subscribe after its container started, and
	// after the agent did.
	ExecutorRegistrationTimeout, ExecutorReregistrationTimeout time.Duration

	MaxCompletedFrameworks        int
	MaxCompletedTasksPerFramework int
}

// Core is the state of one agent.
type Core struct {
	cfg      Config
	agent    *v1.AgentInfo // never changed in place
	master   *v1.MasterInfo
	attached bool
	stopping *stopping // set once every task is to end

	operations []*operation // not acknowledged, in order of arrival

	frameworks []*framework // with live tasks, in order of arrival
	past       []*framework // without, the oldest first
	live       []*entry     // in order of arrival
	containers map[ids.ContainerID]*entry
	executors  map[ids.ContainerID]*executor
	counters   Counters

	lastArrived     int64    // of entry.arrived
	dirty           []*entry // what is kept of them is no longer true
	dirtyFrameworks []*framework
	dirtyExecutors  []*executor

	now     time.Time
	effects []Effect
}

// lastWords is how long the end waits for the last acknowledgements once no
// container is left: a framework that listens answers at once.
const lastWords = time.Second

// stopping is an end under way.
type stopping struct {
	exit Exit
	by   time.Time // no longer than that; zero while a container is left
	left bool      // exit was asked for
}

// New makes the core of an agent that runs nothing.
func New(cfg Config) *Core {
	return &Core{cfg: cfg, agent: cfg.Agent, containers: make(map[ids.ContainerID]*entry), executors: make(map[ids.ContainerID]*executor)}
}

// Step applies ev at the time now and returns what is to be done about it. What
// is to be saved comes first.
func (c *Core) Step(now time.Time, ev Event) []Effect {
	c.now, c.effects = now, nil
	switch ev := ev.(type) {
	case Attached:
		c.attach(ev.Welcome)
	case Detached:
		c.attached = false
	case RunTask:
		c.runTask(ev)
	case RunGroup:
		c.runGroup(ev)
	case ExecutorSubscribed:
		c.subscribed(ev)
	case ExecutorDetached:
		c.detached(ev)
	case ExecutorUpdate:
		if x := c.executors[ev.Container]; x != nil {
			c.told(x, ev.Status)
		}
	case ExecutorMessage:
		c.executorSays(ev)
	case Message:
		c.message(ev.Message)
	case Launched:
		c.launched(ev)
	case Progressed:
		c.progressed(ev)
	case LaunchFailed:
		c.launchFailed(ev)
	case Exited:
		c.exited(ev)
	case Destroyed:
		c.destroyed(ev)
	case Stop:
		c.stop(Exit{Why: ev.Why})
	case Probed:
		c.probed(ev)
	case Evict:
		c.evict(ev)
	case Tick:
	}
	c.fireTimers()
	c.flush()
	c.leave()
	effects := append(c.saves(), c.effects...)
	c.effects = nil
	return effects
}

// NextWake is when a Tick is due, if ever.
func (c *Core) NextWake() (time.Time, bool) {
	var next time.Time
	found := false
	earlier := func(at time.Time, ok bool) {
		if ok && (!found || at.Before(next)) {
			next, found = at, true
		}
	}
	if s := c.stopping; s != nil {
		earlier(s.by, !s.left && !s.by.IsZero())
	}
	for _, x := range c.executors {
		if !x.group {
			earlier(x.life.Deadline, !x.life.Deadline.IsZero())
		}
	}
	for _, e := range c.live {
		earlier(e.life.NextWake())
		if e.life.State() == task.Running {
			if e.probes.health != nil {
				earlier(e.probes.health.NextWake())
			}
			if e.probes.check != nil {
				earlier(e.probes.check.NextWake())
			}
		}
		if c.attached && !e.framework.removed {
			earlier(e.stream.NextWake())
		}
	}
	for _, o := range c.operations {
		earlier(o.due, c.attached)
	}
	return next, found
}

// Hello is what opens a stream to a master.
func (c *Core) Hello() *link.Hello {
	h := &link.Hello{Agent: c.agent, Version: c.cfg.Version, Address: c.cfg.Address, Capabilities: capabilities()}
	for _, f := range c.frameworks {
		h.Frameworks = append(h.Frameworks, f.info)
		for _, x := range f.executors {
			h.Executors = append(h.Executors, x.info)
		}
	}
	for _, e := range c.live {
		h.Tasks = append(h.Tasks, e.proto())
	}
	for _, o := range c.operations {
		h.Operations = append(h.Operations, o.update())
	}
	return h
}

// capabilities are what this agent can do of Mesos's list.
func capabilities() []*v1.AgentInfo_Capability {
	var all []*v1.AgentInfo_Capability
	for _, t := range []v1.AgentInfo_Capability_Type{
		v1.AgentInfo_Capability_MULTI_ROLE,
		v1.AgentInfo_Capability_HIERARCHICAL_ROLE,
		v1.AgentInfo_Capability_RESERVATION_REFINEMENT,
		v1.AgentInfo_Capability_RESIZE_VOLUME,
		v1.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK,
		v1.AgentInfo_Capability_TASK_RESOURCE_LIMITS,
	} {
		all = append(all, &v1.AgentInfo_Capability{Type: t.Enum()})
	}
	return all
}

// CapabilityNames are the names of what this agent can do.
func CapabilityNames() []string {
	var names []string
	for _, c := range capabilities() {
		names = append(names, c.GetType().String())
	}
	return names
}

// attach takes the master's word on who this agent is. Every update that is
// not acknowledged is due at once.
func (c *Core) attach(w *link.Welcome) {
	c.agent = proto.CloneOf(c.agent)
	c.agent.Id = w.GetAgentId()
	c.master, c.attached = w.GetMaster(), true
	for _, e := range c.live {
		e.stream.Rewind()
	}
	for _, o := range c.operations {
		o.due, o.retry = time.Time{}, 0
	}
	c.trace(Info, "registered with master", Attr{"agent_id", c.agentID()}, Attr{"master", w.GetMaster().GetHostname()})
}

// stop ends every task, for the given reason.
func (c *Core) stop(x Exit) {
	if c.stopping != nil {
		return
	}
	c.stopping = &stopping{exit: x}
	for _, e := range c.live {
		if e.executor == nil {
			c.step(e, c.shutdownKill(e, task.End{Message: x.Why}))
		}
	}
	for _, f := range slices.Clone(c.frameworks) {
		for _, own := range slices.Clone(f.executors) {
			c.endExecutor(own, min(own.grace(c.cfg), c.cfg.ShutdownGrace), task.End{Message: x.Why})
		}
	}
}

// leave asks for the end of the agent once nothing holds it: no container, and
// no update that a master that listens could still take.
func (c *Core) leave() {
	s := c.stopping
	if s == nil || s.left {
		return
	}
	owed := false
	for _, x := range c.executors {
		if x.held {
			return
		}
	}
	for _, e := range c.live {
		if e.held {
			return
		}
		owed = owed || !e.framework.removed
	}
	if s.by.IsZero() {
		s.by = c.now.Add(lastWords)
	}
	if owed && c.attached && !s.exit.Removed && c.now.Before(s.by) {
		return
	}
	s.left = true
	c.emit(s.exit)
}

// fireTimers steps every task whose time has come.
func (c *Core) fireTimers() {
	c.fireExecutors()
	for _, e := range c.live {
		for ev, ok := e.life.Due(c.now); ok; ev, ok = e.life.Due(c.now) {
			c.step(e, ev)
		}
		c.fireProbes(e)
	}
}

// flush sends every update that is due.
func (c *Core) flush() {
	if !c.attached {
		return
	}
	for _, e := range c.live {
		if e.framework.removed {
			continue
		}
		if u, ok := e.stream.Due(c.now); ok {
			c.send(e, u)
		}
	}
	c.tellOperations()
}

func (c *Core) agentID() string { return c.agent.GetId().GetValue() }

func (c *Core) emit(e Effect) { c.effects = append(c.effects, e) }

func (c *Core) trace(l Level, message string, attrs ...Attr) {
	c.emit(Trace{Level: l, Message: message, Attrs: attrs})
}
