package core

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/usage"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// Executor is one of a framework's own, or of task groups, as the master knows
// it. It is never changed. It holds its resources until its agent says that it is
// no more.
type Executor struct {
	ID        ids.ExecutorID
	Framework ids.FrameworkID
	Agent     ids.AgentID
	Info      *v1.ExecutorInfo // its framework_id is set
	Resources resources.Resources
	Usage     *usage.ContainerUsage // a sample of it alone, with its tasks; nil if there is none; see Usages
}

// executorKey names an executor on its agent.
type executorKey struct {
	framework ids.FrameworkID
	executor  ids.ExecutorID
}

func (x *Executor) key() executorKey { return executorKey{x.Framework, x.ID} }

// executorOf reads info as one of f's executors.
//
// Source: mesos master/validation.cpp, namespace executor.
func executorOf(f ids.FrameworkID, on ids.AgentID, role string, info *v1.ExecutorInfo) (*Executor, error) {
	info = proto.CloneOf(info)
	id := ids.ExecutorID(info.GetExecutorId().GetValue())
	if err := ids.Validate("executor", string(id)); err != nil {
		return nil, err
	}
	if info.FrameworkId != nil && info.GetFrameworkId().GetValue() != string(f) {
		return nil, invalid("executor %q is of framework %q, not %q", id, info.GetFrameworkId().GetValue(), f)
	}
	info.FrameworkId = f.Proto()
	if info.GetShutdownGracePeriod().GetNanoseconds() < 0 {
		return nil, invalid("executor %q: shutdown_grace_period is negative", id)
	}
	res, err := resources.FromProto(info.GetResources())
	if err != nil {
		return nil, fmt.Errorf("executor %q: %w", id, err)
	}
	if role != "" {
		for _, r := range info.GetResources() {
			if other := r.GetAllocationInfo().GetRole(); other != "" && other != role {
				return nil, invalid("executor %q: resource %q is allocated to role %q, but the offers are for role %q", id, r.GetName(), other, role)
			}
		}
		res = res.Allocated(role)
	}
	info.Resources = res.Proto()
	for _, err := range []error{checkEnvironment(info.GetCommand()), checkContainer(info.GetContainer())} {
		if err != nil {
			return nil, fmt.Errorf("executor %q: %w", id, err)
		}
	}
	return &Executor{ID: id, Framework: f, Agent: on, Info: info, Resources: res}, nil
}

// customExecutor checks the executor of a task, which has to be a program.
func customExecutor(info *v1.ExecutorInfo) error {
	switch info.GetType() {
	case v1.ExecutorInfo_UNKNOWN, v1.ExecutorInfo_CUSTOM:
	default:
		return invalid("executor of type %s is for task groups", info.GetType())
	}
	if info.Command == nil {
		return invalid("executor %q has no command", info.GetExecutorId().GetValue())
	}
	return nil
}

// groupExecutor checks the executor of a task group, which the agent is itself.
func groupExecutor(info *v1.ExecutorInfo) error {
	switch {
	case info.GetType() != v1.ExecutorInfo_DEFAULT:
		return invalid("executor of a task group is of type DEFAULT, not %s", info.GetType())
	case info.Command != nil:
		return invalid("executor of type DEFAULT has a command")
	}
	return nil
}

// runningOr returns the executor that runs on a already, if x is the same, or x
// itself, which is new then.
func (a *agent) runningOr(x *Executor) (there *Executor, isNew bool, err error) {
	old, ok := a.executors[x.key()]
	if !ok {
		return x, true, nil
	}
	if !proto.Equal(old.Info, x.Info) {
		return nil, false, invalid("executor %q runs on the agent already, from another description", x.ID)
	}
	return old, false, nil
}

// executorsOf are the ids of f's executors on a.
func (a *agent) executorsOf(f ids.FrameworkID) (all []*v1.ExecutorID) {
	for _, x := range a.sortedExecutors() {
		if x.Framework == f {
			all = append(all, x.ID.Proto())
		}
	}
	return all
}

func (a *agent) sortedExecutors() []*Executor { return sortExecutors(a.executors) }

