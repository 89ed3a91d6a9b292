package task

import (
	"fmt"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// ExecutorState is a row of the table of executors.
type ExecutorState int

// States of an executor. ExecutorAborting is a shutdown that came before its
// container ran.
const (
	ExecutorStarting ExecutorState = iota
	ExecutorAborting
	ExecutorRegistering
	ExecutorRunning
	ExecutorEnding
	ExecutorGone
	numExecutorStates
)

var executorStateNames = [numExecutorStates]string{"starting", "aborting", "registering", "running", "ending", "gone"}

// String names s for messages.
func (s ExecutorState) String() string {
	if s < 0 || s >= numExecutorStates {
		return fmt.Sprintf("state %d", int(s))
	}
	return executorStateNames[s]
}

// ExecutorKind is a column of the table of executors.
type ExecutorKind int

// Kinds of events.
const (
	ExecutorLaunched ExecutorKind = iota
	ExecutorLaunchFailed
	ExecutorSubscribed
	ExecutorShutdown // within the grace given
	ExecutorOverdue  // of a deadline; made by Overdue
	ExecutorExited
	ExecutorLost // nobody saw its end: the machine was started anew
	numExecutorKinds
)

var executorKindNames = [numExecutorKinds]string{"launched", "launch failed", "subscribed", "shutdown", "overdue", "exited", "lost"}

// String names k for messages.
func (k ExecutorKind) String() string {
	if k < 0 || k >= numExecutorKinds {
		return fmt.Sprintf("kind %d", int(k))
	}
	return executorKindNames[k]
}

// AskShutdown tells an executor over its stream to end itself.
type AskShutdown struct{}

func (AskShutdown) isEffect() {}

// ExecutorEnd is what the end of an executor makes of the tasks that it has.
type ExecutorEnd struct {
	Reason  *v1.TaskStatus_Reason
	Message string
}

// Executor is the life of one of a framework's own executors, as a table.
//
// Concurrency: none; one owner.
type Executor struct {
	State    ExecutorState
	Deadline time.Time // to subscribe, or of the grace; zero: none
	End      ExecutorEnd
	// Timeout is how long it may take to subscribe, once it runs.
	Timeout       time.Duration
	TimeoutReason v1.TaskStatus_Reason
}

// NewExecutor makes one whose launch was asked for.
func NewExecutor(timeout time.Duration) *Executor {
	return &Executor{Timeout: timeout, TimeoutReason: v1.TaskStatus_REASON_EXECUTOR_REGISTRATION_TIMEOUT}
}

type executorEdge struct {
	from ExecutorState
	kind ExecutorKind
}

type executorArrow struct {
	to ExecutorState
	do func(x *Executor, now time.Time, grace time.Duration) []Effect
}

// executorArrows is the table: what is not listed is refused.
var executorArrows = map[executorEdge]executorArrow{
	{ExecutorStarting, ExecutorLaunched}:     {ExecutorRegistering, (*Executor).awaitSubscription},
	{ExecutorStarting, ExecutorLaunchFailed}: {ExecutorGone, (*Executor).rest},
	{ExecutorStarting, ExecutorShutdown}:     {ExecutorAborting, (*Executor).abort},
	{ExecutorStarting, ExecutorLost}:         {ExecutorGone, (*Executor).bury},

	{ExecutorAborting, ExecutorLaunched}:     {ExecutorEnding, (*Executor).slay},
	{ExecutorAborting, ExecutorLaunchFailed}: {ExecutorGone, (*Executor).rest},
	{ExecutorAborting, ExecutorShutdown}:     {ExecutorAborting, (*Executor).rest},
	{ExecutorAborting, ExecutorLost}:         {ExecutorGone, (*Executor).bury},

	{ExecutorRegistering, ExecutorSubscribed}: {ExecutorRunning, (*Executor).rest},
	{ExecutorRegistering, ExecutorShutdown}:   {ExecutorEnding, (*Executor).terminate},
	{ExecutorRegistering, ExecutorOverdue}:    {ExecutorEnding, (*Executor).giveUp},
	{ExecutorRegistering, ExecutorExited}:     {ExecutorGone, (*Executor).bury},
	{ExecutorRegistering, ExecutorLost}:       {ExecutorGone, (*Executor).bury},

	{ExecutorRunning, ExecutorSubscribed}: {ExecutorRunning, (*Executor).rest},
	{ExecutorRunning, ExecutorShutdown}:   {ExecutorEnding, (*Executor).ask},
	{ExecutorRunning, ExecutorExited}:     {ExecutorGone, (*Executor).bury},
	{ExecutorRunning, ExecutorLost}:       {ExecutorGone, (*Executor).bury},

	{ExecutorEnding, ExecutorSubscribed}: {ExecutorEnding, (*Executor).askAgain},
	{ExecutorEnding, ExecutorShutdown}:   {ExecutorEnding, (*Executor).shorten},
	{ExecutorEnding, ExecutorOverdue}:    {ExecutorEnding, (*Executor).slay},
	{ExecutorEnding, ExecutorExited}:     {ExecutorGone, (*Executor).bury},
	{ExecutorEnding, ExecutorLost}:       {ExecutorGone, (*Executor).bury},

	// A shutdown may cross the end on the way here, and so may a last word.
	{ExecutorGone, ExecutorShutdown}:   {ExecutorGone, (*Executor).rest},
	{ExecutorGone, ExecutorSubscribed}: {ExecutorGone, (*Executor).rest},
}

// Step lets an event happen; grace is of a shutdown.
//
// Errors: errs.Conflict if the table has no such arrow; nothing has changed.
func (x *Executor) Step(now time.Time, kind ExecutorKind, grace time.Duration) ([]Effect, error) {
	a, ok := executorArrows[executorEdge{x.State, kind}]
	if !ok {
		return nil, fmt.Errorf("event %q of an executor in state %q: %w", kind, x.State, errs.Conflict)
	}
	effects := a.do(x, now, grace)
	x.State = a.to
	return effects, nil
}

// Overdue tells that the deadline has passed; Step must follow.
func (x *Executor) Overdue(now time.Time) bool {
	return !x.Deadline.IsZero() && !now.Before(x.Deadline)
}

func (x *Executor) awaitSubscription(now time.Time, _ time.Duration) []Effect {
	x.Deadline = now.Add(x.Timeout)
	return nil
}

func (x *Executor) rest(time.Time, time.Duration) []Effect {
	x.Deadline = time.Time{}
	return nil
}

func (x *Executor) abort(time.Time, time.Duration) []Effect { return []Effect{Abort{}} }

func (x *Executor) terminate(now time.Time, grace time.Duration) []Effect {
	x.Deadline = now.Add(grace)
	return []Effect{Terminate{}}
}

func (x *Executor) ask(now time.Time, grace time.Duration) []Effect {
	x.Deadline = now.Add(grace)
	return []Effect{AskShutdown{}}
}

func (x *Executor) askAgain(time.Time, time.Duration) []Effect { return []Effect{AskShutdown{}} }

func (x *Executor) shorten(now time.Time, grace time.Duration) []Effect {
	if d := now.Add(grace); d.Before(x.Deadline) {
		x.Deadline = d
	}
	return nil
}

func (x *Executor) giveUp(now time.Time, grace time.Duration) []Effect {
	x.End = ExecutorEnd{x.TimeoutReason.Enum(), fmt.Sprintf("Executor did not subscribe within %v", x.Timeout)}
	return x.slay(now, grace)
}

func (x *Executor) slay(now time.Time, _ time.Duration) []Effect {
	x.Deadline = now.Add(slayRetry)
	return []Effect{Slay{}}
}

func (x *Executor) bury(time.Time, time.Duration) []Effect {
	x.Deadline = time.Time{}
	return []Effect{Destroy{}}
}
