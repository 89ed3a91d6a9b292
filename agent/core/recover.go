package core

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"mezzo/agent/task"
	"mezzo/api/checkpoint"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/resources"
)

// Recovered is what an earlier process kept, and what was found of it.
type Recovered struct {
	Frameworks []*checkpoint.Framework
	Tasks      []RecoveredTask
	// Rebooted says that the machine was started anew since: no container is left.
	Rebooted bool
}

// RecoveredTask is one task of an earlier process, with what the shell makes of
// it as for RunTask.
type RecoveredTask struct {
	Task   *checkpoint.Task
	Life   *checkpoint.Life
	What   string
	Limits isolator.Limits
	Found  bool // its container was started; whether it still runs is not known
}

// Adopt asks to wait for the end of a container that an earlier process
// launched.
type Adopt struct {
	Container ids.ContainerID
	Framework ids.FrameworkID
	Task      ids.TaskID
	Limits    isolator.Limits
}

func (Adopt) isEffect() {}

// Recover takes over what an earlier process kept; it comes before the first
// Step. What is in no state to go on is told to its framework by the same
// updates as if this process had seen it.
//
// Errors: errs.Corrupt for each record that makes no sense; it is left out.
func (c *Core) Recover(now time.Time, r Recovered) (effects []Effect, problems []error) {
	c.now, c.effects = now, nil
	for _, f := range r.Frameworks {
		if err := ids.Validate("framework", f.GetInfo().GetId().GetValue()); err != nil {
			problems = append(problems, fmt.Errorf("recover framework: %w: %w", err, errs.Corrupt))
			continue
		}
		c.frameworks = append(c.frameworks, &framework{info: f.GetInfo(), removed: f.GetRemoved()})
	}
	slices.SortFunc(r.Tasks, func(a, b RecoveredTask) int {
		return cmp.Or(cmp.Compare(a.Task.GetArrived(), b.Task.GetArrived()), cmp.Compare(a.Task.GetContainerId(), b.Task.GetContainerId()))
	})
	var all []*entry
	found := map[*entry]bool{}
	for _, t := range r.Tasks {
		e, err := c.recoverTask(t)
		if err != nil {
			problems = append(problems, fmt.Errorf("recover task %q in container %q: %w", t.Task.GetInfo().GetTaskId().GetValue(), t.Task.GetContainerId(), err))
			continue
		}
		all = append(all, e)
		found[e] = t.Found
	}
	c.settlePast(all)
	for _, e := range c.live {
		if r.Rebooted {
			c.lose(e)
		} else {
			c.resume(e, found[e])
		}
	}
	out := append(c.saves(), c.effects...)
	c.effects = nil
	return out, problems
}

// recoverTask makes the entry of a record.
func (c *Core) recoverTask(t RecoveredTask) (*entry, error) {
	f := c.findFramework(ids.FrameworkID(t.Task.GetFrameworkId().GetValue()))
	id := t.Task.GetContainerId()
	switch {
	case f == nil:
		return nil, fmt.Errorf("framework %q is not known: %w", t.Task.GetFrameworkId().GetValue(), errs.Corrupt)
	case c.containers[ids.ContainerID(id)] != nil:
		return nil, fmt.Errorf("it is there twice: %w", errs.Corrupt)
	case t.Life == nil:
		return nil, fmt.Errorf("nothing is known of its life: %w", errs.Corrupt)
	}
	if err := ids.Validate("container", id); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errs.Corrupt)
	}
	if err := ids.Validate("task", t.Task.GetInfo().GetTaskId().GetValue()); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errs.Corrupt)
	}
	e := &entry{
		framework: f, info: t.Task.GetInfo(), agent: ids.AgentID(t.Task.GetAgentId().GetValue()),
		container: ids.ContainerID(id), limits: t.Limits, grace: graceOf(t.Task.GetInfo()),
		arrived: t.Task.GetArrived(), fixed: true,
	}
	c.lastArrived = max(c.lastArrived, e.arrived)
	if err := e.restore(c.taskConfig(f, e.info, t.What, t.Limits), t.Life); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errs.Corrupt)
	}
	e.probes = newProbes(e.info)
	e.probes.restore(e.statuses)
	if (e.life.State() == task.Done) != e.ended() {
		return nil, fmt.Errorf("its state is %s, its updates say otherwise: %w", e.life.State(), errs.Corrupt)
	}
	if !e.completed.IsZero() {
		return e, nil
	}
	f.tasks = append(f.tasks, e)
	c.live = append(c.live, e)
	c.containers[e.container] = e
	return e, nil
}

