package scheduler

import (
	"context"

	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/scheduler"
)

// Handler is what a framework does with the master's events. Nil functions are
// skipped; without Offers, what is offered is declined.
//
// An error ends Run, which returns it; only an error of class ErrDisconnected
// (a call found no master) makes Run subscribe again instead.
type Handler struct {
	// Subscribed opens every stream. Tasks may have moved on meanwhile: a
	// framework that keeps state calls Reconcile here.
	Subscribed func(context.Context, *wire.Event_Subscribed) error
	// Disconnected tells why a stream ended or could not be opened.
	Disconnected func(context.Context, error) error

	Offers              func(context.Context, []*v1.Offer) error
	Rescind             func(context.Context, *v1.OfferID) error
	InverseOffers       func(context.Context, []*v1.InverseOffer) error
	RescindInverseOffer func(context.Context, *v1.OfferID) error
	Update              func(context.Context, *v1.TaskStatus) error
	OperationUpdate     func(context.Context, *v1.OperationStatus) error
	Message             func(context.Context, *wire.Event_Message) error
	Failure             func(context.Context, *wire.Event_Failure) error
}

// dispatch hands one event, never SUBSCRIBED, to h.
func (c *Client) dispatch(ctx context.Context, h *Handler, ev *wire.Event) error {
	switch ev.GetType() {
	case wire.Event_OFFERS:
		offers := ev.GetOffers().GetOffers()
		if h.Offers == nil {
			return c.Decline(ctx, nil, offers...)
		}
		return h.Offers(ctx, offers)
	case wire.Event_RESCIND:
		return invoke(ctx, h.Rescind, ev.GetRescind().GetOfferId())
	case wire.Event_INVERSE_OFFERS:
		return invoke(ctx, h.InverseOffers, ev.GetInverseOffers().GetInverseOffers())
	case wire.Event_RESCIND_INVERSE_OFFER:
		return invoke(ctx, h.RescindInverseOffer, ev.GetRescindInverseOffer().GetInverseOfferId())
	case wire.Event_UPDATE:
		return c.update(ctx, h, ev.GetUpdate().GetStatus())
	case wire.Event_UPDATE_OPERATION_STATUS:
		return c.operationUpdate(ctx, h, ev.GetUpdateOperationStatus().GetStatus())
	case wire.Event_MESSAGE:
		return invoke(ctx, h.Message, ev.GetMessage())
	case wire.Event_FAILURE:
		return invoke(ctx, h.Failure, ev.GetFailure())
	case wire.Event_ERROR:
		return &FrameworkError{Message: ev.GetError().GetMessage()}
	default:
		return nil // HEARTBEAT, and what a newer master may send
	}
}

func (c *Client) update(ctx context.Context, h *Handler, s *v1.TaskStatus) error {
	if err := invoke(ctx, h.Update, s); err != nil {
		return err
	}
	if c.acknowledges() {
		c.acknowledged(c.Acknowledge(ctx, s))
	}
	return nil
}

func (c *Client) operationUpdate(ctx context.Context, h *Handler, s *v1.OperationStatus) error {
	if err := invoke(ctx, h.OperationUpdate, s); err != nil {
		return err
	}
	if c.acknowledges() {
		c.acknowledged(c.AcknowledgeOperation(ctx, s))
	}
	return nil
}

// acknowledges tells whether that is ours to do. After a teardown nobody waits
// for it.
func (c *Client) acknowledges() bool { return !c.cfg.ExplicitAcknowledge && !c.isLeaving() }

// acknowledged takes the outcome of an acknowledgement of our own. One that was
// lost ends nothing: the update comes again.
func (c *Client) acknowledged(err error) {
	if err != nil {
		c.log.Warn("update not acknowledged", "err", err)
	}
}

func invoke[T any](ctx context.Context, f func(context.Context, T) error, arg T) error {
	if f == nil {
		return nil
	}
	return f(ctx, arg)
}
