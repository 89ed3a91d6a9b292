package scheduler

import (
	"context"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/scheduler"
)

// Launch starts tasks on an offer. What they leave of it is offered again.
func (c *Client) Launch(ctx context.Context, offer *v1.Offer, tasks ...*v1.TaskInfo) error {
	op := &v1.Offer_Operation{
		Type:   v1.Offer_Operation_LAUNCH.Enum(),
		Launch: &v1.Offer_Operation_Launch{TaskInfos: tasks},
	}
	return c.Accept(ctx, []*v1.Offer{offer}, []*v1.Offer_Operation{op}, nil)
}

// Accept performs operations on offers, which must be of one agent and role.
// filters speak of what is left; nil: the master's default.
func (c *Client) Accept(ctx context.Context, offers []*v1.Offer, ops []*v1.Offer_Operation, filters *v1.Filters) error {
	return c.Call(ctx, &wire.Call{
		Type:   wire.Call_ACCEPT.Enum(),
		Accept: &wire.Call_Accept{OfferIds: offerIDs(offers), Operations: ops, Filters: filters},
	})
}

// Decline gives offers back; filters tell for how long they should not return,
// nil: the master's default, 5 seconds. No offers: no call.
func (c *Client) Decline(ctx context.Context, filters *v1.Filters, offers ...*v1.Offer) error {
	if len(offers) == 0 {
		return nil
	}
	return c.Call(ctx, &wire.Call{
		Type:    wire.Call_DECLINE.Enum(),
		Decline: &wire.Call_Decline{OfferIds: offerIDs(offers), Filters: filters},
	})
}

// AcceptInverseOffers agrees to a maintenance.
func (c *Client) AcceptInverseOffers(ctx context.Context, filters *v1.Filters, ids ...*v1.OfferID) error {
	return c.Call(ctx, &wire.Call{
		Type:                wire.Call_ACCEPT_INVERSE_OFFERS.Enum(),
		AcceptInverseOffers: &wire.Call_AcceptInverseOffers{InverseOfferIds: ids, Filters: filters},
	})
}

// DeclineInverseOffers objects to a maintenance.
func (c *Client) DeclineInverseOffers(ctx context.Context, filters *v1.Filters, ids ...*v1.OfferID) error {
	return c.Call(ctx, &wire.Call{
		Type:                 wire.Call_DECLINE_INVERSE_OFFERS.Enum(),
		DeclineInverseOffers: &wire.Call_DeclineInverseOffers{InverseOfferIds: ids, Filters: filters},
	})
}

// Suppress stops offers for roles; none: for all.
func (c *Client) Suppress(ctx context.Context, roles ...string) error {
	return c.Call(ctx, &wire.Call{Type: wire.Call_SUPPRESS.Enum(), Suppress: &wire.Call_Suppress{Roles: roles}})
}

// Revive asks for offers again and drops all filters, for roles; none: for all.
func (c *Client) Revive(ctx context.Context, roles ...string) error {
	return c.Call(ctx, &wire.Call{Type: wire.Call_REVIVE.Enum(), Revive: &wire.Call_Revive{Roles: roles}})
}

// Kill ends a task; agent and policy may be nil. The end comes as an update.
func (c *Client) Kill(ctx context.Context, task *v1.TaskID, agent *v1.AgentID, policy *v1.KillPolicy) error {
	return c.Call(ctx, &wire.Call{
		Type: wire.Call_KILL.Enum(),
		Kill: &wire.Call_Kill{TaskId: task, AgentId: agent, KillPolicy: policy},
	})
}

// Shutdown ends a custom executor and its tasks.
func (c *Client) Shutdown(ctx context.Context, executor *v1.ExecutorID, agent *v1.AgentID) error {
	return c.Call(ctx, &wire.Call{
		Type:     wire.Call_SHUTDOWN.Enum(),
		Shutdown: &wire.Call_Shutdown{ExecutorId: executor, AgentId: agent},
	})
}

// Acknowledge tells that an update was taken; until then it is sent again.
// Updates that want no acknowledgement, those without uuid, make no call.
func (c *Client) Acknowledge(ctx context.Context, s *v1.TaskStatus) error {
	if len(s.GetUuid()) == 0 {
		return nil
	}
	return c.Call(ctx, &wire.Call{
		Type:        wire.Call_ACKNOWLEDGE.Enum(),
		Acknowledge: &wire.Call_Acknowledge{AgentId: s.GetAgentId(), TaskId: s.GetTaskId(), Uuid: s.GetUuid()},
	})
}

// AcknowledgeOperation is Acknowledge for operations.
func (c *Client) AcknowledgeOperation(ctx context.Context, s *v1.OperationStatus) error {
	if s.GetUuid() == nil || s.GetOperationId() == nil {
		return nil
	}
	return c.Call(ctx, &wire.Call{
		Type: wire.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(),
		AcknowledgeOperationStatus: &wire.Call_AcknowledgeOperationStatus{
			AgentId:            s.GetAgentId(),
			ResourceProviderId: s.GetResourceProviderId(),
			Uuid:               s.GetUuid().GetValue(),
			OperationId:        s.GetOperationId(),
		},
	})
}

// Reconcile asks for the present state of tasks; none: of all that are known.
// The answers come as updates.
func (c *Client) Reconcile(ctx context.Context, tasks ...*wire.Call_Reconcile_Task) error {
	return c.Call(ctx, &wire.Call{
		Type:      wire.Call_RECONCILE.Enum(),
		Reconcile: &wire.Call_Reconcile{Tasks: tasks},
	})
}

// Message sends bytes to a custom executor, best effort.
func (c *Client) Message(ctx context.Context, executor *v1.ExecutorID, agent *v1.AgentID, data []byte) error {
	return c.Call(ctx, &wire.Call{
		Type:    wire.Call_MESSAGE.Enum(),
		Message: &wire.Call_Message{ExecutorId: executor, AgentId: agent, Data: data},
	})
}

// Request tells the master what the framework waits for: it is offered sooner
// than others who are due the same. It replaces all earlier requests; none:
// withdraws them. What can never be had is refused with the reason.
func (c *Client) Request(ctx context.Context, requests ...*v1.Request) error {
	return c.Call(ctx, &wire.Call{
		Type:    wire.Call_REQUEST.Enum(),
		Request: &wire.Call_Request{Requests: requests},
	})
}

// UpdateFramework changes the framework's description. Later subscriptions
// carry the new one.
func (c *Client) UpdateFramework(ctx context.Context, u *wire.Call_UpdateFramework) error {
	u = proto.CloneOf(u)
	if u.GetFrameworkInfo() != nil {
		u.FrameworkInfo.Id = c.FrameworkID()
	}
	if err := c.Call(ctx, &wire.Call{Type: wire.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: u}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribe = &wire.Call_Subscribe{
		FrameworkInfo:    u.GetFrameworkInfo(),
		SuppressedRoles:  u.GetSuppressedRoles(),
		OfferConstraints: u.GetOfferConstraints(),
	}
	return nil
}

// Teardown ends the framework and all its tasks; Run returns nil.
func (c *Client) Teardown(ctx context.Context) error {
	// The master may close the stream before its answer is here.
	c.setLeaving(true)
	if err := c.Call(ctx, &wire.Call{Type: wire.Call_TEARDOWN.Enum()}); err != nil {
		c.setLeaving(false)
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop(errTornDown)
	return nil
}

func (c *Client) setLeaving(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = is
}

func offerIDs(offers []*v1.Offer) []*v1.OfferID {
	ids := make([]*v1.OfferID, len(offers))
	for i, o := range offers {
		ids[i] = o.GetId()
	}
	return ids
}
