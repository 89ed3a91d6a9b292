package core

import (
	"fmt"
	"math"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// taskCheck is what a task to be launched is held against.
//
// Source: the rules and their order are those of mesos master/validation.cpp.
type taskCheck struct {
	framework *framework
	agent     *agent
	role      string
	rest      resources.Resources // of the offers, after the tasks before
	group     bool                // the task is one of a group
}

// check returns the task's resources, allocated to the offers' role, or what is
// wrong with it.
func (k taskCheck) check(t *v1.TaskInfo) (resources.Resources, error) {
	for _, check := range []func(*v1.TaskInfo) error{
		k.identity, checkDurations, checkProbes,
	} {
		if err := check(t); err != nil {
			return resources.Resources{}, err
		}
	}
	res, err := k.resources(t)
	if err != nil {
		return res, err
	}
	for _, err := range []error{
		checkEnvironment(t.GetCommand()), checkContainer(t.GetContainer()), checkLimits(t, res), k.runnable(t),
	} {
		if err != nil {
			return res, err
		}
	}
	if !k.rest.Contains(res) {
		return res, invalid("task uses %v, but only %v is left of the offers", res, k.rest)
	}
	return res, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errs.Invalid)...)
}

func (k taskCheck) identity(t *v1.TaskInfo) error {
	id := ids.TaskID(t.GetTaskId().GetValue())
	if err := ids.Validate("task", string(id)); err != nil {
		return err
	}
	if k.framework.task(id) != nil {
		return invalid("task id %q is in use", id)
	}
	if _, lost := k.framework.unreachable.get(id); lost {
		return invalid("task id %q is that of a task on an unreachable agent", id)
	}
	if on := t.GetAgentId().GetValue(); on != string(k.agent.ID) {
		return invalid("task is for agent %q, but the offers are of agent %q", on, k.agent.ID)
	}
	return nil
}

func checkDurations(t *v1.TaskInfo) error {
	if g := t.GetKillPolicy().GetGracePeriod().GetNanoseconds(); g < 0 {
		return invalid("kill_policy.grace_period of %d ns is negative", g)
	}
	if d := t.GetMaxCompletionTime().GetNanoseconds(); d < 0 {
		return invalid("max_completion_time of %d ns is negative", d)
	}
	return nil
}

func (k taskCheck) resources(t *v1.TaskInfo) (resources.Resources, error) {
	var none resources.Resources
	if len(t.GetResources()) == 0 {
		return none, invalid("task uses no resources")
	}
	for _, r := range t.GetResources() {
		if role := r.GetAllocationInfo().GetRole(); role != "" && role != k.role {
			return none, invalid("resource %q is allocated to role %q, but the offers are for role %q", r.GetName(), role, k.role)
		}
	}
	res, err := resources.FromProto(t.GetResources())
	if err != nil {
		return none, err
	}
	if res.IsEmpty() {
		return none, invalid("task uses no resources")
	}
	if res.Total("gpus")%1000 != 0 {
		return none, invalid("gpus are whole, not %v", res.Total("gpus"))
	}
	for r := range res.Revocable().All() {
		if !res.NonRevocable().Named(r.Name()).IsEmpty() {
			return none, invalid("task mixes revocable and non-revocable %q", r.Name())
		}
	}
	return res.Allocated(k.role), nil
}

func checkLimits(t *v1.TaskInfo, res resources.Resources) error {
	for _, name := range sortedKeys(t.GetLimits()) {
		limit := t.GetLimits()[name]
		if name != "cpus" && name != "mem" {
			return invalid("limits can be set for cpus and mem, not for %q", name)
		}
		request := res.Total(name)
		if request == 0 {
			return invalid("a limit of %s is set, but none is requested", name)
		}
		if math.IsInf(limit.GetValue(), 1) {
			continue
		}
		ceiling, err := resources.ScalarOf(limit.GetValue())
		if err != nil {
			return fmt.Errorf("limit of %s: %w", name, err)
		}
		if ceiling < request {
			return invalid("limit of %s %v is less than the request %v", name, ceiling, request)
		}
	}
	return nil
}

// runnable tells whether there is something to run, and somebody to.
func (k taskCheck) runnable(t *v1.TaskInfo) error {
	switch {
	case k.group && t.Executor != nil:
		return invalid("a task of a group has an executor of its own")
	case k.group && t.Command == nil:
		return invalid("task has no command")
	case t.Command != nil && t.Executor != nil:
		return invalid("task has both a command and an executor")
	case t.Command == nil && t.Executor == nil:
		return invalid("task has neither a command nor an executor")
	case t.Executor != nil:
		return customExecutor(t.GetExecutor())
	case k.group:
		return nil
	}
	if linux := t.GetContainer().GetLinuxInfo(); linux != nil && linux.ShareCgroups != nil && !linux.GetShareCgroups() {
		return invalid("share_cgroups can be false only in a task group")
	}
	return nil
}
