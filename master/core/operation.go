package core

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
	"mezzo/resources"
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

// conversionOf is what an operation of type RESERVE to SHRINK_VOLUME does.
func conversionOf(op *v1.Offer_Operation) (resources.Conversion, error) {
	var read []resources.Resources
	for _, list := range operands(op) {
		r, err := resources.FromProto(list)
		if err != nil {
			return resources.Conversion{}, err
		}
		read = append(read, r)
	}
	switch op.GetType() {
	case v1.Offer_Operation_RESERVE:
		return resources.Reserve(read[0], read[1])
	case v1.Offer_Operation_UNRESERVE:
		return resources.Unreserve(read[0])
	case v1.Offer_Operation_CREATE:
		return resources.Create(read[0])
	case v1.Offer_Operation_DESTROY:
		return resources.Destroy(read[0])
	case v1.Offer_Operation_GROW_VOLUME:
		return resources.Grow(read[0], read[1])
	case v1.Offer_Operation_SHRINK_VOLUME:
		by, err := resources.ScalarOf(op.GetShrinkVolume().GetSubtract().GetValue())
		if err != nil {
			return resources.Conversion{}, err
		}
		return resources.Shrink(read[0], by)
	default:
		return resources.Conversion{}, fmt.Errorf("operation %v is not supported, as no agent has resource providers: %w", op.GetType(), errs.Unsupported)
	}
}

// operands are the resources that an operation names.
func operands(op *v1.Offer_Operation) [][]*v1.Resource {
	switch op.GetType() {
	case v1.Offer_Operation_RESERVE:
		return [][]*v1.Resource{op.GetReserve().GetResources(), op.GetReserve().GetSource()}
	case v1.Offer_Operation_UNRESERVE:
		return [][]*v1.Resource{op.GetUnreserve().GetResources()}
	case v1.Offer_Operation_CREATE:
		return [][]*v1.Resource{op.GetCreate().GetVolumes()}
	case v1.Offer_Operation_DESTROY:
		return [][]*v1.Resource{op.GetDestroy().GetVolumes()}
	case v1.Offer_Operation_GROW_VOLUME:
		return [][]*v1.Resource{one(op.GetGrowVolume().GetVolume()), one(op.GetGrowVolume().GetAddition())}
	case v1.Offer_Operation_SHRINK_VOLUME:
		return [][]*v1.Resource{one(op.GetShrinkVolume().GetVolume())}
	}
	return nil
}

func one(r *v1.Resource) []*v1.Resource {
	if r == nil {
		return nil
	}
	return []*v1.Resource{r}
}

// convertOffered performs an operation on what is left of offers.
func (c *Core) convertOffered(f *framework, a *agent, role string, op *v1.Offer_Operation, rest resources.Resources) resources.Resources {
	conversion, err := c.checkOperation(f, a, role, op)
	if err == nil && !rest.Contains(conversion.From) {
		err = invalid("%v takes %v, but only %v is left of the offers", op.GetType(), conversion.From, rest)
	}
	if err == nil {
		err = c.alloc.Convert(a.ID, f.ID, conversion)
	}
	if err != nil {
		c.failOperation(f, op, errs.Text(err))
		return rest
	}
	c.apply(f.ID, a, op, conversion)
	return minus(rest, conversion.From).Add(conversion.To)
}

// checkOperation is what a framework's operation does, allocated to the offers'
// role.
//
// Source: mesos master/validation.cpp, operation::validate.
func (c *Core) checkOperation(f *framework, a *agent, role string, op *v1.Offer_Operation) (resources.Conversion, error) {
	for _, list := range operands(op) {
		for _, r := range list {
			if to := r.GetAllocationInfo().GetRole(); to != "" && to != role {
				return resources.Conversion{}, invalid("resource %q is allocated to role %q, but the offers are for role %q", r.GetName(), to, role)
			}
		}
	}
	conversion, err := conversionOf(op)
	if err != nil {
		return conversion, err
	}
	principal := f.Info.GetPrincipal()
	for r := range conversion.To.All() {
		stack := r.Reservations()
		switch {
		case op.GetType() == v1.Offer_Operation_RESERVE && r.ReservedTo() != role:
			return conversion, invalid("%v is to be reserved for role %q, but the offers are for role %q", r, r.ReservedTo(), role)
		case op.GetType() == v1.Offer_Operation_RESERVE && stack[len(stack)-1].Principal != principal:
			return conversion, invalid("%v is to be reserved by principal %q, but the framework's is %q", r, stack[len(stack)-1].Principal, principal)
		case op.GetType() == v1.Offer_Operation_CREATE && r.Disk().GetPersistence().GetPrincipal() != principal:
			return conversion, invalid("volume %q is to be made by principal %q, but the framework's is %q", r.PersistenceID(), r.Disk().GetPersistence().GetPrincipal(), principal)
		case op.GetType() == v1.Offer_Operation_CREATE && r.Shared() && !f.has(v1.FrameworkInfo_Capability_SHARED_RESOURCES):
			return conversion, invalid("volume %q is shared, and the framework has no capability SHARED_RESOURCES", r.PersistenceID())
		}
	}
	conversion.From, conversion.To = conversion.From.Allocated(role), conversion.To.Allocated(role)
	return conversion, c.checkVolumes(a, op, conversion)
}

