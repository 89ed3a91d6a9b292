package core

import (
	"fmt"
	"slices"

	"mezzo/api/ids"
	"mezzo/api/mesos/v1/allocator"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
)

// CheckCall tells whether call has what its type needs. It looks at nothing
// else, so it may be called from anywhere.
func CheckCall(call *scheduler.Call) error {
	if call.Type == nil {
		return fmt.Errorf("call has no type: %w", errs.Invalid)
	}
	if call.GetType() == scheduler.Call_SUBSCRIBE {
		if call.Subscribe == nil {
			return missing("subscribe")
		}
		if call.GetSubscribe().GetFrameworkInfo().GetId().GetValue() != call.GetFrameworkId().GetValue() {
			return fmt.Errorf("framework_id differs from subscribe.framework_info.id: %w", errs.Invalid)
		}
		return nil
	}
	if call.FrameworkId == nil {
		return missing("framework_id")
	}
	if field, there := payload(call); !there {
		return missing(field)
	}
	switch call.GetType() {
	case scheduler.Call_ACKNOWLEDGE:
		return checkUUID(call.GetAcknowledge().GetUuid())
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		if call.GetAcknowledgeOperationStatus().AgentId == nil {
			return missing("acknowledge_operation_status.agent_id")
		}
		return checkUUID(call.GetAcknowledgeOperationStatus().GetUuid())
	case scheduler.Call_UPDATE_FRAMEWORK:
		if call.GetUpdateFramework().GetFrameworkInfo().GetId().GetValue() != call.GetFrameworkId().GetValue() {
			return fmt.Errorf("framework_id differs from update_framework.framework_info.id: %w", errs.Invalid)
		}
		return nil
	default:
		return nil
	}
}

func missing(field string) error { return fmt.Errorf("%s is missing: %w", field, errs.Invalid) }

func checkUUID(b []byte) error {
	if len(b) != uuidBytes {
		return fmt.Errorf("uuid has %d bytes, not %d: %w", len(b), uuidBytes, errs.Invalid)
	}
	return nil
}

// payload names the field that the call's type needs and tells whether it is set.
func payload(call *scheduler.Call) (field string, there bool) {
	switch call.GetType() {
	case scheduler.Call_ACCEPT:
		return "accept", call.Accept != nil
	case scheduler.Call_DECLINE:
		return "decline", call.Decline != nil
	case scheduler.Call_ACCEPT_INVERSE_OFFERS:
		return "accept_inverse_offers", call.AcceptInverseOffers != nil
	case scheduler.Call_DECLINE_INVERSE_OFFERS:
		return "decline_inverse_offers", call.DeclineInverseOffers != nil
	case scheduler.Call_KILL:
		return "kill", call.Kill != nil
	case scheduler.Call_SHUTDOWN:
		return "shutdown", call.Shutdown != nil
	case scheduler.Call_ACKNOWLEDGE:
		return "acknowledge", call.Acknowledge != nil
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		return "acknowledge_operation_status", call.AcknowledgeOperationStatus != nil
	case scheduler.Call_RECONCILE:
		return "reconcile", call.Reconcile != nil
	case scheduler.Call_RECONCILE_OPERATIONS:
		return "reconcile_operations", call.ReconcileOperations != nil
	case scheduler.Call_MESSAGE:
		return "message", call.Message != nil
	case scheduler.Call_REQUEST:
		return "request", call.Request != nil
	case scheduler.Call_UPDATE_FRAMEWORK:
		return "update_framework", call.UpdateFramework != nil
	default:
		return "", true
	}
}

// schedulerCall finds who calls and does it. What a call asks for in vain is not
// an error: the answer comes as an event, or never.
func (c *Core) schedulerCall(ev SchedulerCall) error {
	if ev.Call.GetType() == scheduler.Call_SUBSCRIBE {
		c.subscribe(ev.Stream, ev.Call.GetSubscribe())
		return nil
	}
	id := ids.FrameworkID(ev.Call.GetFrameworkId().GetValue())
	f, ok := c.frameworks[id]
	if !ok {
		return fmt.Errorf("framework %q cannot be found: %w", id, errs.Invalid)
	}
	f.Counts.Calls++
	switch {
	case !f.Connected:
		return fmt.Errorf("framework %s is not subscribed: %w", id, errs.Conflict)
	case ev.Stream == "":
		return fmt.Errorf("header Mesos-Stream-Id is missing: %w", errs.Invalid)
	case ev.Stream != f.stream:
		return fmt.Errorf("stream id %q is not the one of framework %s: %w", ev.Stream, id, errs.Invalid)
	}
	return c.perform(f, ev.Call)
}