// settlePast puts completed tasks in the order of their completion, and
// frameworks without live ones into the past.
func (c *Core) settlePast(all []*entry) {
	slices.SortStableFunc(all, func(a, b *entry) int { return a.completed.Compare(b.completed) })
	for _, e := range all {
		if !e.completed.IsZero() {
			c.complete(e)
		}
	}
	byEnd := slices.Clone(c.frameworks)
	slices.SortStableFunc(byEnd, func(a, b *framework) int { return a.lastEnd().Compare(b.lastEnd()) })
	for _, f := range byEnd {
		if len(f.tasks) == 0 {
			c.pass(f)
		}
	}
}

func (f *framework) lastEnd() time.Time {
	if n := len(f.completed); n > 0 {
		return f.completed[n-1].completed
	}
	return time.Time{}
}

// resume goes on with a task whose container was found or wasn't.
func (c *Core) resume(e *entry, found bool) {
	if found && e.life.State() != task.Done {
		c.emit(Adopt{e.container, ids.FrameworkID(e.framework.id()), ids.TaskID(e.id()), e.limits})
	}
	switch e.life.State() {
	case task.Starting, task.Aborting:
		// The container may run, or be half made; it was never said that it runs.
		switch {
		case found:
			c.step(e, task.Launched{})
		case e.life.State() == task.Starting:
			c.emit(c.launch(e))
		default:
			c.step(e, task.LaunchFailed{})
			e.held = false
		}
	case task.Running:
		if !found {
			c.step(e, task.Exited{Unknown: true})
		}
	case task.Killing:
		if found {
			c.emit(Terminate{e.container}) // it may not have been sent
		} else {
			c.step(e, task.Exited{Unknown: true})
		}
	case task.Done:
		if e.held {
			c.emit(Destroy{e.container})
		}
	case task.Staging:
		c.step(e, task.Start{})
	}
	if e.life.State() == task.Running {
		c.resumeProbes(e)
	}
	c.save(e)
	c.retire(e)
}

// lose ends a task that was lost with the machine's last life.
func (c *Core) lose(e *entry) {
	switch e.life.State() {
	case task.Done:
		e.held = false
	default:
		state := v1.TaskState_TASK_LOST
		if e.framework.has(v1.FrameworkInfo_Capability_PARTITION_AWARE) {
			state = v1.TaskState_TASK_GONE
		}
		c.step(e, task.Lost{End: task.End{
			State: state, Reason: v1.TaskStatus_REASON_AGENT_RESTARTED.Enum(), Message: "The machine was rebooted",
		}})
	}
	c.save(e)
	c.retire(e)
}

// Fits checks that what runs here fits what the agent has now.
//
// Errors: errs.Conflict, with the tasks that hold what is missing.
func (c *Core) Fits(total resources.Resources) error {
	var used resources.Resources
	held := ""
	for _, e := range c.live {
		if e.life.State() == task.Done && !e.held {
			continue
		}
		r, err := resources.FromProto(e.info.GetResources())
		if err != nil {
			continue // it was refused for that
		}
		r = r.NonRevocable().Unallocated().WithoutReservations()
		used = used.Add(r)
		held += fmt.Sprintf("\n  task %s of framework %s: %s", e.id(), e.framework.id(), r)
	}
	if total = total.WithoutReservations(); total.Contains(used) {
		return nil
	}
	return fmt.Errorf("what runs here needs %s, more than the %s this agent has now; start it with enough --resources, end these tasks, and change them then:%s\n%w",
		used, total, held, errs.Conflict)
}

// wire forms of times: 0 is none.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

func span(n int64) time.Duration { return time.Duration(max(0, n)) }
