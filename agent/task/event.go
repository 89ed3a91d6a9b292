package task

import (
	"fmt"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
)

// Kind is a column of the table.
type Kind int

// Kinds of events.
const (
	KindStart Kind = iota
	KindRefuse
	KindProgress
	KindLaunched
	KindLaunchFailed
	KindKill
	KindExited
	KindExpired
	KindGraceOver
	KindLost
	KindNews
	KindQueue
	KindGive
	KindTold
	numKinds
)

var kindNames = [numKinds]string{"start", "refuse", "progress", "launched", "launch failed", "kill", "exited", "expired", "grace over", "lost", "news", "queue", "give", "told"}

// String names k for messages.
func (k Kind) String() string {
	if k < 0 || k >= numKinds {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// Event is something that happened to a task.
type Event interface{ Kind() Kind }

type (
	// Start lets the task begin.
	Start struct{}

	// Refuse says that the task can never run here, and why. Reason 0 stands for
	// REASON_TASK_INVALID.
	Refuse struct {
		Why    string
		Reason v1.TaskStatus_Reason
	}

	// Progress says how far the launch has come.
	Progress struct{ What string }

	// Launched says that the task's container runs.
	Launched struct{}

	// LaunchFailed says that no container runs or will, and why. ExitCode is by
	// what a shell would say it; nil: it would not.
	LaunchFailed struct {
		Why      string
		ExitCode *int
	}

	// Kill asks for the end of the task. Grace, if set, is used instead of the
	// task's own. End is what a task so killed becomes; its zero value is a
	// plain TASK_KILLED.
	Kill struct {
		Grace *time.Duration
		End   End
	}

	// Exited says how the container ended.
	Exited struct {
		Code       int  // exit code; 128+signal when killed by one
		Unknown    bool // the status was lost; Code means nothing
		Unstarted  bool // the start was cut short; Code means nothing
		Limitation *isolator.Limitation
	}

	// Expired says that the task ran as long as it may. Made by Due.
	Expired struct{}

	// GraceOver says that a killed task had its time to end by itself. Made by Due.
	GraceOver struct{}

	// News says something of a task that runs, such as its health.
	News struct {
		Reason  v1.TaskStatus_Reason
		Message string
	}

	// Queue lets the task wait for its executor.
	Queue struct{}

	// Give says that its executor is to have it.
	Give struct{}

	// Told says that its executor told a state of it, which the owner passes on.
	Told struct{ State v1.TaskState }

	// Lost says that whatever there was of the container is no more, and nobody
	// saw its end: the machine was started anew; or, of a task that an executor
	// has, that there is no executor any more. End is what the task becomes, if no
	// kill was under way.
	Lost struct{ End End }
)

// Kind is the event's column of the table.
func (Start) Kind() Kind        { return KindStart }
func (Refuse) Kind() Kind       { return KindRefuse }
func (Progress) Kind() Kind     { return KindProgress }
func (Launched) Kind() Kind     { return KindLaunched }
func (LaunchFailed) Kind() Kind { return KindLaunchFailed }
func (Kill) Kind() Kind         { return KindKill }
func (Exited) Kind() Kind       { return KindExited }
func (Expired) Kind() Kind      { return KindExpired }
func (GraceOver) Kind() Kind    { return KindGraceOver }
func (Lost) Kind() Kind         { return KindLost }
func (News) Kind() Kind         { return KindNews }
func (Queue) Kind() Kind        { return KindQueue }
func (Give) Kind() Kind         { return KindGive }
func (Told) Kind() Kind         { return KindTold }

// End is what a kill makes of a task.
type End struct {
	State   v1.TaskState // 0 (TASK_STARTING) stands for TASK_KILLED
	Reason  *v1.TaskStatus_Reason
	Message string // before how the command ended; may be empty
}

// Effect is something for the owner to do, in the order given.
type Effect interface{ isEffect() }

type (
	// Update is a status to be told to the framework.
	Update struct {
		State      v1.TaskState
		Reason     *v1.TaskStatus_Reason
		Message    string
		Source     v1.TaskStatus_Source
		Limitation []*v1.Resource // the resources whose limit ended the task
		ExitCode   *int           // of the command, if it has one
	}

	// Launch asks for the container; Launched or LaunchFailed answers.
	Launch struct{}

	// Abort asks for the end of a Launch under way; it is answered as Launch is.
	Abort struct{}

	// Terminate asks the container's first process to end (SIGTERM).
	Terminate struct{}

	// Slay ends every process of the container (SIGKILL).
	Slay struct{}

	// PassKill tells the executor to end the task.
	PassKill struct{ Grace *time.Duration }

	// Destroy removes what is left of the container after its exit.
	Destroy struct{}
)

func (Update) isEffect()    {}
func (Launch) isEffect()    {}
func (Abort) isEffect()     {}
func (Terminate) isEffect() {}
func (Slay) isEffect()      {}
func (PassKill) isEffect()  {}
func (Destroy) isEffect()   {}
