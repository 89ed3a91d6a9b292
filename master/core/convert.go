package core

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

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
			if a.Total.HasVolume(v) {
				return invalid("role %q has a volume %q on the agent already", v.ReservedTo(), v.PersistenceID())
			}
		}
	case v1.Offer_Operation_DESTROY:
		for v := range conversion.From.Volumes().All() {
			for _, t := range a.sortedTasks() {
				if t.live() && t.Resources.HasVolume(v) {
					return invalid("volume %q is in use by task %q", v.PersistenceID(), t.ID)
				}
			}
			for _, x := range a.sortedExecutors() {
				if x.Resources.HasVolume(v) {
					return invalid("volume %q is in use by executor %q", v.PersistenceID(), x.ID)
				}
			}
			for _, o := range a.sortedOffers() { // a shared one may be offered to many
				if o.Resources.HasVolume(v) {
					c.rescind(o)
				}
			}
		}
	}
	return nil
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
