package core

import (
	"mezzo/agent/probe"
	"mezzo/agent/task"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/isolator"
)

// RunExecutor is an executor as the master describes it, with what the shell
// made of it.
type RunExecutor struct {
	Info   *v1.ExecutorInfo
	What   string
	Limits isolator.Limits // without its tasks'
}

// Event is something that happened. The messages in it belong to the core from
// then on.
type Event interface{ isEvent() }

type (
	// Attached says that a master welcomed the agent on a new stream, which
	// ends the one before.
	Attached struct{ Welcome *link.Welcome }

	// Detached says that the stream to the master ended.
	Detached struct{}

	// RunTask is the master's, with what the shell made of it: Refusal says why
	// the task can never run here; What and Limits are told to its framework.
	RunTask struct {
		Framework *v1.FrameworkInfo
		Task      *v1.TaskInfo
		Refusal   error
		What      string
		Limits    isolator.Limits
		Executor  *RunExecutor // who runs it; nil: the agent itself
	}

	// RunGroup is the master's: tasks that live and die together. Their Framework
	// is the group's; one Refusal refuses all.
	RunGroup struct {
		Framework *v1.FrameworkInfo
		Executor  RunExecutor
		Tasks     []RunTask
		Refusal   error
	}

	// ExecutorSubscribed says that an executor opened a stream, with what it
	// believes nobody knows yet.
	ExecutorSubscribed struct {
		Container ids.ContainerID
		Tasks     []*v1.TaskInfo
		Updates   []*v1.TaskStatus
	}

	// ExecutorDetached says that the stream of an executor ended.
	ExecutorDetached struct{ Container ids.ContainerID }

	// ExecutorUpdate is a status that an executor tells of a task; CheckUpdate
	// found nothing wrong with it.
	ExecutorUpdate struct {
		Container ids.ContainerID
		Status    *v1.TaskStatus
	}

	// ExecutorMessage is from an executor to its scheduler.
	ExecutorMessage struct {
		Container ids.ContainerID
		Data      []byte
	}

	// Message is anything else the master sends after its Welcome.
	Message struct{ Message *link.FromMaster }

	// Launched says that a container runs.
	Launched struct {
		Container ids.ContainerID
		PID       uint32
	}

	// Progressed says how far a launch has come, in words.
	Progressed struct {
		Container ids.ContainerID
		What      string
	}

	// LaunchFailed says that a container does not run and won't. ExitCode is by
	// what a shell would say it; nil: it would not.
	LaunchFailed struct {
		Container ids.ContainerID
		Err       error
		ExitCode  *int
	}

	// Exited says that a container ended by itself or as asked.
	Exited struct {
		Container ids.ContainerID
		Exit      task.Exited
	}

	// Destroyed says that nothing is left of a container, or why something is.
	Destroyed struct {
		Container ids.ContainerID
		Err       error
	}

	// Probed is the outcome of an attempt that Probe asked for.
	Probed struct {
		Container ids.ContainerID
		Kind      ProbeKind
		Number    uint64
		Outcome   probe.Outcome
	}

	// Evict says that a container may not go on, and what its end means: it uses
	// more than it may, or what it uses is another's.
	Evict struct {
		Container ids.ContainerID
		End       task.End
	}

	// Tick says that the time of NextWake has come.
	Tick struct{}

	// Stop asks for the end of every task; Exit follows once they are gone.
	Stop struct{ Why string }
)

func (Attached) isEvent() {}
func (Detached) isEvent() {}
func (RunTask) isEvent()  {}
func (RunGroup) isEvent() {}
func (Message) isEvent()  {}

func (ExecutorSubscribed) isEvent() {}
func (ExecutorDetached) isEvent()   {}
func (ExecutorUpdate) isEvent()     {}
func (ExecutorMessage) isEvent()    {}
func (Launched) isEvent()           {}
func (Progressed) isEvent()         {}
func (LaunchFailed) isEvent()       {}
func (Exited) isEvent()             {}
func (Destroyed) isEvent()          {}
func (Probed) isEvent()             {}
func (Evict) isEvent()              {}
func (Tick) isEvent()               {}
func (Stop) isEvent()               {}

// Effect is something for the shell to do, in the order given.
type Effect interface{ isEffect() }

type (
	// Send puts a message on the stream to the master.
	Send struct{ Message *link.FromAgent }

	// Launch asks for a container; Launched or LaunchFailed answers. It is that of
	// a task, of an executor, or of a task in a group: then Parent and ExecutorID
	// name whose sandbox is above its own.
	Launch struct {
		Container  ids.ContainerID
		Agent      ids.AgentID
		Framework  *v1.FrameworkInfo
		Task       *v1.TaskInfo     // or
		Executor   *v1.ExecutorInfo // with
		Limits     isolator.Limits  // of it and its tasks; or, of a task in a group, of the group beside its tasks
		DiskBytes  int64            // 0: no limit
		Parent     ids.ContainerID
		ExecutorID ids.ExecutorID
	}

	// Resize asks for other limits of an executor's container.
	Resize struct {
		Container ids.ContainerID
		Limits    isolator.Limits
	}

	// Tell puts an event on the stream of an executor, if it has one.
	Tell struct {
		Container ids.ContainerID
		Event     *wire.Event
	}

	// Abort asks for the end of a launch; it is answered as Launch is.
	Abort struct{ Container ids.ContainerID }

	// Terminate sends SIGTERM to the first process of a container.
	Terminate struct{ Container ids.ContainerID }

	// Slay sends SIGKILL to it, which ends all others.
	Slay struct{ Container ids.ContainerID }

	// Destroy removes what is left of a container; Destroyed answers.
	Destroy struct{ Container ids.ContainerID }

	// Probe asks for an attempt of a task's check; Probed answers, within the
	// attempt's timeout.
	Probe struct {
		Container ids.ContainerID
		PID       uint32 // of the container; 0: not known
		Kind      ProbeKind
		Attempt   probe.Attempt
		Task      *v1.TaskInfo
	}

	// Exit asks the agent to end: no container is left. Removed: by the word of
	// the master, which will not take this agent back under its id.
	Exit struct {
		Why     string
		Removed bool
	}

	// Trace is a line for the log.
	Trace struct {
		Level   Level
		Message string
		Attrs   []Attr
	}
)

func (Send) isEffect()      {}
func (Launch) isEffect()    {}
func (Resize) isEffect()    {}
func (Tell) isEffect()      {}
func (Abort) isEffect()     {}
func (Terminate) isEffect() {}
func (Slay) isEffect()      {}
func (Destroy) isEffect()   {}
func (Probe) isEffect()     {}
func (Exit) isEffect()      {}
func (Trace) isEffect()     {}

// Level says how much a Trace matters.
type Level int

// Levels of Trace.
const (
	Debug Level = iota
	Info
	Warn
)

// Attr is one key and value of a Trace.
type Attr struct{ Key, Value string }
