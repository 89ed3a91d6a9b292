package core

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"mezzo/allocator"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

var errUnreachable = fmt.Errorf("agent is unreachable: %w", errs.Unavailable)

// agentHello admits an agent, or takes it back. One that makes no sense is
// turned away and may try again; one that pretends to be another is shut down.
func (c *Core) agentHello(ev AgentHello) {
	h, err := c.checkHello(ev)
	if err != nil {
		c.refuseAgent(ev.Conn, ev.Hello, err)
		return
	}
	if c.turnAway(ev.Conn, h) {
		return
	}
	id := ids.AgentID(h.Agent.GetId().GetValue())
	if id == "" {
		c.register(ev.Conn, h)
		return
	}
	c.counts[MessagesReregisterAgent]++
	a, known := c.agents[id]
	var admitted bool
	before := c.recovered[id]
	switch {
	case before != nil && before.info.GetHostname() != h.Agent.GetHostname():
		c.shutdownAgent(ev.Conn, fmt.Sprintf("agent %s is known at %s, not %s", id, before.info.GetHostname(), h.Agent.GetHostname()))
	case !known:
		admitted = c.admit(ev.Conn, h, id)
	case a.Info.GetHostname() != h.Agent.GetHostname() || host(a.Address) != host(h.address):
		c.shutdownAgent(ev.Conn, fmt.Sprintf("agent %s is known at %s (%s), not %s (%s)",
			id, a.Info.GetHostname(), a.Address, h.Agent.GetHostname(), h.address))
	default:
		admitted = c.reregister(a, ev.Conn, h)
	}
	if !admitted {
		return
	}
	c.counts[AgentReregistrations]++
	if _, lost := c.unreachable.get(id); lost {
		c.unreachable.remove(id)
		c.touchAgent(id)
		c.settle(id, v1.TaskState_TASK_GONE, cameWithout)
	}
	c.endTasks(c.agents[id], false)
}

// refuseAgent ends a stream whose agent may try again.
func (c *Core) refuseAgent(conn ConnID, h *link.Hello, err error) {
	c.emit(CloseAgent{conn, err})
	c.trace(Warn, "agent refused", "hostname", h.GetAgent().GetHostname(), "err", err.Error())
}

// shutdownAgent ends an agent that is not who it says.
func (c *Core) shutdownAgent(conn ConnID, why string) {
	c.emit(SendAgent{conn, &link.FromMaster{Message: &link.FromMaster_Shutdown{Shutdown: &link.Shutdown{Message: why}}}})
	c.emit(CloseAgent{conn, fmt.Errorf("%s: %w", why, errs.Conflict)})
	c.trace(Warn, "agent shut down", "err", why)
}

// register gives a new agent an id. An agent that had the same address is no
// more: two cannot listen there.
func (c *Core) register(conn ConnID, h *hello) {
	c.counts[MessagesRegisterAgent]++
	for _, id := range sortedKeys(c.addresses[h.address]) {
		old := c.agents[id]
		if old.Connected {
			c.emit(CloseAgent{old.conn, fmt.Errorf("a new agent registered at %s: %w", h.address, errs.Conflict)})
		}
		c.counts[AgentRemovalsRegistered]++
		c.removeAgent(old, "was replaced: a new agent registered at its address", v1.TaskState_TASK_GONE)
	}
	if h.Agent.GetPort() != 0 {
		c.loseAbsent(c.recoveredAt[place(h.Agent)], "was replaced: a new agent registered where it was")
	}
	id := ids.AgentID(fmt.Sprintf("%s-S%d", c.cfg.Master.GetId(), c.lastAgent))
	c.lastAgent++
	if c.admit(conn, h, id) {
		c.counts[AgentRegistrations]++
	}
}

