package core

import (
	"time"

	"mezzo/allocator"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
	"mezzo/resources"
)

// Agent is one agent as the master knows it.
type Agent struct {
	ID             ids.AgentID
	Info           *v1.AgentInfo // never changed; its id is set
	Version        string
	Address        string // of its HTTP API, "ip:port"
	IP             string // of its machine; empty if unknown
	Capabilities   []*v1.AgentInfo_Capability
	Connected      bool
	Deactivated    bool          // by an operator: nothing of it is offered
	Drain          *v1.DrainInfo // replaced whole; nil if it is not drained
	DrainStarted   time.Time
	Unavailability *v1.Unavailability // of its machine, if that is scheduled
	Registered     time.Time
	Reregistered   time.Time // zero if it never did
	Total          resources.Resources
	Used           resources.Resources
	Offered        resources.Resources
	Usage          *usage.NodeUsage        // the last sample
	Sampled        []*usage.ContainerUsage // the last samples of what ran then, in no order; see Usages
}

// Active tells whether what the agent has is offered.
func (a *Agent) Active() bool { return a.Connected && !a.Deactivated }

// agent adds what only the core needs.
type agent struct {
	Agent
	conn   ConnID // meaningful while connected
	wake   *timer // next ping, or the end of patience while disconnected
	missed int    // pings since it was last heard
	tasks  map[taskKey]*Task
	kills  map[taskKey]*v1.KillPolicy // asked for, until the task is forgotten
	offers map[ids.OfferID]*offer

	executors map[executorKey]*Executor

	operations map[string]*Operation // by UUID

	inverse map[ids.FrameworkID]*inverseOffer
	answers map[ids.FrameworkID]*Answer // since it is scheduled
}

// taskKey names a task in the whole cluster.
type taskKey struct {
	framework ids.FrameworkID
	task      ids.TaskID
}

func (t *Task) key() taskKey { return taskKey{t.Framework, t.ID} }

// agentMessage takes what an agent says after its Hello.
func (c *Core) agentMessage(ev AgentMessage) {
	a, ok := c.conns[ev.Conn]
	if !ok {
		return // it was closed, and this was still under way
	}
	a.missed = 0
	switch m := ev.Message.GetMessage().(type) {
	case *link.FromAgent_Pong:
	case *link.FromAgent_StatusUpdate:
		c.statusUpdate(a, m.StatusUpdate)
	case *link.FromAgent_Usage:
		c.usage(a, m.Usage)
	case *link.FromAgent_ExecutorExited:
		c.executorExited(a, m.ExecutorExited)
	case *link.FromAgent_ExecutorMessage:
		c.executorMessage(a, m.ExecutorMessage)
	case *link.FromAgent_OperationUpdate:
		c.operationUpdate(a, m.OperationUpdate)
	case *link.FromAgent_Oversubscribed:
		c.oversubscribed(a, m.Oversubscribed)
	default:
		c.trace(Warn, "agent message ignored", "agent_id", string(a.ID))
	}
}

// agentDisconnected keeps the agent's tasks and waits for it to come back.
//
// Mesos differs: it ends the tasks of frameworks without checkpoint at once.
// Here containers outlive the agent's process, so nothing was lost yet.
func (c *Core) agentDisconnected(conn ConnID) {
	a, ok := c.conns[conn]
	if !ok {
		return
	}
	c.detach(a)
	c.trace(Warn, "agent disconnected", "agent_id", string(a.ID), "hostname", a.Info.GetHostname())
	a.wake = c.after(c.cfg.silence(), func() {
		a.wake = c.after(c.permit(), func() {
			c.markUnreachable(a, "did not come back within "+c.cfg.silence().String()+" after it disconnected")
		})
	})
}

// detach takes a's connection away, and all offers of it.
func (c *Core) detach(a *agent) {
	delete(c.conns, a.conn)
	a.Connected = false
	c.cancel(a.wake)
	must(c.alloc.SetHold(a.ID, allocator.HoldDisconnected, true))
	c.rescindAll(a)
}

// ping asks a whether it lives, and gives it up after too many silences.
func (c *Core) ping(a *agent) {
	if a.missed >= c.cfg.MaxMissedPings {
		if wait := c.permit(); wait > 0 {
			a.wake = c.after(wait, func() { c.giveUp(a) })
			return
		}
		c.giveUp(a)
		return
	}
	a.missed++
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_Ping{Ping: &link.Ping{
		UsageIntervalMillis: c.cfg.usageInterval(c.tasks).Milliseconds(),
	}}})
	a.wake = c.after(c.cfg.PingInterval, func() { c.ping(a) })
}

// giveUp makes a silent agent unreachable, unless it was heard meanwhile.
func (c *Core) giveUp(a *agent) {
	if a.missed < c.cfg.MaxMissedPings {
		c.ping(a)
		return
	}
	conn := a.conn
	c.markUnreachable(a, "did not answer pings for "+c.cfg.silence().String())
	c.emit(CloseAgent{conn, errUnreachable})
}

func (c *Core) sendAgent(a *agent, m *link.FromMaster) {
	if a.Connected {
		c.emit(SendAgent{a.conn, m})
	}
}
