package task

import (
	"fmt"
	"time"

	"mezzo/internal/errs"
)

// State is a row of the table.
type State int

// States. Aborting is a kill that came before the container ran. Queued and Given
// are those of a task that an executor of its framework's runs.
const (
	Staging State = iota
	Starting
	Aborting
	Running
	Killing
	Queued
	Given
	Done
	numStates
)

var stateNames = [numStates]string{"staging", "starting", "aborting", "running", "killing", "queued", "given", "done"}

// String names s for messages.
func (s State) String() string {
	if s < 0 || s >= numStates {
		return fmt.Sprintf("state %d", int(s))
	}
	return stateNames[s]
}

// DefaultGrace is the time between SIGTERM and SIGKILL of a task that names
// none (mesos docs, KillPolicy).
const DefaultGrace = 3 * time.Second

// slayRetry is the time after which a SIGKILL without an exit is repeated: the
// signal may have been lost with the daemon that carried it.
const slayRetry = 10 * time.Second

// Config is what a task's life depends on.
type Config struct {
	What          string        // for messages: `command "sleep 1" in image "busybox"`
	Grace         time.Duration // from SIGTERM to SIGKILL
	MaxCompletion time.Duration // killed after running so long; 0: never
	MemLimitBytes int64         // told when the memory limit ended the task
	DiskBytes     int64         // told when that much disk ended it
	TellKilling   bool          // the framework knows TASK_KILLING
}

// Task is one task's state. The zero value is not usable; New makes one.
//
// Concurrency: none; one owner.
type Task struct {
	cfg      Config
	state    State
	end      End // what the kill makes of it, from Aborting on
	grace    time.Duration
	deadline time.Time // of Expired or GraceOver; zero: none
}

// New makes a task in Staging.
func New(cfg Config) *Task { return &Task{cfg: cfg} }

// Saved is what of a Task changes, to be kept elsewhere.
type Saved struct {
	State    State
	End      End
	Grace    time.Duration
	Deadline time.Time
}

// Save returns it.
func (t *Task) Save() Saved { return Saved{t.state, t.end, t.grace, t.deadline} }

// Restore makes a task that goes on where another was saved.
//
// Errors: errs.Corrupt if there is no such state.
func Restore(cfg Config, s Saved) (*Task, error) {
	if s.State < Staging || s.State >= numStates {
		return nil, fmt.Errorf("restore task: %s: %w", s.State, errs.Corrupt)
	}
	return &Task{cfg: cfg, state: s.State, end: s.End, grace: s.Grace, deadline: s.Deadline}, nil
}

// State is where the task is in its life.
func (t *Task) State() State { return t.state }

// Step applies ev.
//
// Errors: errs.Conflict if the table has no such arrow; nothing has changed.
func (t *Task) Step(now time.Time, ev Event) ([]Effect, error) {
	a, ok := t.arrow(ev)
	if !ok {
		return nil, fmt.Errorf("event %q in state %q: %w", ev.Kind(), t.state, errs.Conflict)
	}
	effects := a.do(t, now, ev)
	t.state = a.to
	return effects, nil
}

// Due returns the timer's event once its time has come; Step must follow.
func (t *Task) Due(now time.Time) (Event, bool) {
	if t.deadline.IsZero() || now.Before(t.deadline) {
		return nil, false
	}
	if t.state == Running {
		return Expired{}, true
	}
	return GraceOver{}, true
}

// NextWake is when Due will have an event.
func (t *Task) NextWake() (time.Time, bool) { return t.deadline, !t.deadline.IsZero() }
