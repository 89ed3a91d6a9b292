package task

// Goal: the table is exactly what its documentation draws. Method: every state
// meets every kind of event; the expectation below is written apart from the
// table, and what it does not list must be refused and change nothing.

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// roads lead a new task into each state.
var roads = [numStates][]Event{
	Staging:  {},
	Starting: {Start{}},
	Aborting: {Start{}, Kill{}},
	Running:  {Start{}, Launched{}},
	Killing:  {Start{}, Launched{}, Kill{}},
	Queued:   {Queue{}},
	Given:    {Queue{}, Give{}},
	Done:     {Start{}, Launched{}, Exited{}},
}

var sample = [numKinds]Event{
	KindStart: Start{}, KindRefuse: Refuse{Why: "why"}, KindProgress: Progress{What: "what"}, KindLaunched: Launched{},
	KindLaunchFailed: LaunchFailed{Why: "why"}, KindKill: Kill{}, KindExited: Exited{Code: 1},
	KindExpired: Expired{}, KindGraceOver: GraceOver{}, KindLost: Lost{End{State: v1.TaskState_TASK_GONE}}, KindNews: News{Message: "what"},
	KindQueue: Queue{}, KindGive: Give{}, KindTold: Told{State: v1.TaskState_TASK_RUNNING},
}

var legal = map[string]string{
	"staging, start":  "starting: TASK_STARTING launch",
	"staging, refuse": "done: TASK_ERROR",
	"staging, kill":   "done: TASK_KILLED",

	"starting, progress":      "starting: TASK_STARTING",
	"starting, launched":      "running: TASK_RUNNING",
	"starting, launch failed": "done: TASK_FAILED",
	"starting, kill":          "aborting: abort",

	"aborting, launched":      "killing: TASK_KILLING terminate",
	"aborting, launch failed": "done: TASK_KILLED",
	"aborting, kill":          "aborting:",

	"running, kill":    "killing: TASK_KILLING terminate",
	"running, expired": "killing: TASK_KILLING terminate",
	"running, exited":  "done: TASK_FAILED destroy",
	"running, news":    "running: TASK_RUNNING",

	"killing, kill":       "killing:",
	"killing, grace over": "killing: slay",
	"killing, exited":     "done: TASK_KILLED destroy",

	"starting, lost": "done: TASK_GONE destroy",
	"aborting, lost": "done: TASK_KILLED destroy",
	"running, lost":  "done: TASK_GONE destroy",
	"killing, lost":  "done: TASK_KILLED destroy",

	"staging, queue": "queued:",
	"queued, give":   "given:",
	"queued, kill":   "done: TASK_KILLED",
	"queued, lost":   "done: TASK_GONE",
	"given, told":    "given:",
	"given, kill":    "given: passkill",
	"given, lost":    "done: TASK_GONE",

	"done, kill": "done:",
}

func TestEveryStateMeetsEveryEvent(t *testing.T) {
	listed := 0
	for s := range numStates {
		for k := range numKinds {
			name := fmt.Sprintf("%s, %s", s, k)
			want, ok := legal[name]
			if ok {
				listed++
			}
			t.Run(name, func(t *testing.T) {
				task := arrive(t, s)
				before := *task
				effects, err := task.Step(epoch, sample[k])
				if !ok {
					if !errors.Is(err, errs.Conflict) || len(effects) > 0 {
						t.Errorf("got %v, %v; want a refusal", effects, err)
					}
					if diff := cmp.Diff(before, *task, cmp.AllowUnexported(Task{}, End{})); diff != "" {
						t.Errorf("a refused event changed the task:\n%s", diff)
					}
					return
				}
				got := strings.TrimSpace(task.State().String() + ": " + brief(effects))
				if err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			})
		}
	}
	if listed != len(legal) || len(legal) != len(arrows) {
		t.Errorf("%d arrows are expected, %d of them met, the table has %d", len(legal), listed, len(arrows))
	}
}

// arrive takes a new task down the road to s.
func arrive(t *testing.T, s State) *Task {
	t.Helper()
	task := New(Config{What: "it", Grace: DefaultGrace, TellKilling: true})
	for _, ev := range roads[s] {
		if _, err := task.Step(epoch, ev); err != nil {
			t.Fatal(err)
		}
	}
	if task.State() != s {
		t.Fatalf("the road leads to %s, not %s", task.State(), s)
	}
	return task
}

func brief(effects []Effect) string {
	var words []string
	for _, e := range effects {
		if u, ok := e.(Update); ok {
			words = append(words, u.State.String())
			continue
		}
		words = append(words, strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "task.")))
	}
	return strings.Join(words, " ")
}

// TestAllShortLives: whatever happens in whatever order, at most one update is
// terminal and nothing but a kill's echo follows it, and a container that was
// launched is destroyed at most once.
func TestAllShortLives(t *testing.T) {
	// Every sequence of five events, each kind in each place.
	var seq [5]Kind
	var walk func(n int)
	walk = func(n int) {
		if n == len(seq) {
			live(t, seq[:])
			return
		}
		for seq[n] = range numKinds {
			walk(n + 1)
		}
	}
	walk(0)
}

// live plays one sequence.
func live(t *testing.T, seq []Kind) {
	t.Helper()
	task := New(Config{TellKilling: true})
	terminal, destroyed := 0, 0
	for _, k := range append([]Kind{KindStart}, seq...) {
		effects, _ := task.Step(epoch, sample[k])
		for _, e := range effects {
			if terminal > 0 {
				if _, ok := e.(Destroy); !ok {
					t.Fatalf("%v: effect %T after the terminal update", seq, e)
				}
			}
			switch e := e.(type) {
			case Update:
				if Terminal(e.State) {
					terminal++
				}
			case Destroy:
				destroyed++
			}
		}
	}
	if done := task.State() == Done; terminal > 1 || destroyed > 1 || done != (terminal == 1) {
		t.Fatalf("%v: %d terminal updates, %d destroys, in the end %s", seq, terminal, destroyed, task.State())
	}
}

func TestStringsOfStrangers(t *testing.T) {
	if got := State(99).String() + Kind(-1).String(); got != "state 99kind -1" {
		t.Errorf("got %q", got)
	}
}

// TestTold: an executor's word on an end is the end.
func TestTold(t *testing.T) {
	for state, want := range map[v1.TaskState]State{
		v1.TaskState_TASK_STARTING: Given, v1.TaskState_TASK_RUNNING: Given, v1.TaskState_TASK_KILLING: Given,
		v1.TaskState_TASK_FINISHED: Done, v1.TaskState_TASK_FAILED: Done, v1.TaskState_TASK_LOST: Done,
	} {
		task := New(Config{})
		for _, ev := range []Event{Queue{}, Give{}, Told{State: state}} {
			if _, err := task.Step(epoch, ev); err != nil {
				t.Fatal(err)
			}
		}
		if task.State() != want {
			t.Errorf("%s leads to %s, want %s", state, task.State(), want)
		}
	}
}
