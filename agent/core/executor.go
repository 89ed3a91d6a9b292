package core

import (
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/task"
	"mezzo/agent/updates"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// executor runs tasks: one of a framework's own in its container, or, for task
// groups, the agent itself, of whose containers each task has one.
type executor struct {
	framework *framework
	info      *v1.ExecutorInfo
	agent     ids.AgentID // whose sandbox it has
	container ids.ContainerID
	group     bool
	what      string
	limits    isolator.Limits // without its tasks'

	life     *task.Executor // nil of groups
	tasks    []*entry       // that are not over, in order of arrival
	attached bool
	early    *ExecutorSubscribed // before its container was known to run
	given    bool                // it got a task
	pid      uint32
	held     bool  // a container exists, or a launch may still make one
	exit     int32 // as wait(2) gives it; -1: nobody knows

	arrived   int64
	dirty     bool // in Core.dirtyExecutors
	forgotten bool // not kept any more
}

func (x *executor) id() string { return x.info.GetExecutorId().GetValue() }

func (x *executor) attrs(more ...Attr) []Attr {
	return append([]Attr{
		{"framework_id", x.framework.id()}, {"executor_id", x.id()}, {"container_id", string(x.container)},
	}, more...)
}

// usable tells whether x takes new tasks.
func (x *executor) usable() bool {
	return x.group || x.life.State != task.ExecutorAborting && x.life.State != task.ExecutorEnding && x.life.State != task.ExecutorGone
}

func (x *executor) grace(of Config) time.Duration {
	if g := x.info.GetShutdownGracePeriod(); g != nil {
		return span(g.GetNanoseconds())
	}
	return of.ShutdownGrace
}

// sum is what an executor's container may use: its own and its tasks'.
func (x *executor) sum() isolator.Limits {
	s := x.limits
	for _, e := range x.tasks {
		s.CPURequestMilli = plus(s.CPURequestMilli, e.limits.CPURequestMilli)
		s.CPULimitMilli = plus(s.CPULimitMilli, e.limits.CPULimitMilli)
		s.MemRequestBytes = plus(s.MemRequestBytes, e.limits.MemRequestBytes)
		s.MemLimitBytes = plus(s.MemLimitBytes, e.limits.MemLimitBytes)
	}
	return s
}

// plus adds amounts of which either may be without limit.
func plus(a, b int64) int64 {
	switch {
	case a == isolator.Unlimited || b == isolator.Unlimited:
		return isolator.Unlimited
	case a > math.MaxInt64-b:
		return math.MaxInt64
	}
	return a + b
}

// findExecutor returns f's executor of that id, or nil.
func (f *framework) findExecutor(id string) *executor {
	for _, x := range f.executors {
		if x.id() == id {
			return x
		}
	}
	return nil
}

// newExecutor makes one that nobody knows yet.
func (c *Core) newExecutor(f *framework, r RunExecutor, group bool) *executor {
	c.lastArrived = max(c.lastArrived+1, c.now.UnixNano())
	x := &executor{
		framework: f, info: r.Info, agent: ids.AgentID(c.agentID()), container: containerID(c.cfg.NewID()),
		group: group, what: r.What, limits: r.Limits, arrived: c.lastArrived, exit: -1,
	}
	if !group {
		x.life, x.held = task.NewExecutor(c.cfg.ExecutorRegistrationTimeout), true
	}
	c.addExecutor(x)
	c.saveExecutor(x)
	c.trace(Info, "executor starts", x.attrs()...)
	return x
}

func (c *Core) addExecutor(x *executor) {
	x.framework.executors = append(x.framework.executors, x)
	c.executors[x.container] = x
}

// launchExecutor asks for the container of a framework's own executor.
func (x *executor) launch() Launch {
	return Launch{Container: x.container, Agent: x.agent, Framework: x.framework.info, Executor: x.info, Limits: x.sum(), DiskBytes: x.diskBytes()}
}

// queueTask hands a task to its executor, which is started if it isn't there.
func (c *Core) queueTask(e *entry, r *RunExecutor) {
	x := e.framework.findExecutor(r.Info.GetExecutorId().GetValue())
	isNew := x == nil
	if isNew {
		x = c.newExecutor(e.framework, *r, false)
	}
	e.executor = x
	x.tasks = append(x.tasks, e)
	c.step(e, task.Queue{})
	switch {
	case x.group || !x.usable():
		c.step(e, task.Lost{End: task.End{
			State: c.dropped(e.framework), Reason: v1.TaskStatus_REASON_EXECUTOR_TERMINATED.Enum(), Message: "Executor is ending",
		}})
	case isNew:
		c.emit(x.launch())
	default:
		c.emit(Resize{x.container, x.sum()})
		c.giveTasks(x)
	}
}

// dropped is the state of a task that never started, in words that f knows.
func (c *Core) dropped(f *framework) v1.TaskState {
	if f.has(v1.FrameworkInfo_Capability_PARTITION_AWARE) {
		return v1.TaskState_TASK_DROPPED
	}
	return v1.TaskState_TASK_LOST
}

// giveTasks gives an executor that listens the tasks that wait for it.
func (c *Core) giveTasks(x *executor) {
	if !x.attached || x.life.State != task.ExecutorRunning {
		return
	}
	for _, e := range x.tasks {
		if e.life.State() == task.Queued {
			c.step(e, task.Give{})
			c.tellLaunch(x, e)
		}
	}
}

func (c *Core) tellLaunch(x *executor, e *entry) {
	if !x.given {
		x.given = true
		c.saveExecutor(x)
	}
	info := proto.CloneOf(e.info)
	info.Executor = x.info
	c.emit(Tell{x.container, &wire.Event{Type: wire.Event_LAUNCH.Enum(), Launch: &wire.Event_Launch{Task: info}}})
}

func (c *Core) tellKill(x *executor, e *entry, grace *time.Duration) {
	kill := &wire.Event_Kill{TaskId: e.info.GetTaskId()}
	if grace != nil {
		kill.KillPolicy = &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(grace.Nanoseconds())}}
	}
	c.emit(Tell{x.container, &wire.Event{Type: wire.Event_KILL.Enum(), Kill: kill}})
}