// admit adds an agent with all that runs on it.
func (c *Core) admit(conn ConnID, h *hello, id ids.AgentID) bool {
	a := &agent{
		Agent:  Agent{ID: id, Registered: c.now},
		tasks:  map[taskKey]*Task{},
		kills:  map[taskKey]*v1.KillPolicy{},
		offers: map[ids.OfferID]*offer{},

		executors: map[executorKey]*Executor{},

		operations: map[string]*Operation{},

		inverse: map[ids.FrameworkID]*inverseOffer{},
		answers: map[ids.FrameworkID]*Answer{},
	}
	if !c.adopt(a, conn, h) {
		return false
	}
	c.agents[id] = a
	if before := c.recovered[id]; before != nil {
		a.Registered, a.Reregistered = before.since, c.now
		delete(c.recovered, id)
	}
	c.trace(Info, "agent registered", "agent_id", string(id), "hostname", a.Info.GetHostname(), "resources", a.Total.String())
	return true
}

// reregister takes an agent back whose tasks the master still knows.
func (c *Core) reregister(a *agent, conn ConnID, h *hello) bool {
	if a.Connected {
		c.emit(CloseAgent{a.conn, fmt.Errorf("the agent opened another stream: %w", errs.Conflict)})
		c.agentDisconnected(a.conn)
	}
	for _, x := range a.sortedExecutors() {
		if h.executors[x.key()] == nil { // it ended, or never got there
			delete(a.executors, x.key())
			a.Used = minus(a.Used, x.Resources)
		}
	}
	must(c.alloc.RemoveAgent(a.ID))
	if !c.adopt(a, conn, h) {
		must(c.allocateTo(a, a.Info, a.Total, nil, nil))
		must(c.alloc.SetHold(a.ID, allocator.HoldDisconnected, true))
		return false
	}
	a.Reregistered = c.now
	for _, t := range a.sortedTasks() {
		switch policy, kill := a.kills[t.key()]; {
		case !h.reports(t):
			c.missing(a, t)
		case kill && t.live():
			c.sendKill(a, t, policy)
		}
	}
	c.trace(Info, "agent reregistered", "agent_id", string(a.ID), "hostname", a.Info.GetHostname())
	return true
}

// attach makes conn the agent's stream and greets it.
func (c *Core) attach(a *agent, conn ConnID, h *hello) {
	info := proto.CloneOf(h.Agent)
	info.Id = a.ID.Proto()
	c.move(a, h.address)
	a.Info, a.Version, a.IP = info, h.GetVersion(), h.ip
	a.Capabilities, a.Total = h.GetCapabilities(), h.total
	a.conn, a.Connected, a.missed = conn, true, 0
	c.touchAgent(a.ID)
	c.conns[conn] = a
	c.cancel(a.wake)
	a.wake = c.after(c.cfg.PingInterval, func() { c.ping(a) })
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_Welcome{Welcome: &link.Welcome{
		AgentId:            info.Id,
		Master:             c.cfg.Master,
		PingIntervalMillis: c.cfg.PingInterval.Milliseconds(),
		MaxMissedPings:     int32(c.cfg.MaxMissedPings),

		UsageIntervalMillis: c.cfg.usageInterval(c.tasks).Milliseconds(),
	}}})
}

// move notes where an agent listens; nowhere, if it is no more.
func (c *Core) move(a *agent, address string) {
	if delete(c.addresses[a.Address], a.ID); len(c.addresses[a.Address]) == 0 {
		delete(c.addresses, a.Address)
	}
	if a.Address = address; address == "" {
		return
	}
	if c.addresses[address] == nil {
		c.addresses[address] = map[ids.AgentID]bool{}
	}
	c.addresses[address][a.ID] = true
}

