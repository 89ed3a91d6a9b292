package core

import (
	"mezzo/agent/task"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
)

// View is the whole state at one moment, for readers. It shares messages with
// the core, which never changes them.
type View struct {
	Agent      *v1.AgentInfo
	Master     *v1.MasterInfo // the last one that welcomed the agent
	Registered bool
	Frameworks []Framework // with live tasks
	Completed  []Framework // without
	Counters   Counters
	Operations []*v1.Operation // whose status is not acknowledged
}

// Framework is one framework of a View.
type Framework struct {
	Info      *v1.FrameworkInfo
	Executors []Executor
	Tasks     []Task // live
	Completed []Task
}

// Executor is one executor of a View: a framework's own, or of task groups, whose
// container is only a name.
type Executor struct {
	Info       *v1.ExecutorInfo
	Agent      ids.AgentID
	Container  ids.ContainerID
	Group      bool
	Limits     isolator.Limits // of it and its tasks
	DiskBytes  int64           // of it and its tasks; 0: no limit
	PID        uint32          // 0: not launched
	Held       bool            // a container exists, or a launch may still make one
	State      task.ExecutorState
	Subscribed bool
}

// Task is one task of a View.
type Task struct {
	Info      *v1.TaskInfo
	Task      *v1.Task
	Agent     ids.AgentID
	Container ids.ContainerID // of the task; means nothing if Custom
	Executor  ids.ExecutorID  // the task's own id, if no executor has it
	Parent    ids.ContainerID // of the executor that has it; empty: none
	Custom    bool            // the executor is the framework's own, and so is the container
	Limits    isolator.Limits
	DiskBytes int64  // 0: no limit
	PID       uint32 // 0: not launched
	Held      bool   // a container exists, or a launch may still make one
	State     task.State
}

// Counters are what happened since the agent started.
type Counters struct {
	Finished, Failed, Killed, Error int // tasks, by their end
	LaunchErrors, DestroyErrors     int
	Preempted                       int // evicted for others
	ValidUpdates, InvalidUpdates    int // acknowledgements taken and refused
}

func (n *Counters) preempt(end task.End) {
	if isPreempted(end.Reason) {
		n.Preempted++
	}
}

func (n *Counters) count(u task.Update) {
	switch u.State {
	case v1.TaskState_TASK_FINISHED:
		n.Finished++
	case v1.TaskState_TASK_FAILED:
		n.Failed++
	case v1.TaskState_TASK_KILLED:
		n.Killed++
	case v1.TaskState_TASK_ERROR:
		n.Error++
	default: // not an end
	}
}

// View returns the state as it is now.
func (c *Core) View() *View {
	v := &View{Agent: c.agent, Master: c.master, Registered: c.attached, Counters: c.counters}
	for _, o := range c.operations {
		v.Operations = append(v.Operations, o.proto())
	}
	for _, f := range c.frameworks {
		v.Frameworks = append(v.Frameworks, f.view())
	}
	for _, f := range c.past {
		v.Completed = append(v.Completed, f.view())
	}
	return v
}

func (f *framework) view() Framework {
	v := Framework{Info: f.info}
	for _, x := range f.executors {
		v.Executors = append(v.Executors, x.view())
	}
	for _, e := range f.tasks {
		v.Tasks = append(v.Tasks, e.view())
	}
	for _, e := range f.completed {
		v.Completed = append(v.Completed, e.view())
	}
	return v
}

func (e *entry) view() Task {
	t := Task{
		Info: e.info, Task: e.proto(), Agent: e.agent, Container: e.container, Limits: e.limits, DiskBytes: diskBytes(e.info.GetResources()),
		PID: e.pid, Held: e.held, State: e.life.State(), Executor: e.executorID(),
	}
	if x := e.executor; x != nil {
		t.Parent, t.Custom = x.container, !x.group
	}
	return t
}

func (x *executor) view() Executor {
	v := Executor{
		Info: x.info, Agent: x.agent, Container: x.container, Group: x.group, Limits: x.sum(), DiskBytes: x.diskBytes(), PID: x.pid, Held: x.held,
		State: task.ExecutorRunning, Subscribed: x.attached,
	}
	if !x.group {
		v.State = x.life.State
	}
	return v
}
