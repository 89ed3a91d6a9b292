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
	Executors  []RecoveredExecutor
	Tasks      []RecoveredTask
	Operations []*checkpoint.Operation
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

// RecoveredExecutor is one executor of an earlier process, with what the shell
// makes of it as for RunTask.
type RecoveredExecutor struct {
	Executor *checkpoint.Executor
	What     string
	Limits   isolator.Limits
	Found    bool // its container was started; whether it still runs is not known
}

// Adopt asks to wait for the end of a container that an earlier process
// launched.
type Adopt struct {
	Container ids.ContainerID
	Framework ids.FrameworkID
	Task      ids.TaskID     // or
	Executor  ids.ExecutorID // whose container it is
	Limits    isolator.Limits
	Group     ids.ContainerID // empty: it is in none
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
	slices.SortFunc(r.Executors, func(a, b RecoveredExecutor) int {
		return cmp.Or(cmp.Compare(a.Executor.GetArrived(), b.Executor.GetArrived()), cmp.Compare(a.Executor.GetContainerId(), b.Executor.GetContainerId()))
	})
	c.recoverOperations(r.Operations)
	foundExecutors := map[*executor]bool{}
	for _, t := range r.Executors {
		x, err := c.recoverExecutor(t)
		if err != nil {
			problems = append(problems, fmt.Errorf("recover executor %q in container %q: %w", t.Executor.GetInfo().GetExecutorId().GetValue(), t.Executor.GetContainerId(), err))
			continue
		}
		foundExecutors[x] = t.Found
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
	for _, f := range slices.Clone(c.frameworks) {
		for _, x := range slices.Clone(f.executors) {
			if !x.group {
				c.resumeExecutor(x, foundExecutors[x], r.Rebooted)
			}
		}
	}
	for _, e := range c.live {
		if e.life.State() == task.Queued || e.life.State() == task.Given {
			continue // its executor's matter
		}
		if r.Rebooted {
			c.lose(e)
		} else {
			c.resume(e, found[e])
		}
	}
	for _, f := range slices.Clone(c.frameworks) {
		for _, x := range slices.Clone(f.executors) {
			c.retireExecutor(x)
		}
	}
	out := append(c.saves(), c.effects...)
	c.effects = nil
	return out, problems
}

// recoverExecutor makes the executor of a record.
func (c *Core) recoverExecutor(t RecoveredExecutor) (*executor, error) {
	r := t.Executor
	f := c.findFramework(ids.FrameworkID(r.GetFrameworkId().GetValue()))
	switch {
	case f == nil:
		return nil, fmt.Errorf("framework %q is not known: %w", r.GetFrameworkId().GetValue(), errs.Corrupt)
	case c.executors[ids.ContainerID(r.GetContainerId())] != nil:
		return nil, fmt.Errorf("it is there twice: %w", errs.Corrupt)
	case r.GetState() > uint32(task.ExecutorGone):
		return nil, fmt.Errorf("there is no state %d: %w", r.GetState(), errs.Corrupt)
	}
	for kind, id := range map[string]string{"container": r.GetContainerId(), "executor": r.GetInfo().GetExecutorId().GetValue()} {
		if err := ids.Validate(kind, id); err != nil {
			return nil, fmt.Errorf("%w: %w", err, errs.Corrupt)
		}
	}
	x := &executor{
		framework: f, info: r.GetInfo(), agent: ids.AgentID(r.GetAgentId().GetValue()), container: ids.ContainerID(r.GetContainerId()),
		group: r.GetGroup(), what: t.What, limits: t.Limits, given: r.GetGiven(), pid: r.GetPid(), held: r.GetHeld(),
		arrived: r.GetArrived(), exit: -1,
	}
	if !x.group {
		x.life = task.NewExecutor(c.cfg.ExecutorRegistrationTimeout)
		x.life.State, x.life.Deadline, x.life.End.Message = task.ExecutorState(r.GetState()), moment(r.GetDeadline()), r.GetEndMessage()
		if r.EndReason != nil {
			x.life.End.Reason = v1.TaskStatus_Reason(r.GetEndReason()).Enum()
		}
	}
	c.lastArrived = max(c.lastArrived, x.arrived)
	c.addExecutor(x)
	return x, nil
}

// resumeExecutor goes on with an executor whose container was found or wasn't.
func (c *Core) resumeExecutor(x *executor, found, rebooted bool) {
	state := x.life.State
	switch {
	case state == task.ExecutorGone:
		if x.held && !rebooted {
			c.emit(Destroy{x.container})
		} else {
			x.held = false
		}
		return
	case rebooted:
		c.stepExecutor(x, task.ExecutorLost, 0)
		end := task.End{State: v1.TaskState_TASK_LOST, Reason: v1.TaskStatus_REASON_AGENT_RESTARTED.Enum(), Message: "The machine was rebooted"}
		if x.framework.has(v1.FrameworkInfo_Capability_PARTITION_AWARE) {
			end.State = v1.TaskState_TASK_GONE
		}
		c.loseTasks(x, end)
		return
	case found:
		c.emit(Adopt{Container: x.container, Framework: ids.FrameworkID(x.framework.id()), Executor: ids.ExecutorID(x.id()), Limits: x.sum()})
	case state == task.ExecutorStarting:
		c.emit(x.launch())
		return
	case state == task.ExecutorAborting:
		c.executorLaunchFailed(x, LaunchFailed{Container: x.container, Err: fmt.Errorf("the agent ended: %w", errs.Unavailable)})
		return
	default:
		c.executorExited(x, task.Exited{Unknown: true})
		return
	}
	switch state {
	case task.ExecutorStarting, task.ExecutorAborting:
		c.executorLaunched(x, x.pid)
	case task.ExecutorRegistering, task.ExecutorRunning:
		// It subscribes again.
		x.life.State, x.life.Timeout = task.ExecutorRegistering, c.cfg.ExecutorReregistrationTimeout
		x.life.Deadline = c.now.Add(x.life.Timeout)
		if state == task.ExecutorRunning {
			x.life.TimeoutReason = v1.TaskStatus_REASON_EXECUTOR_REREGISTRATION_TIMEOUT
		}
		c.saveExecutor(x)
	case task.ExecutorEnding:
		c.emit(Terminate{x.container}) // its stream is gone, and with it what it was told
	}
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
	if id := t.Task.GetExecutorContainerId(); id != "" {
		if e.executor = c.executors[ids.ContainerID(id)]; e.executor == nil { // it is no more
			e.executor = &executor{
				framework: f, container: ids.ContainerID(id), group: t.Task.GetGroup() != 0,
				info: &v1.ExecutorInfo{ExecutorId: ids.ExecutorID(t.Task.GetExecutorId()).Proto()},
			}
		}
		e.groupNumber = t.Task.GetGroup()
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
	if x := e.executor; x != nil && (e.held || e.life.State() != task.Done) {
		if c.executors[x.container] != x {
			return nil, fmt.Errorf("executor %q, which has it, is not known: %w", x.id(), errs.Corrupt)
		}
		x.tasks = append(x.tasks, e)
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
		c.passIfIdle(f)
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
		a := Adopt{Container: e.container, Framework: ids.FrameworkID(e.framework.id()), Task: ids.TaskID(e.id()), Limits: e.limits}
		if e.groupNumber != 0 {
			a.Group = e.executor.container
		}
		c.emit(a)
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
	for _, f := range c.frameworks {
		for _, x := range f.executors {
			if r, err := resources.FromProto(x.info.GetResources()); err == nil && !r.IsEmpty() { // else it was refused
				r = r.NonRevocable().Unallocated().WithoutReservations()
				used = used.Add(r)
				held += fmt.Sprintf("\n  executor %s of framework %s: %s", x.id(), f.id(), r)
			}
		}
	}
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