// ExecutorContainer finds the container of an executor of a framework's own.
//
// Errors: errs.NotFound.
func (c *Core) ExecutorContainer(f ids.FrameworkID, id ids.ExecutorID) (container ids.ContainerID, subscribed bool, err error) {
	if fw := c.findFramework(f); fw == nil {
		return "", false, fmt.Errorf("framework %q: %w", f, errs.NotFound)
	} else if x := fw.findExecutor(string(id)); x != nil && !x.group && x.life.State != task.ExecutorGone {
		return x.container, x.attached, nil
	}
	return "", false, fmt.Errorf("executor %q of framework %q: %w", id, f, errs.NotFound)
}

// subscribed gives an executor its stream: who it is, and what it may not know.
func (c *Core) subscribed(ev ExecutorSubscribed) {
	x := c.executors[ev.Container]
	if x == nil || x.group || x.life.State == task.ExecutorStarting || x.life.State == task.ExecutorAborting {
		if x != nil && !x.group { // it is faster than the word that its container runs
			x.early = &ev
		}
		return
	}
	x.attached = true
	c.emit(Tell{x.container, &wire.Event{Type: wire.Event_SUBSCRIBED.Enum(), Subscribed: &wire.Event_Subscribed{
		ExecutorInfo: x.info, FrameworkInfo: x.framework.info, AgentInfo: c.agent, ContainerId: x.container.Proto(),
	}}})
	c.stepExecutor(x, task.ExecutorSubscribed, 0)
	for _, s := range ev.Updates {
		if err := c.CheckUpdate(x.container, s); err != nil {
			c.trace(Warn, "ignored an executor's update", x.attrs(Attr{"task_id", s.GetTaskId().GetValue()}, Attr{"err", err.Error()})...)
			continue
		}
		c.told(x, s)
	}
	for _, e := range x.tasks {
		if e.life.State() != task.Given {
			continue
		}
		knows := slices.ContainsFunc(ev.Tasks, func(t *v1.TaskInfo) bool { return t.GetTaskId().GetValue() == e.id() })
		if !knows && len(e.statuses) == 0 { // it was sent and did not arrive
			c.tellLaunch(x, e)
		}
		if e.killing {
			c.tellKill(x, e, nil)
		}
	}
	c.giveTasks(x)
}

func (c *Core) detached(ev ExecutorDetached) {
	if x := c.executors[ev.Container]; x != nil {
		x.attached, x.early = false, nil
		c.trace(Info, "executor's stream ended", x.attrs()...)
	}
}