// checkVolumes tells whether new volumes have ids of their own, and those that go
// are nobody else's.
func (c *Core) checkVolumes(a *agent, op *v1.Offer_Operation, conversion resources.Conversion) error {
	switch op.GetType() {
	case v1.Offer_Operation_CREATE:
		for v := range conversion.To.Volumes().All() {
			for other := range a.Total.Volumes().All() {
				if other.PersistenceID() == v.PersistenceID() && other.ReservedTo() == v.ReservedTo() {
					return invalid("role %q has a volume %q on the agent already", v.ReservedTo(), v.PersistenceID())
				}
			}
		}
	case v1.Offer_Operation_DESTROY:
		for v := range conversion.From.Volumes().All() {
			for _, t := range a.sortedTasks() {
				if t.live() && holdsVolume(t.Resources, v) {
					return invalid("volume %q is in use by task %q", v.PersistenceID(), t.ID)
				}
			}
			for _, x := range a.sortedExecutors() {
				if holdsVolume(x.Resources, v) {
					return invalid("volume %q is in use by executor %q", v.PersistenceID(), x.ID)
				}
			}
			for _, o := range a.sortedOffers() { // a shared one may be offered to many
				if holdsVolume(o.Resources, v) {
					c.rescind(o)
				}
			}
		}
	}
	return nil
}

func holdsVolume(r resources.Resources, v resources.Resource) bool {
	for other := range r.Volumes().All() {
		if other.PersistenceID() == v.PersistenceID() && other.ReservedTo() == v.ReservedTo() {
			return true
		}
	}
	return false
}

// leave is what is left of offers of which a task or a group got need: what is
// shared is there for the next one, too.
func (c *Core) leave(f *framework, a *agent, rest, need resources.Resources) resources.Resources {
	shared := need.Shared()
	if shared.IsEmpty() {
		return minus(rest, need)
	}
	must(c.alloc.Share(a.ID, f.ID, shared))
	return minus(rest, need).Add(shared)
}

// convertByOperator performs an operation on what nobody uses of an agent; what is
// offered of it is taken back.
func (c *Core) convertByOperator(ev Operate) error {
	a := c.agents[ev.Agent]
	if a == nil || !a.Connected {
		return invalid("agent %q is not registered, or not connected", ev.Agent)
	}
	conversion, err := conversionOf(ev.Operation)
	if err != nil {
		return err
	}
	conversion.From, conversion.To = conversion.From.Unallocated(), conversion.To.Unallocated()
	for r := range conversion.To.All() {
		if ev.Operation.GetType() == v1.Offer_Operation_RESERVE && len(c.cfg.Roles) > 0 && !slices.Contains(c.cfg.Roles, r.ReservedTo()) {
			return invalid("role %q is not one that can be used here", r.ReservedTo())
		}
	}
	if err := c.checkVolumes(a, ev.Operation, conversion); err != nil {
		return err
	}
	plain := resources.Conversion{From: conversion.From, To: conversion.To}
	if _, err := plain.Apply(a.Total); err != nil {
		return fmt.Errorf("agent %s: %w", a.ID, err)
	}
	err = c.alloc.Convert(a.ID, "", conversion)
	for _, o := range slices.Backward(a.sortedOffers()) {
		if err == nil {
			break
		}
		if part := o.Resources.NonShared().Unallocated(); !part.Minus(conversion.From).Equal(part) {
			c.rescind(o)
			err = c.alloc.Convert(a.ID, "", conversion)
		}
	}
	if err != nil {
		return err
	}
	c.apply("", a, ev.Operation, conversion)
	c.wantAllocation(a.ID)
	return nil
}

// apply takes note of a conversion that the allocator knows of, and asks the agent
// for it.
func (c *Core) apply(f ids.FrameworkID, a *agent, op *v1.Offer_Operation, conversion resources.Conversion) {
	plain := resources.Conversion{From: conversion.From.Unallocated(), To: conversion.To.Unallocated()}
	total, err := plain.Apply(a.Total)
	must(err)       // the allocator saw to it
	a.Total = total // its description stays as it registered
	sum := sha256.Sum256([]byte(c.cfg.Master.GetId() + " operation " + strconv.FormatUint(c.lastOperation, 10)))
	o := &Operation{
		UUID: string(sum[:16]), number: c.lastOperation, Framework: f, Agent: a.ID, Info: op,
		Statuses: []*v1.OperationStatus{{OperationId: op.Id, State: v1.OperationState_OPERATION_PENDING.Enum(), AgentId: a.ID.Proto()}},
	}
	c.lastOperation++
	a.operations[o.UUID] = o
	m := &link.ApplyOperation{Uuid: []byte(o.UUID), OperationId: op.Id, From: plain.From.Proto(), To: plain.To.Proto()}
	if f != "" {
		m.FrameworkId = f.Proto()
	}
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_ApplyOperation{ApplyOperation: m}})
	c.trace(Info, "operation applied", "type", op.GetType().String(), "framework_id", string(f), "agent_id", string(a.ID),
		"from", plain.From.String(), "to", plain.To.String())
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
		if _, over := c.completed.get(o.Framework); over {
			c.settleOperation(a, o)
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
