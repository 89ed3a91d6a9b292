package core

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
)

// Operation is one that an agent was asked for and that is not over: its outcome,
// or who takes note of that, is still to come. It is never changed.
type Operation struct {
	UUID      string          // 16 bytes
	Framework ids.FrameworkID // empty: an operator's
	Agent     ids.AgentID
	Info      *v1.Offer_Operation // what was asked for; of what another master took on, only its id
	Statuses  []*v1.OperationStatus

	number uint64 // they are ordered by when they were asked for
}

// Latest is the newest status.
func (o *Operation) Latest() *v1.OperationStatus { return o.Statuses[len(o.Statuses)-1] }

// Proto is the operation in the form of the v1 API.
func (o *Operation) Proto() *v1.Operation {
	p := &v1.Operation{
		AgentId: o.Agent.Proto(), Info: o.Info, LatestStatus: o.Latest(), Statuses: o.Statuses,
		Uuid: &v1.UUID{Value: []byte(o.UUID)},
	}
	if o.Framework != "" {
		p.FrameworkId = o.Framework.Proto()
	}
	return p
}

// with is o with one more status.
func (o *Operation) with(s *v1.OperationStatus) *Operation {
	next := *o
	next.Statuses = append(slices.Clone(o.Statuses), s)
	return &next
}

// operationUpdate takes what an agent says of an operation.
func (c *Core) operationUpdate(a *agent, m *link.OperationUpdate) {
	pending := a.operations[string(m.GetUuid())] != nil && a.operations[string(m.GetUuid())].Latest().GetState() == v1.OperationState_OPERATION_PENDING
	c.noteOperation(a, m)
	if why := m.GetStatus().GetMessage(); pending && m.GetStatus().GetState() == v1.OperationState_OPERATION_FAILED {
		// It has not what it is taken to have. Its next Hello says what it has.
		c.trace(Warn, "operation failed", "agent_id", string(a.ID), "reason", why)
		c.emit(CloseAgent{a.conn, fmt.Errorf("operation failed: %s: %w", why, errs.Conflict)})
		c.agentDisconnected(a.conn)
	}
}

// noteOperation keeps what became of an operation, and passes it on.
func (c *Core) noteOperation(a *agent, m *link.OperationUpdate) {
	status := m.GetStatus()
	o := a.operations[string(m.GetUuid())]
	f := ids.FrameworkID(m.GetFrameworkId().GetValue())
	if o == nil && status.GetUuid() == nil || status == nil || len(m.GetUuid()) != 16 {
		c.trace(Warn, "update of an unknown operation ignored", "agent_id", string(a.ID))
		return
	}
	if o == nil { // a master before this one asked for it
		o = &Operation{
			UUID: string(m.GetUuid()), Framework: f, Agent: a.ID,
			Info: &v1.Offer_Operation{Type: v1.Offer_Operation_UNKNOWN.Enum(), Id: status.GetOperationId()},
		}
	}
	if len(o.Statuses) == 0 || o.Latest().GetUuid() == nil || string(o.Latest().GetUuid().GetValue()) != string(status.GetUuid().GetValue()) {
		o = o.with(status)
	}
	a.operations[o.UUID] = o
	switch fw := c.frameworks[o.Framework]; {
	case status.GetUuid() == nil:
		c.forgetOperation(a, o)
	case fw != nil:
		told := proto.CloneOf(status)
		told.AgentId = a.ID.Proto()
		c.send(fw, operationEvent(told))
	default:
		if _, over := c.completed.get(o.Framework); over || c.orphaned(o) {
			c.settleOperation(a, o)
		}
	}
}

// orphanPatience is how long a new master waits for the framework of an operation,
// which it may not know yet.
//
// Source: Mesos, MIN_WAIT_BEFORE_ORPHAN_OPERATION_ADOPTION.
const orphanPatience = 10 * time.Minute

// orphaned tells whether nobody will take note of what became of o. Operators do
// not.
func (c *Core) orphaned(o *Operation) bool {
	return o.Framework != "" && c.frameworks[o.Framework] == nil && c.now.Sub(c.started) >= orphanPatience
}

// adoptOrphans takes note of the statuses of all operations whose framework did not
// come.
func (c *Core) adoptOrphans() {
	for _, id := range sortedKeys(c.agents) {
		for _, o := range c.agents[id].sortedOperations() {
			if c.orphaned(o) && o.Latest().GetUuid() != nil {
				c.settleOperation(c.agents[id], o)
			}
		}
	}
}

func (c *Core) forgetOperation(a *agent, o *Operation) {
	delete(a.operations, o.UUID)
	c.noteEmpty(a)
}