// CheckUpdate tells what is wrong with a status that an executor tells.
//
// Errors: errs.Invalid.
func (c *Core) CheckUpdate(container ids.ContainerID, s *v1.TaskStatus) error {
	x := c.executors[container]
	if x == nil {
		return fmt.Errorf("there is no such executor: %w", errs.Invalid)
	}
	if _, err := updates.ParseUUID(s.GetUuid()); err != nil {
		return err
	}
	switch s.GetState() {
	case v1.TaskState_TASK_STAGING, v1.TaskState_TASK_UNREACHABLE, v1.TaskState_TASK_UNKNOWN, v1.TaskState_TASK_GONE_BY_OPERATOR:
		return fmt.Errorf("an executor does not see a task in state %s: %w", s.GetState(), errs.Invalid)
	}
	e := x.framework.find(ids.TaskID(s.GetTaskId().GetValue()))
	if e == nil || e.executor != x || e.life.State() == task.Queued {
		return fmt.Errorf("executor %q was given no task %q: %w", x.id(), s.GetTaskId().GetValue(), errs.Invalid)
	}
	if id, _ := updates.ParseUUID(s.GetUuid()); e.life.State() == task.Done && !e.stream.Seen(id) {
		return fmt.Errorf("task %q is over already: %w", e.id(), errs.Invalid)
	}
	return nil
}

// told takes what an executor tells, and acknowledges it once it is kept.
func (c *Core) told(x *executor, s *v1.TaskStatus) {
	e := x.framework.find(ids.TaskID(s.GetTaskId().GetValue()))
	id, err := updates.ParseUUID(s.GetUuid())
	if e == nil || err != nil {
		return // it was checked
	}
	if !e.stream.Seen(id) {
		full := proto.CloneOf(s)
		full.AgentId, full.ExecutorId = e.info.GetAgentId(), x.info.GetExecutorId()
		if full.Timestamp == nil {
			full.Timestamp = proto.Float64(seconds(c.now))
		}
		if full.Source == nil {
			full.Source = v1.TaskStatus_SOURCE_EXECUTOR.Enum()
		}
		if full.ContainerStatus == nil {
			full.ContainerStatus = c.containerStatus(e)
		}
		before := e.life.State()
		c.step(e, task.Told{State: s.GetState()})
		if before == task.Done {
			return
		}
		c.record(e, full, id, task.Update{State: s.GetState(), Reason: full.Reason, Message: full.GetMessage()})
		c.overIfDone(e)
	}
	c.emit(Tell{x.container, &wire.Event{Type: wire.Event_ACKNOWLEDGED.Enum(), Acknowledged: &wire.Event_Acknowledged{
		TaskId: e.info.GetTaskId(), Uuid: s.GetUuid(),
	}}})
}

func (c *Core) executorSays(ev ExecutorMessage) {
	x := c.executors[ev.Container]
	if x == nil || !c.attached {
		return // best effort
	}
	c.emit(Send{&link.FromAgent{Message: &link.FromAgent_ExecutorMessage{ExecutorMessage: &link.ExecutorMessage{
		FrameworkId: x.framework.info.GetId(), ExecutorId: x.info.GetExecutorId(), Data: ev.Data,
	}}}})
}

// executorTold is a message from the scheduler.
func (c *Core) executorTold(m *link.ExecutorMessage) {
	f := c.findFramework(ids.FrameworkID(m.GetFrameworkId().GetValue()))
	if f == nil {
		return
	}
	if x := f.findExecutor(m.GetExecutorId().GetValue()); x != nil && !x.group {
		c.emit(Tell{x.container, &wire.Event{Type: wire.Event_MESSAGE.Enum(), Message: &wire.Event_Message{Data: m.GetData()}}})
	}
}

// shutdownExecutor is the master's word that an executor is to end.
func (c *Core) shutdownExecutor(m *link.ShutdownExecutor) {
	f := c.findFramework(ids.FrameworkID(m.GetFrameworkId().GetValue()))
	if f == nil || f.findExecutor(m.GetExecutorId().GetValue()) == nil {
		c.trace(Info, "ignored the shutdown of an unknown executor", Attr{"executor_id", m.GetExecutorId().GetValue()})
		return
	}
	x := f.findExecutor(m.GetExecutorId().GetValue())
	c.endExecutor(x, x.grace(c.cfg), task.End{Message: "The executor was shut down"})
}