func sortExecutors(m map[executorKey]*Executor) []*Executor {
	all := make([]*Executor, 0, len(m))
	for _, x := range m {
		all = append(all, x)
	}
	slices.SortFunc(all, compareExecutors)
	return all
}

func compareExecutors(a, b *Executor) int {
	return cmp.Or(cmp.Compare(a.Framework, b.Framework), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Agent, b.Agent))
}

func (c *Core) addExecutor(f *framework, a *agent, x *Executor) {
	f.agents[a.ID] = true
	a.executors[x.key()] = x
	a.Used = a.Used.Add(x.Resources)
}

// removeExecutor frees what an executor held.
func (c *Core) removeExecutor(a *agent, x *Executor) {
	delete(a.executors, x.key())
	a.Used = minus(a.Used, x.Resources)
	if f := c.frameworks[x.Framework]; f != nil && !x.Resources.IsEmpty() {
		c.release(f, a, x.Resources, 0)
		c.wantAllocation(a.ID)
	}
}

// executorExited takes the agent's word that an executor is no more, and tells
// its framework.
func (c *Core) executorExited(a *agent, m *link.ExecutorExited) {
	c.counts[MessagesExitedExecutor]++
	key := executorKey{ids.FrameworkID(m.GetFrameworkId().GetValue()), ids.ExecutorID(m.GetExecutorId().GetValue())}
	x, ok := a.executors[key]
	if !ok {
		return // its framework was removed
	}
	c.removeExecutor(a, x)
	if f := c.frameworks[x.Framework]; f != nil {
		c.send(f, &scheduler.Event{Type: scheduler.Event_FAILURE.Enum(), Failure: &scheduler.Event_Failure{
			AgentId: a.ID.Proto(), ExecutorId: x.ID.Proto(), Status: proto.Int32(m.GetStatus()),
		}})
	}
	c.trace(Info, "executor exited", "executor_id", string(x.ID), "framework_id", string(x.Framework), "agent_id", string(a.ID), "status", fmt.Sprint(m.GetStatus()))
}

// executorMessage passes on what an executor says to its framework.
func (c *Core) executorMessage(a *agent, m *link.ExecutorMessage) {
	c.counts[MessagesExecutorToFramework]++
	f := c.frameworks[ids.FrameworkID(m.GetFrameworkId().GetValue())]
	if f == nil || !f.Connected {
		c.counts[InvalidExecutorToFrameworkMessages]++
		c.counts[DroppedMessages]++
		return
	}
	c.counts[ValidExecutorToFrameworkMessages]++
	c.send(f, &scheduler.Event{Type: scheduler.Event_MESSAGE.Enum(), Message: &scheduler.Event_Message{
		AgentId: a.ID.Proto(), ExecutorId: m.GetExecutorId(), Data: m.GetData(),
	}})
}

// message is the MESSAGE call: best effort, as in Mesos.
func (c *Core) message(f *framework, call *scheduler.Call_Message) {
	c.counts[MessagesFrameworkToExecutor]++
	a := c.agents[ids.AgentID(call.GetAgentId().GetValue())]
	if a == nil || !a.Connected || a.executors[executorKey{f.ID, ids.ExecutorID(call.GetExecutorId().GetValue())}] == nil {
		c.counts[InvalidFrameworkToExecutorMessages]++
		c.counts[DroppedMessages]++
		c.trace(Debug, "message to an executor dropped", "framework_id", string(f.ID), "executor_id", call.GetExecutorId().GetValue())
		return
	}
	c.counts[ValidFrameworkToExecutorMessages]++
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_ExecutorMessage{ExecutorMessage: &link.ExecutorMessage{
		FrameworkId: f.ID.Proto(), ExecutorId: call.GetExecutorId(), Data: call.GetData(),
	}}})
}

