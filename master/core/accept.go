package core

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// accept is the ACCEPT call: offers of one agent and role become tasks, and what
// the tasks don't use is declined with the call's filters.
func (c *Core) accept(f *framework, call *scheduler.Call_Accept) {
	for _, op := range call.GetOperations() {
		if op.GetType() != v1.Offer_Operation_LAUNCH {
			continue
		}
		if len(op.GetLaunch().GetTaskInfos()) > 0 {
			c.counts[MessagesLaunchTasks]++
		} else {
			c.counts[MessagesDeclineOffers]++
		}
	}
	offers, err := f.acceptable(call.GetOfferIds())
	if err != nil {
		c.acceptInvalid(f, call, errs.Text(err))
		return
	}
	a, role := offers[0].agent, offers[0].Role
	var rest resources.Resources
	for _, o := range offers {
		f.Counts.OffersAccepted++
		c.unbook(o)
		rest = rest.Add(o.Resources)
	}
	offered := rest
	for _, op := range call.GetOperations() {
		rest = c.operate(f, a, role, op, rest)
	}
	refuse := refuseFor(call.GetFilters())
	if !rest.IsEmpty() {
		c.release(f, a, rest, refuse)
	}
	if refuse != 0 || !rest.Equal(offered) { // else as discard
		c.wantAllocation(a.ID)
	}
}

// acceptable finds the offers of one call: all there, all f's, of one agent and
// role.
func (f *framework) acceptable(list []*v1.OfferID) ([]*offer, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("no offers are named: %w", errs.Invalid)
	}
	var offers []*offer
	seen := map[ids.OfferID]bool{}
	for _, p := range list {
		id := ids.OfferID(p.GetValue())
		o, ok := f.offers[id]
		switch {
		case !ok:
			return nil, fmt.Errorf("offer %s is not valid, or no longer: %w", id, errs.Invalid)
		case seen[id]:
			return nil, fmt.Errorf("offer %s is named twice: %w", id, errs.Invalid)
		case len(offers) > 0 && o.agent != offers[0].agent:
			return nil, fmt.Errorf("offers %s and %s are of different agents: %w", offers[0].ID, id, errs.Invalid)
		case len(offers) > 0 && o.Role != offers[0].Role:
			return nil, fmt.Errorf("offers %s and %s are for different roles: %w", offers[0].ID, id, errs.Invalid)
		}
		seen[id] = true
		offers = append(offers, o)
	}
	return offers, nil
}

// acceptInvalid answers a call whose offers can't be used: they are taken back,
// its tasks never were, its operations failed.
func (c *Core) acceptInvalid(f *framework, call *scheduler.Call_Accept, why string) {
	for _, p := range call.GetOfferIds() {
		if o, ok := f.offers[ids.OfferID(p.GetValue())]; ok {
			c.discard(o, 0)
		}
	}
	for _, op := range call.GetOperations() {
		if tasks, launch := launched(op); launch {
			c.refuseTasks(f, tasks, v1.TaskState_TASK_DROPPED, v1.TaskStatus_REASON_INVALID_OFFERS, "task launched with invalid offers: "+why)
		} else {
			c.failOperation(f, op, "operation attempted with invalid offers: "+why)
		}
	}
}

// launched lists the tasks of an operation, if it is one that launches any.
func launched(op *v1.Offer_Operation) (tasks []*v1.TaskInfo, launch bool) {
	switch op.GetType() {
	case v1.Offer_Operation_LAUNCH:
		return op.GetLaunch().GetTaskInfos(), true
	case v1.Offer_Operation_LAUNCH_GROUP:
		return op.GetLaunchGroup().GetTaskGroup().GetTasks(), true
	default:
		return nil, false
	}
}

// operate performs one operation on what is left of the offers, and returns what
// is left after it.
func (c *Core) operate(f *framework, a *agent, role string, op *v1.Offer_Operation, rest resources.Resources) resources.Resources {
	tasks, launch := launched(op)
	switch {
	case launch && op.Id != nil:
		c.refuseTasks(f, tasks, v1.TaskState_TASK_ERROR, v1.TaskStatus_REASON_TASK_INVALID, fmt.Sprintf("operation %s has an id, but gives no feedback", op.GetType()))
	case op.GetType() == v1.Offer_Operation_LAUNCH_GROUP:
		rest = c.launchGroup(f, a, role, op.GetLaunchGroup(), rest)
	case launch:
		for _, task := range tasks {
			rest = c.launch(f, a, role, task, rest)
		}
	default:
		rest = c.convertOffered(f, a, role, op, rest)
	}
	return rest
}

// launch starts one task on a, if it is right in every way.
func (c *Core) launch(f *framework, a *agent, role string, info *v1.TaskInfo, rest resources.Resources) resources.Resources {
	res, err := taskCheck{framework: f, agent: a, role: role, rest: rest}.check(info)
	var x *Executor
	isNew, need := false, res
	if err == nil && info.Executor != nil {
		if x, err = executorOf(f.ID, a.ID, role, info.GetExecutor()); err == nil {
			x, isNew, err = a.runningOr(x)
		}
		if err == nil && isNew {
			if need = res.Add(x.Resources); !rest.Contains(need) {
				err = invalid("task and its executor use %v, but only %v is left of the offers", need, rest)
			}
		}
	}
	if err != nil {
		c.refuseTasks(f, []*v1.TaskInfo{info}, v1.TaskState_TASK_ERROR, v1.TaskStatus_REASON_TASK_INVALID, errs.Text(err))
		return rest
	}
	info.Resources = res.Proto()
	t := newTask(f.ID, info, res)
	if x != nil {
		info.Executor, t.Info.ExecutorId = x.Info, x.ID.Proto()
		if isNew {
			c.addExecutor(f, a, x)
		}
	}
	c.addTask(f, a, t)
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_RunTask{RunTask: &link.RunTask{Framework: f.Info, Task: info}}})
	c.trace(Info, "task launched", "task_id", string(t.ID), "framework_id", string(f.ID), "agent_id", string(a.ID), "resources", res.String())
	return c.leave(f, a, rest, need)
}

// refuseTasks answers for tasks that never came to be.
func (c *Core) refuseTasks(f *framework, tasks []*v1.TaskInfo, state v1.TaskState, reason v1.TaskStatus_Reason, why string) {
	for _, task := range tasks {
		s := c.status(f, ids.TaskID(task.GetTaskId().GetValue()), ids.AgentID(task.GetAgentId().GetValue()), state, reason, why)
		c.countEnd(f, s)
		c.send(f, updateEvent(s))
		c.trace(Info, "task refused", "task_id", task.GetTaskId().GetValue(), "framework_id", string(f.ID), "reason", why)
	}
}

// failOperation answers for an operation whose framework wants to know.
func (c *Core) failOperation(f *framework, op *v1.Offer_Operation, why string) {
	c.counts[DroppedMessages]++
	if op.Id == nil {
		c.trace(Warn, "operation dropped", "framework_id", string(f.ID), "reason", why)
		return
	}
	c.send(f, operationEvent(&v1.OperationStatus{
		OperationId: op.Id,
		State:       v1.OperationState_OPERATION_ERROR.Enum(),
		Message:     proto.String(why),
	}))
}