// endExecutor ends an executor; end is what becomes of the tasks of a group.
func (c *Core) endExecutor(x *executor, grace time.Duration, end task.End) {
	if !x.group {
		c.stepExecutor(x, task.ExecutorShutdown, grace)
		return
	}
	for _, e := range slices.Clone(x.tasks) {
		c.step(e, c.shutdownKill(e, end))
	}
}

// stepExecutor lets an event happen to x and passes on what it causes.
func (c *Core) stepExecutor(x *executor, kind task.ExecutorKind, grace time.Duration) {
	c.saveExecutor(x)
	from := x.life.State
	effects, err := x.life.Step(c.now, kind, grace)
	if err != nil {
		c.trace(Warn, "event out of turn", x.attrs(Attr{"err", err.Error()})...)
		return
	}
	for _, effect := range effects {
		switch effect.(type) {
		case task.Abort:
			c.emit(Abort{x.container})
		case task.Terminate:
			c.emit(Terminate{x.container})
		case task.Slay:
			c.emit(Slay{x.container})
		case task.Destroy:
			c.emit(Destroy{x.container})
		case task.AskShutdown:
			c.emit(Tell{x.container, &wire.Event{Type: wire.Event_SHUTDOWN.Enum()}})
			if !x.attached {
				c.emit(Terminate{x.container})
			}
		}
	}
	if to := x.life.State; to != from {
		c.trace(Debug, "executor moved", x.attrs(Attr{"from", from.String()}, Attr{"to", to.String()})...)
	}
}

// loseTasks ends what an executor had.
func (c *Core) loseTasks(x *executor, end task.End) {
	for _, e := range slices.Clone(x.tasks) {
		c.step(e, task.Lost{End: end})
		c.overIfDone(e)
	}
}

// executorLaunched and the following are for containers of executors.
func (c *Core) executorLaunched(x *executor, pid uint32) {
	x.pid = pid
	c.stepExecutor(x, task.ExecutorLaunched, 0)
	c.trace(Info, "executor runs", x.attrs()...)
	if ev := x.early; ev != nil {
		x.early = nil
		c.subscribed(*ev)
	}
}

func (c *Core) executorLaunchFailed(x *executor, ev LaunchFailed) {
	c.stepExecutor(x, task.ExecutorLaunchFailed, 0)
	c.counters.LaunchErrors++
	c.loseTasks(x, task.End{
		State: v1.TaskState_TASK_FAILED, Reason: v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED.Enum(),
		Message: fmt.Sprintf("Launch of executor %q, %s, failed: %s", x.id(), x.what, errs.Text(ev.Err)),
	})
	x.held = false
	c.retireExecutor(x)
}

func (c *Core) executorExited(x *executor, exit task.Exited) {
	c.stepExecutor(x, task.ExecutorExited, 0)
	x.attached = false
	if x.exit = -1; !exit.Unknown {
		x.exit = waitStatus(exit.Code)
	}
	end := exit.Verdict()
	if x.life.End.Reason != nil {
		end = x.life.End
	}
	c.trace(Info, "executor ended", x.attrs(Attr{"message", end.Message})...)
	state := v1.TaskState_TASK_FAILED
	if isPreempted(end.Reason) {
		state = x.framework.preempted()
	}
	c.loseTasks(x, task.End{State: state, Reason: end.Reason, Message: end.Message})
}

// waitStatus is an exit code as wait(2) gives it.
func waitStatus(code int) int32 {
	if sig := code - 128; sig > 0 && sig < 65 {
		return int32(sig)
	}
	return int32(code&0xff) << 8
}

func (c *Core) executorDestroyed(x *executor, err error) {
	if err != nil {
		c.counters.DestroyErrors++
		c.trace(Warn, "container left behind", x.attrs(Attr{"err", err.Error()})...)
	}
	x.held = false
	c.retireExecutor(x)
}

// overIfDone takes a task that is over from its executor.
func (c *Core) overIfDone(e *entry) {
	x := e.executor
	if x == nil || e.life.State() != task.Done || e.held || !slices.Contains(x.tasks, e) {
		return
	}
	x.tasks = without(x.tasks, e)
	switch {
	case x.group:
		c.retireExecutor(x)
	case x.life.State == task.ExecutorRunning || x.life.State == task.ExecutorRegistering:
		c.emit(Resize{x.container, x.sum()})
		if !x.given && len(x.tasks) == 0 { // it was started for nothing
			c.endExecutor(x, x.grace(c.cfg), task.End{})
		}
	case x.life.State == task.ExecutorStarting && len(x.tasks) == 0:
		c.endExecutor(x, 0, task.End{})
	}
}