// shutdownExecutor is the SHUTDOWN call.
func (c *Core) shutdownExecutor(f *framework, call *scheduler.Call_Shutdown) {
	a := c.agents[ids.AgentID(call.GetAgentId().GetValue())]
	if a == nil || a.executors[executorKey{f.ID, ids.ExecutorID(call.GetExecutorId().GetValue())}] == nil {
		c.counts[DroppedMessages]++
		c.trace(Debug, "shutdown of an unknown executor dropped", "framework_id", string(f.ID), "executor_id", call.GetExecutorId().GetValue())
		return
	}
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_ShutdownExecutor{ShutdownExecutor: &link.ShutdownExecutor{
		FrameworkId: f.ID.Proto(), ExecutorId: call.GetExecutorId(),
	}}})
}

// checkExecutors reads those that an agent reports.
func (h *hello) checkExecutors() error {
	for _, info := range h.GetExecutors() {
		f := ids.FrameworkID(info.GetFrameworkId().GetValue())
		x, err := executorOf(f, "", "", info)
		if err == nil && h.frameworks[f] == nil {
			err = fmt.Errorf("framework %q is not described: %w", f, errs.Invalid)
		}
		if err != nil {
			return fmt.Errorf("executor %q: %w", info.GetExecutorId().GetValue(), err)
		}
		if h.executors[x.key()] != nil {
			return fmt.Errorf("executor %q of framework %q is reported twice: %w", x.ID, f, errs.Invalid)
		}
		h.executors[x.key()] = x
	}
	return nil
}

// launchGroup starts tasks that live and die together.
//
// Source: mesos master/validation.cpp, namespace task::group.
func (c *Core) launchGroup(f *framework, a *agent, role string, op *v1.Offer_Operation_LaunchGroup, rest resources.Resources) resources.Resources {
	tasks := op.GetTaskGroup().GetTasks()
	x, isNew, need, err := c.checkGroup(f, a, role, op, rest)
	if err != nil {
		c.refuseTasks(f, tasks, v1.TaskState_TASK_ERROR, v1.TaskStatus_REASON_TASK_GROUP_INVALID, "task group: "+errs.Text(err))
		return rest
	}
	if isNew {
		c.addExecutor(f, a, x)
	}
	for _, info := range tasks {
		res, err := resources.FromProto(info.GetResources())
		must(err) // it was checked
		res = res.Allocated(role)
		info.Resources = res.Proto()
		t := newTask(f.ID, info, res)
		t.Info.ExecutorId = x.ID.Proto()
		c.addTask(f, a, t)
		c.trace(Info, "task launched", "task_id", string(t.ID), "framework_id", string(f.ID), "agent_id", string(a.ID), "executor_id", string(x.ID), "resources", res.String())
	}
	c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_RunTaskGroup{RunTaskGroup: &link.RunTaskGroup{
		Framework: f.Info, Executor: x.Info, Group: op.GetTaskGroup(),
	}}})
	return c.leave(f, a, rest, need)
}

// checkGroup returns the executor of a group, and what both need of the offers.
func (c *Core) checkGroup(f *framework, a *agent, role string, op *v1.Offer_Operation_LaunchGroup, rest resources.Resources) (x *Executor, isNew bool, need resources.Resources, err error) {
	tasks := op.GetTaskGroup().GetTasks()
	if len(tasks) == 0 {
		return nil, false, need, invalid("it has no tasks")
	}
	if err := groupExecutor(op.GetExecutor()); err != nil {
		return nil, false, need, err
	}
	if x, err = executorOf(f.ID, a.ID, role, op.GetExecutor()); err != nil {
		return nil, false, need, err
	}
	if x, isNew, err = a.runningOr(x); err != nil {
		return nil, false, need, err
	}
	if isNew {
		need = x.Resources
	}
	seen := map[string]bool{}
	for _, t := range tasks {
		k := taskCheck{framework: f, agent: a, role: role, rest: rest, group: true}
		res, err := k.check(t)
		if err == nil && seen[t.GetTaskId().GetValue()] {
			err = invalid("its id is that of another task of the group")
		}
		if err != nil {
			return nil, false, need, fmt.Errorf("task %q: %w", t.GetTaskId().GetValue(), err)
		}
		seen[t.GetTaskId().GetValue()] = true
		need = need.Add(res)
	}
	if !rest.Contains(need) {
		return nil, false, need, invalid("the group and its executor use %v, but only %v is left of the offers", need, rest)
	}
	return x, isNew, need, nil
}
