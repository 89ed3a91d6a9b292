package core

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/updates"
	"mezzo/api/checkpoint"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// operation is one whose status a framework has not acknowledged.
type operation struct {
	framework ids.FrameworkID
	uuid      []byte
	status    *v1.OperationStatus
	due       time.Time // to be told again
	retry     time.Duration
}

// Volumes asks for the directories of new persistent volumes, and for the end of
// those of others, with what is in them.
type Volumes struct{ Made, Gone resources.Resources }

func (Volumes) isEffect() {}

// applyOperation makes something else of what the agent has, and tells.
func (c *Core) applyOperation(m *link.ApplyOperation) {
	if slices.ContainsFunc(c.operations, func(o *operation) bool { return string(o.uuid) == string(m.GetUuid()) }) {
		return // it is told again anyway
	}
	status := &v1.OperationStatus{OperationId: m.GetOperationId(), State: v1.OperationState_OPERATION_FINISHED.Enum(), AgentId: c.agent.GetId()}
	conversion, err := c.convert(m)
	attrs := []Attr{{"from", conversion.From.String()}, {"to", conversion.To.String()}}
	if err != nil {
		status.State, status.Message = v1.OperationState_OPERATION_FAILED.Enum(), proto.String(errs.Text(err))
		c.trace(Warn, "operation refused", append(attrs, Attr{"err", err.Error()})...)
	} else {
		status.ConvertedResources = m.GetTo()
		c.trace(Info, "operation applied", attrs...)
	}
	o := &operation{framework: ids.FrameworkID(m.GetFrameworkId().GetValue()), uuid: m.GetUuid(), status: status}
	if m.GetOperationId() == nil {
		if c.attached {
			c.emit(Send{&link.FromAgent{Message: &link.FromAgent_OperationUpdate{OperationUpdate: o.update()}}})
		}
		return
	}
	id := c.cfg.NewID()
	status.Uuid = &v1.UUID{Value: id[:]}
	c.operations = append(c.operations, o)
	c.emit(Save{Key{OperationRecord, o.key()}, &checkpoint.Operation{FrameworkId: o.framework.Proto(), Uuid: o.uuid, Status: status}})
}

// proto is o in the form of the v1 API. What was asked for is the master's to tell.
func (o *operation) proto() *v1.Operation {
	p := &v1.Operation{
		AgentId: o.status.GetAgentId(), Info: &v1.Offer_Operation{Type: v1.Offer_Operation_UNKNOWN.Enum(), Id: o.status.GetOperationId()},
		LatestStatus: o.status, Statuses: []*v1.OperationStatus{o.status}, Uuid: &v1.UUID{Value: o.uuid},
	}
	if o.framework != "" {
		p.FrameworkId = o.framework.Proto()
	}
	return p
}

func (o *operation) key() string { return fmt.Sprintf("%x", o.uuid) }

func (o *operation) update() *link.OperationUpdate {
	u := &link.OperationUpdate{Uuid: o.uuid, Status: o.status}
	if o.framework != "" {
		u.FrameworkId = o.framework.Proto()
	}
	return u
}

// convert changes what the agent has. A volume that a task uses does not go.
func (c *Core) convert(m *link.ApplyOperation) (conversion resources.Conversion, err error) {
	if conversion.From, err = resources.FromProto(m.GetFrom()); err == nil {
		conversion.To, err = resources.FromProto(m.GetTo())
	}
	if err != nil {
		return conversion, err
	}
	total, err := resources.FromProto(c.agent.GetResources())
	if err == nil {
		total, err = conversion.Apply(total)
	}
	if err != nil {
		return conversion, err
	}
	gone, made := volumesGone(conversion.From, conversion.To), volumesGone(conversion.To, conversion.From)
	for v := range gone.All() {
		for _, e := range c.live {
			// Of what it was refused for, nothing is in use.
			if r, err := resources.FromProto(e.info.GetResources()); err == nil && !e.ended() && r.HasVolume(v) {
				return conversion, fmt.Errorf("volume %q is in use by task %q: %w", v.PersistenceID(), e.id(), errs.Conflict)
			}
		}
	}
	c.agent = proto.CloneOf(c.agent)
	c.agent.Resources = total.Proto()
	c.emit(Save{Key{ConvertedRecord, "all"}, &checkpoint.Converted{Resources: total.Converted().Proto()}})
	if !gone.IsEmpty() || !made.IsEmpty() {
		c.emit(Volumes{Made: made, Gone: gone})
	}
	return conversion, nil
}

// volumesGone are the volumes in a that are not, of whatever size, in b.
func volumesGone(a, b resources.Resources) resources.Resources {
	return a.Volumes().Filter(func(v resources.Resource) bool { return !b.HasVolume(v) })
}

// acknowledgeOperation forgets an operation.
func (c *Core) acknowledgeOperation(m *link.AcknowledgeOperation) {
	c.operations = slices.DeleteFunc(c.operations, func(o *operation) bool {
		if string(o.uuid) != string(m.GetUuid()) || string(o.framework) != m.GetFrameworkId().GetValue() {
			return false
		}
		c.emit(Save{Key: Key{OperationRecord, o.key()}})
		return true
	})
}

// forgetOperations forgets those of a framework that is no more.
func (c *Core) forgetOperations(id ids.FrameworkID) {
	c.operations = slices.DeleteFunc(c.operations, func(o *operation) bool {
		if o.framework == id {
			c.emit(Save{Key: Key{OperationRecord, o.key()}})
		}
		return o.framework == id
	})
}

// tellOperations sends what is due.
func (c *Core) tellOperations() {
	for _, o := range c.operations {
		if c.now.Before(o.due) {
			continue
		}
		o.retry = min(max(2*o.retry, updates.FirstRetry), updates.LastRetry)
		o.due = c.now.Add(o.retry)
		c.emit(Send{&link.FromAgent{Message: &link.FromAgent_OperationUpdate{OperationUpdate: o.update()}}})
	}
}

// recoverOperations takes over what an earlier process was still to tell.
func (c *Core) recoverOperations(list []*checkpoint.Operation) {
	for _, r := range list {
		c.operations = append(c.operations, &operation{framework: ids.FrameworkID(r.GetFrameworkId().GetValue()), uuid: r.GetUuid(), status: r.GetStatus()})
	}
	slices.SortFunc(c.operations, func(a, b *operation) int { return slices.Compare(a.uuid, b.uuid) })
}

// Reserve makes of the agent's own resources, before Recover, what operations made
// of them in an earlier process.
//
// Errors: errs.Conflict if there is not enough of them any more.
func (c *Core) Reserve(list []*v1.Resource) error {
	converted, err := resources.FromProto(list)
	if err != nil {
		return fmt.Errorf("recover reservations and volumes: %w: %w", err, errs.Corrupt)
	}
	total, err := resources.FromProto(c.agent.GetResources())
	if err != nil {
		return fmt.Errorf("recover reservations and volumes: %w", err)
	}
	total, err = resources.Conversion{From: converted.Base(), To: converted}.Apply(total)
	if err != nil {
		return fmt.Errorf("recover reservations and volumes: %w; start it with enough --resources, unreserve or destroy what is to go, and change them then", err)
	}
	c.agent = proto.CloneOf(c.agent)
	c.agent.Resources = total.Proto()
	return nil
}