// retireExecutor forgets an executor of which nothing is left, and says so.
func (c *Core) retireExecutor(x *executor) {
	if x.held || len(x.tasks) > 0 || c.executors[x.container] != x {
		return
	}
	if x.group {
		x.exit = 0
	}
	delete(c.executors, x.container)
	x.framework.executors = without(x.framework.executors, x)
	x.forgotten = true
	c.saveExecutor(x)
	c.tellExited(x.framework, x.info.GetExecutorId(), x.exit)
	c.passIfIdle(x.framework)
}

// tellExited says that an executor is no more. A master that does not hear it
// learns it from the next Hello.
func (c *Core) tellExited(f *framework, id *v1.ExecutorID, status int32) {
	if c.attached && !f.removed {
		c.emit(Send{&link.FromAgent{Message: &link.FromAgent_ExecutorExited{ExecutorExited: &link.ExecutorExited{
			FrameworkId: f.info.GetId(), ExecutorId: id, Status: status,
		}}}})
	}
}

// fireExecutors steps every executor whose time has come.
func (c *Core) fireExecutors() {
	for _, f := range c.frameworks {
		for _, x := range slices.Clone(f.executors) {
			if !x.group && x.life.Overdue(c.now) {
				c.stepExecutor(x, task.ExecutorOverdue, 0)
			}
		}
	}
}

// runGroup takes tasks in that live and die together.
func (c *Core) runGroup(ev RunGroup) {
	f := c.frameworkOf(ev.Framework)
	if f.removed {
		c.trace(Warn, "ignored a task group whose framework is being removed", Attr{"framework_id", f.id()})
		return
	}
	id := ev.Executor.Info.GetExecutorId()
	x := f.findExecutor(id.GetValue())
	refusal := ev.Refusal
	if x != nil && !x.group && refusal == nil {
		refusal = fmt.Errorf("executor %q is one of the framework's own: %w", id.GetValue(), errs.Invalid)
	}
	var tasks []*entry
	c.lastArrived = max(c.lastArrived+1, c.now.UnixNano())
	number := c.lastArrived
	if x == nil {
		x = c.newExecutor(f, ev.Executor, true)
	}
	for _, t := range ev.Tasks {
		if f.find(ids.TaskID(t.Task.GetTaskId().GetValue())) != nil {
			c.trace(Warn, "ignored a task that is here already", Attr{"framework_id", f.id()}, Attr{"task_id", t.Task.GetTaskId().GetValue()})
			continue
		}
		if t.Refusal != nil && refusal == nil {
			refusal = fmt.Errorf("task %q: %w", t.Task.GetTaskId().GetValue(), t.Refusal)
		}
		e := c.newEntry(f, t)
		e.executor, e.groupNumber = x, number
		x.tasks = append(x.tasks, e)
		tasks = append(tasks, e)
	}
	for _, e := range tasks {
		switch {
		case c.stopping != nil:
			c.step(e, task.Kill{End: task.End{Message: c.stopping.exit.Why}})
		case refusal != nil:
			c.step(e, task.Refuse{Why: errs.Text(refusal), Reason: v1.TaskStatus_REASON_TASK_GROUP_INVALID})
		default:
			c.step(e, task.Start{})
		}
		c.overIfDone(e)
	}
	c.retireExecutor(x)
}

// endGroup kills what is left of a group of which one task did not finish.
func (c *Core) endGroup(e *entry) {
	if e.groupNumber == 0 || e.statuses[len(e.statuses)-1].GetState() == v1.TaskState_TASK_FINISHED {
		return
	}
	for _, o := range slices.Clone(e.executor.tasks) {
		if o != e && o.groupNumber == e.groupNumber && o.life.State() != task.Done && o.life.State() != task.Killing && o.life.State() != task.Aborting {
			c.step(o, task.Kill{End: task.End{Message: fmt.Sprintf("Task %q of its group did not finish", e.id())}})
			c.overIfDone(o)
		}
	}
}