// adopt makes conn the stream of a, and takes in what runs there and the master
// did not know of, or had given up. What belongs to a framework that was removed
// is ended. It is false, and nothing is changed, if all that can't be.
func (c *Core) adopt(a *agent, conn ConnID, h *hello) bool {
	var adopted []*Task
	var executors []*Executor
	removed := map[ids.FrameworkID]bool{}
	for _, x := range sortExecutors(h.executors) {
		switch _, over := c.completed.get(x.Framework); {
		case over:
			removed[x.Framework] = true
		case a.executors[x.key()] == nil:
			x.Agent = a.ID
			executors = append(executors, x)
		}
	}
	for _, t := range h.tasks {
		_, over := c.completed.get(t.Framework)
		switch f := c.frameworks[t.Framework]; {
		case a.tasks[t.key()] != nil:
		case over:
			removed[t.Framework] = true
		case f != nil && f.task(t.ID) != nil:
			c.trace(Warn, "task reported by two agents", "task_id", string(t.ID), "agent_id", string(a.ID), "other_agent_id", string(f.task(t.ID).Agent))
		default:
			t.Agent, t.Info.AgentId = a.ID, a.ID.Proto()
			adopted = append(adopted, t)
		}
	}
	if err := c.allocateTo(a, h.Agent, h.total, adopted, executors); err != nil {
		c.refuseAgent(conn, h.Hello, err)
		return false
	}
	c.attach(a, conn, h)
	c.schedule(a)
	if c.agents[a.ID] == nil {
		c.tell(AgentAdded{a.Agent})
	}
	known := func(id ids.FrameworkID) *framework {
		if f, ok := c.frameworks[id]; ok {
			return f
		}
		return c.recoverFramework(h.frameworks[id])
	}
	for _, x := range executors {
		c.addExecutor(known(x.Framework), a, x)
	}
	for _, t := range adopted {
		f := known(t.Framework)
		f.unreachable.remove(t.ID)
		c.addTask(f, a, t)
		if t.live() { // of an end the agent tells itself
			c.sendState(f, t, v1.TaskStatus_REASON_AGENT_REREGISTERED, "the agent came back with the task")
		}
	}
	for _, id := range sortedKeys(removed) {
		c.shutdownFramework(a, id)
	}
	c.adoptOperations(a, h.GetOperations())
	c.wantAllocation(a.ID)
	return true
}

// recoverFramework makes a framework that only agents spoke of so far.
func (c *Core) recoverFramework(info *v1.FrameworkInfo) *framework {
	f := c.newFramework(info)
	f.Recovered, f.disconnected = true, c.now
	c.frameworks[f.ID] = f
	c.touchFramework(f.ID)
	c.awaitFramework(f, c.cfg.silence())
	must(c.alloc.AddFramework(toAllocator(f)))
	must(c.alloc.SetConnected(f.ID, false))
	c.tellFramework(f, true)
	c.trace(Info, "framework recovered", "framework_id", string(f.ID), "name", info.GetName())
	return f
}

// missing ends a task that its agent knows nothing of: it never got there, or
// the agent forgot all it had.
func (c *Core) missing(a *agent, t *Task) {
	if !t.live() {
		c.forget(a, t)
		return
	}
	state := v1.TaskState_TASK_GONE
	if t.State == v1.TaskState_TASK_STAGING {
		state = v1.TaskState_TASK_DROPPED
	}
	c.end(a, t, state, v1.TaskStatus_REASON_AGENT_REREGISTERED, cameWithout)
}

const cameWithout = "the agent came back and does not know the task"

// settle ends the tasks that were lost with an agent and will not come back with
// it. Who was told that they are LOST need not hear it again.
func (c *Core) settle(id ids.AgentID, state v1.TaskState, why string) {
	for _, name := range sortedKeys(c.frameworks) {
		f := c.frameworks[name]
		if !f.agents[id] {
			continue
		}
		for _, t := range f.lostWith(id) {
			status := c.status(f, t.ID, id, state, f.reasonFor(state, v1.TaskStatus_REASON_AGENT_REREGISTERED), why)
			status.ExecutorId = t.Info.ExecutorId
			f.unreachable.remove(t.ID)
			f.finished = keep(f.finished, t.with(status, status.GetState()), c.cfg.MaxCompletedTasks)
			if !terminal(t.State) {
				c.countEnd(f, status)
				c.send(f, updateEvent(status))
			}
		}
	}
}

// lostWith lists the tasks that are unreachable because the agent is, or was.
func (f *framework) lostWith(id ids.AgentID) []*Task {
	var lost []*Task
	for _, t := range f.unreachable.all() {
		if t.Agent == id {
			lost = append(lost, t)
		}
	}
	return lost
}