func (c *Core) perform(f *framework, call *scheduler.Call) error {
	switch call.GetType() {
	case scheduler.Call_TEARDOWN:
		c.counts[MessagesUnregisterFramework]++
		c.emit(CloseFramework{f.stream})
		c.removeFramework(f)
	case scheduler.Call_ACCEPT:
		c.accept(f, call.GetAccept())
	case scheduler.Call_DECLINE:
		c.decline(f, call.GetDecline())
	case scheduler.Call_REVIVE:
		c.counts[MessagesReviveOffers]++
		c.revive(f, call.GetRevive().GetRoles())
	case scheduler.Call_SUPPRESS:
		c.counts[MessagesSuppressOffers]++
		c.suppress(f, call.GetSuppress().GetRoles())
	case scheduler.Call_KILL:
		c.counts[MessagesKillTask]++
		c.kill(f, call.GetKill())
	case scheduler.Call_ACKNOWLEDGE:
		c.acknowledged(f, call.GetAcknowledge())
	case scheduler.Call_RECONCILE:
		c.counts[MessagesReconcileTasks]++
		c.reconcile(f, call.GetReconcile())
	case scheduler.Call_RECONCILE_OPERATIONS:
		c.counts[MessagesReconcileOperations]++
		c.reconcileOperations(f, call.GetReconcileOperations())
	case scheduler.Call_REQUEST:
		c.counts[MessagesResourceRequest]++
		return c.request(f, call.GetRequest().GetRequests())
	case scheduler.Call_MESSAGE:
		c.message(f, call.GetMessage())
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		c.counts[MessagesOperationStatusUpdateAcknowledgement]++
		if c.operationAcknowledged(f, call.GetAcknowledgeOperationStatus()) {
			c.counts[ValidOperationStatusUpdateAcknowledgements]++
		} else {
			c.counts[InvalidOperationStatusUpdateAcknowledgements]++
			c.drop(f, call)
		}
	case scheduler.Call_ACCEPT_INVERSE_OFFERS:
		accept := call.GetAcceptInverseOffers()
		c.answerInverse(f, allocator.InverseOfferStatus_ACCEPT, accept.GetInverseOfferIds(), accept.GetFilters())
	case scheduler.Call_DECLINE_INVERSE_OFFERS:
		decline := call.GetDeclineInverseOffers()
		c.answerInverse(f, allocator.InverseOfferStatus_DECLINE, decline.GetInverseOfferIds(), decline.GetFilters())
	case scheduler.Call_SHUTDOWN:
		c.shutdownExecutor(f, call.GetShutdown())
	case scheduler.Call_UPDATE_FRAMEWORK:
		return c.updateFramework(f, call.GetUpdateFramework())
	default:
		return fmt.Errorf("call %v: %w", call.GetType(), errs.Unsupported)
	}
	return nil
}

// drop says that a call came to nothing.
func (c *Core) drop(f *framework, call *scheduler.Call) {
	c.counts[DroppedMessages]++
	c.trace(Debug, "call dropped", "framework_id", string(f.ID), "call", call.GetType().String())
}

// revive makes f want offers for roles again, all of them if none is named, and
// forgets what it refused. One wrong role drops the whole call, as in Mesos.
func (c *Core) revive(f *framework, roles []string) {
	if !c.ownRoles(f, roles) {
		return
	}
	f.Suppressed = slices.DeleteFunc(slices.Clone(f.Suppressed), func(r string) bool {
		return len(roles) == 0 || slices.Contains(roles, r)
	})
	must(c.alloc.Suppress(f.ID, roles, false))
	c.askAgain(f)
	c.wantAllocation("")
}

// suppress makes f want no offers for roles.
func (c *Core) suppress(f *framework, roles []string) {
	if !c.ownRoles(f, roles) {
		return
	}
	if len(roles) == 0 {
		roles = f.Roles()
	}
	all := slices.Concat(f.Suppressed, roles)
	slices.Sort(all)
	f.Suppressed = slices.Compact(all)
	must(c.alloc.Suppress(f.ID, roles, true))
}

func (c *Core) ownRoles(f *framework, roles []string) bool {
	for _, r := range roles {
		if !slices.Contains(f.Roles(), r) {
			c.counts[DroppedMessages]++
			c.trace(Warn, "role is not one of the framework's", "framework_id", string(f.ID), "role", r)
			return false
		}
	}
	return true
}