// settleOperation ends an operation of which nothing more is to be told.
func (c *Core) settleOperation(a *agent, o *Operation) {
	c.forgetOperation(a, o)
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_AcknowledgeOperation{AcknowledgeOperation: &link.AcknowledgeOperation{
		FrameworkId: o.Framework.Proto(), Uuid: []byte(o.UUID),
	}}})
}

// operationAcknowledged is the ACKNOWLEDGE_OPERATION_STATUS call.
func (c *Core) operationAcknowledged(f *framework, call *scheduler.Call_AcknowledgeOperationStatus) bool {
	a := c.agents[ids.AgentID(call.GetAgentId().GetValue())]
	if a == nil {
		return false
	}
	for _, o := range a.sortedOperations() {
		if o.Framework == f.ID && o.Info.GetId().GetValue() == call.GetOperationId().GetValue() &&
			string(o.Latest().GetUuid().GetValue()) == string(call.GetUuid()) {
			c.settleOperation(a, o)
			return true
		}
	}
	return false
}

// adoptOperations takes in what an agent that came back tells, and ends what it
// does not know: it never got there, or was acknowledged.
func (c *Core) adoptOperations(a *agent, told []*link.OperationUpdate) {
	there := make(map[string]bool)
	for _, m := range told {
		there[string(m.GetUuid())] = true
	}
	for _, o := range a.sortedOperations() {
		if there[o.UUID] {
			continue
		}
		c.forgetOperation(a, o)
		if o.Latest().GetUuid() == nil {
			c.endOperation(o, v1.OperationState_OPERATION_DROPPED, "the agent came back and does not know the operation")
		}
	}
	for _, m := range told {
		c.noteOperation(a, m)
	}
}

// endOperation tells a framework, if it wants to know, what became of an operation
// by the master's own word.
func (c *Core) endOperation(o *Operation, state v1.OperationState, why string) {
	if f := c.frameworks[o.Framework]; f != nil && o.Info.Id != nil {
		c.send(f, operationEvent(&v1.OperationStatus{
			OperationId: o.Info.Id, State: state.Enum(), Message: proto.String(why), AgentId: o.Agent.Proto(),
		}))
	}
}

// loseOperations tells of the operations of an agent that is removed.
func (c *Core) loseOperations(a *agent, state v1.TaskState, why string) {
	as := v1.OperationState_OPERATION_DROPPED
	switch state {
	case v1.TaskState_TASK_UNREACHABLE:
		as = v1.OperationState_OPERATION_UNREACHABLE
	case v1.TaskState_TASK_GONE_BY_OPERATOR:
		as = v1.OperationState_OPERATION_GONE_BY_OPERATOR
	}
	for _, o := range a.sortedOperations() {
		c.endOperation(o, as, why)
	}
}

// reconcileOperations answers with what is known: of every operation of f when
// none is named.
func (c *Core) reconcileOperations(f *framework, call *scheduler.Call_ReconcileOperations) {
	known := make(map[string]*Operation)
	for _, id := range sortedKeys(c.agents) {
		for _, o := range c.agents[id].sortedOperations() {
			if o.Framework != f.ID || o.Info.Id == nil {
				continue
			}
			if known[o.Info.GetId().GetValue()] = o; len(call.GetOperations()) == 0 {
				c.tellOperation(f, o)
			}
		}
	}
	for _, op := range call.GetOperations() {
		if o := known[op.GetOperationId().GetValue()]; o != nil {
			c.tellOperation(f, o)
			continue
		}
		state := v1.OperationState_OPERATION_UNKNOWN
		on := ids.AgentID(op.GetAgentId().GetValue())
		if _, lost := c.unreachable.get(on); lost {
			state = v1.OperationState_OPERATION_UNREACHABLE
		}
		if _, gone := c.orders.gone.get(on); gone {
			state = v1.OperationState_OPERATION_GONE_BY_OPERATOR
		}
		if c.recovered[on] != nil {
			state = v1.OperationState_OPERATION_RECOVERING
		}
		c.send(f, operationEvent(&v1.OperationStatus{
			OperationId: op.OperationId,
			State:       state.Enum(),
			Message:     proto.String("reconciliation: operation is unknown"),
			AgentId:     op.AgentId,
		}))
	}
}

func (c *Core) tellOperation(f *framework, o *Operation) {
	s := proto.CloneOf(o.Latest())
	s.Uuid, s.AgentId, s.Message = nil, o.Agent.Proto(), proto.String("reconciliation: latest operation state")
	c.send(f, operationEvent(s))
}

func (a *agent) sortedOperations() []*Operation {
	return slices.SortedFunc(maps.Values(a.operations), func(x, y *Operation) int { return cmp.Or(cmp.Compare(x.number, y.number), cmp.Compare(x.UUID, y.UUID)) })
}
