package core

// Goal: whatever happens in whatever order, the invariants hold, each task's
// framework reads its states in order with exactly one end, and once the world
// answers again nothing is left. Method: rapid plays a master that forgets and
// repeats, and a containerizer that fails; then everything is let through.

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"mezzo/agent/task"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
)

// world is what surrounds a core.
type world struct {
	core       *Core
	now        time.Time
	launching  []ids.ContainerID
	running    []ids.ContainerID
	destroying []ids.ContainerID
	sent       []*link.StatusUpdate // all, in order
	told       map[string][]v1.TaskState
	uuids      map[[16]byte]bool // acknowledged
	tasks      int
	exited     bool
}

func newWorld() *world {
	n := uint32(0)
	core := New(Config{
		Agent: &v1.AgentInfo{Hostname: proto.String("h")}, ShutdownGrace: 5 * time.Second,
		MaxCompletedFrameworks: 1, MaxCompletedTasksPerFramework: 2,
		NewID: func() [16]byte {
			n++
			return [16]byte{12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
		},
	})
	return &world{core: core, now: epoch, told: make(map[string][]v1.TaskState), uuids: make(map[[16]byte]bool)}
}

type failer interface{ Fatalf(string, ...any) }

// step feeds the core and carries out its effects.
func (w *world) step(t failer, ev Event) {
	attached := w.core.attached
	for _, e := range w.core.Step(w.now, ev) {
		switch e := e.(type) {
		case Launch:
			w.launching = append(w.launching, e.Container)
		case Terminate, Slay, Abort, Trace:
		case Destroy:
			if slices.Contains(w.destroying, e.Container) || slices.Contains(w.running, e.Container) {
				t.Fatalf("destroy of %s twice or while it runs", e.Container)
			}
			w.destroying = append(w.destroying, e.Container)
		case Exit:
			if len(w.launching)+len(w.running)+len(w.destroying) > 0 || w.exited {
				t.Fatalf("exit with containers left, or twice")
			}
			w.exited = true
		case Send:
			if _, ok := ev.(Attached); !attached && !ok {
				t.Fatalf("sent while detached: %v", e.Message)
			}
			if u := e.Message.GetStatusUpdate(); u != nil {
				w.sent = append(w.sent, u)
			}
		}
	}
	if err := w.core.Check(); err != nil {
		t.Fatalf("after %T: %v", ev, err)
	}
}

// ack answers an update that was sent, and books what the framework read.
func (w *world) ack(t failer, u *link.StatusUpdate) {
	id := [16]byte(u.GetStatus().GetUuid())
	key := u.GetFrameworkId().GetValue() + "/" + u.GetStatus().GetTaskId().GetValue()
	if !w.uuids[id] {
		w.uuids[id] = true
		w.told[key] = append(w.told[key], u.GetStatus().GetState())
	}
	w.step(t, Message{&link.FromMaster{Message: &link.FromMaster_Acknowledge{Acknowledge: &link.Acknowledge{
		FrameworkId: u.GetFrameworkId(), TaskId: u.GetStatus().GetTaskId(), Uuid: id[:],
	}}}})
}

func (w *world) attach(t failer) {
	w.step(t, Attached{&link.Welcome{AgentId: &v1.AgentID{Value: proto.String("a1")}}})
}

func (w *world) run(t failer, refusal error) {
	w.tasks++
	w.step(t, RunTask{
		Framework: &v1.FrameworkInfo{Id: &v1.FrameworkID{Value: proto.String(fmt.Sprint("f", w.tasks%2))}},
		Task: &v1.TaskInfo{
			TaskId: &v1.TaskID{Value: proto.String(fmt.Sprint("t", w.tasks))}, AgentId: &v1.AgentID{Value: proto.String("a1")},
		},
		Refusal: refusal,
	})
}

// take removes a random element.
func take(t *rapid.T, list *[]ids.ContainerID) ids.ContainerID {
	if len(*list) == 0 {
		t.Skip()
	}
	i := rapid.IntRange(0, len(*list)-1).Draw(t, "which")
	c := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return c
}

func TestRandomWorld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.attach(t)
		t.Repeat(map[string]func(*rapid.T){
			"attach": func(t *rapid.T) { w.attach(t) },
			"detach": func(t *rapid.T) { w.step(t, Detached{}) },
			"run": func(t *rapid.T) {
				if !w.core.attached {
					t.Skip()
				}
				w.run(t, map[bool]error{true: errors.New("no")}[rapid.IntRange(0, 5).Draw(t, "bad") == 0])
			},
			"kill": func(t *rapid.T) {
				n := rapid.IntRange(0, w.tasks+1).Draw(t, "task")
				w.step(t, Message{&link.FromMaster{Message: &link.FromMaster_KillTask{KillTask: &link.KillTask{
					FrameworkId: &v1.FrameworkID{Value: proto.String(fmt.Sprint("f", n%2))},
					TaskId:      &v1.TaskID{Value: proto.String(fmt.Sprint("t", n))},
				}}}})
			},
			"launched": func(t *rapid.T) { w.launched(t, take(t, &w.launching)) },
			"progressed": func(t *rapid.T) {
				if len(w.launching) > 0 {
					w.step(t, Progressed{Container: w.launching[0], What: "x"})
				}
			},
			"launch failed": func(t *rapid.T) { w.step(t, LaunchFailed{Container: take(t, &w.launching), Err: errors.New("x")}) },
			"exited": func(t *rapid.T) {
				w.step(t, Exited{take(t, &w.running), task.Exited{Code: rapid.IntRange(0, 1).Draw(t, "code")}})
			},
			"destroyed": func(t *rapid.T) { w.step(t, Destroyed{Container: take(t, &w.destroying)}) },
			"ack": func(t *rapid.T) {
				if len(w.sent) == 0 {
					t.Skip()
				}
				w.ack(t, rapid.SampledFrom(w.sent).Draw(t, "update"))
			},
			"tick": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "later")))
				w.step(t, Tick{})
			},
		})
		w.heal(t)
		for key, states := range w.told {
			for i, s := range states {
				if task.Terminal(s) != (i == len(states)-1) {
					t.Fatalf("framework read %v of %s", states, key)
				}
			}
		}
		if len(w.told) != w.tasks {
			t.Fatalf("%d tasks, %d of them ended at their frameworks", w.tasks, len(w.told))
		}
		w.step(t, Stop{Why: "end"})
		if !w.exited {
			t.Fatalf("an idle agent did not exit: %v", w.core.View())
		}
	})
}

func (w *world) launched(t failer, c ids.ContainerID) {
	w.running = append(w.running, c)
	w.step(t, Launched{Container: c, PID: 1})
}

// heal lets everything through until nothing is owed.
func (w *world) heal(t failer) {
	w.attach(t)
	for range 10 * (w.tasks + 1) {
		for _, c := range drain(&w.launching) {
			w.launched(t, c)
		}
		for _, c := range drain(&w.running) {
			w.step(t, Exited{Container: c})
		}
		for _, c := range drain(&w.destroying) {
			w.step(t, Destroyed{Container: c})
		}
		for _, u := range slices.Clone(w.sent) {
			w.ack(t, u)
		}
		if len(w.core.live) == 0 {
			return
		}
	}
	t.Fatalf("%d tasks never left", len(w.core.live))
}

func drain(list *[]ids.ContainerID) []ids.ContainerID {
	all := *list
	*list = nil
	return all
}
