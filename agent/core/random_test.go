package core

// Goal: whatever happens in whatever order, the invariants hold, each task's
// framework reads its states in order with exactly one end, and once the world
// answers again nothing is left. Method: rapid plays a master that forgets and
// repeats, a containerizer that fails, and an agent whose process dies between
// what it saved and what it did about it; then everything is let through.

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"mezzo/agent/task"
	"mezzo/api/checkpoint"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
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
	ids        uint32
	disk       map[Key]proto.Message
	exists     map[ids.ContainerID]bool // containers that were started and not destroyed
	everRan    map[ids.ContainerID]bool
	programs   map[ids.ContainerID]*program // of executors, by container
}

// program plays a framework's own executor.
type program struct {
	subscribed bool
	has        []string // tasks that it believes to have
	unheard    []*v1.TaskInfo
	unacked    []*v1.TaskStatus
}

func newWorld() *world {
	w := &world{
		now: epoch, told: make(map[string][]v1.TaskState), uuids: make(map[[16]byte]bool),
		disk: make(map[Key]proto.Message), exists: make(map[ids.ContainerID]bool), everRan: make(map[ids.ContainerID]bool),
		programs: make(map[ids.ContainerID]*program),
	}
	w.core = w.newCore()
	return w
}

func (w *world) newCore() *Core {
	return New(Config{
		Agent: &v1.AgentInfo{Hostname: proto.String("h")}, ShutdownGrace: 5 * time.Second,
		ExecutorRegistrationTimeout: time.Minute, ExecutorReregistrationTimeout: 2 * time.Second,
		MaxCompletedFrameworks: 1, MaxCompletedTasksPerFramework: 2,
		NewID: func() [16]byte {
			w.ids++
			n := w.ids
			return [16]byte{12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
		},
	})
}

type failer interface{ Fatalf(string, ...any) }

// step feeds the core and carries out its effects.
func (w *world) step(t failer, ev Event) {
	attached := w.core.attached
	w.perform(t, w.core.Step(w.now, ev), ev, attached)
}

func (w *world) perform(t failer, effects []Effect, ev Event, attached bool) {
	for _, e := range effects {
		switch e := e.(type) {
		case Save:
			if e.Record == nil {
				delete(w.disk, e.Key)
			} else {
				w.disk[e.Key] = proto.Clone(e.Record)
			}
		case Adopt:
			if !w.exists[e.Container] {
				t.Fatalf("adopted %s, which is not there", e.Container)
			}
			w.running = append(w.running, e.Container)
		case Launch:
			if w.everRan[e.Container] {
				t.Fatalf("launch of %s, which ran already", e.Container)
			}
			w.launching = append(w.launching, e.Container)
			if e.Executor != nil {
				w.programs[e.Container] = &program{}
			}
		case Resize:
		case Tell:
			w.tell(t, e)
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

// tell is what an executor hears; without a stream it hears nothing.
func (w *world) tell(t failer, e Tell) {
	p := w.programs[e.Container]
	if p == nil || !p.subscribed {
		return
	}
	switch ev := e.Event; ev.GetType() {
	case wire.Event_LAUNCH:
		id := ev.GetLaunch().GetTask().GetTaskId().GetValue()
		if slices.Contains(p.has, id) {
			t.Fatalf("task %s was launched twice", id)
		}
		p.has = append(p.has, id)
		p.unheard = append(p.unheard, ev.GetLaunch().GetTask())
	case wire.Event_ACKNOWLEDGED:
		p.unacked = slices.DeleteFunc(p.unacked, func(s *v1.TaskStatus) bool { return string(s.GetUuid()) == string(ev.GetAcknowledged().GetUuid()) })
		id := ev.GetAcknowledged().GetTaskId().GetValue()
		p.unheard = slices.DeleteFunc(p.unheard, func(i *v1.TaskInfo) bool { return i.GetTaskId().GetValue() == id })
	}
}

// says lets an executor tell a state of one of its tasks.
func (w *world) says(t failer, c ids.ContainerID, id string, state v1.TaskState) {
	p := w.programs[c]
	uuid := w.core.cfg.NewID()
	s := &v1.TaskStatus{TaskId: ids.TaskID(id).Proto(), State: state.Enum(), Uuid: uuid[:]}
	if task.Terminal(state) {
		p.has = slices.DeleteFunc(p.has, func(x string) bool { return x == id })
	}
	p.unacked = append(p.unacked, s)
	if !p.subscribed {
		return // it says so when it subscribes
	}
	if err := w.core.CheckUpdate(c, s); err != nil {
		t.Fatalf("update of %s by its executor: %v", id, err)
	}
	w.step(t, ExecutorUpdate{Container: c, Status: s})
}

func (w *world) subscribe(t failer, c ids.ContainerID) {
	p := w.programs[c]
	p.subscribed = true
	w.step(t, ExecutorSubscribed{Container: c, Tasks: slices.Clone(p.unheard), Updates: slices.Clone(p.unacked)})
}

// executors are the containers of executors that were started.
func (w *world) executorsThere() (all []ids.ContainerID) {
	for c := range w.programs {
		if w.exists[c] && slices.Contains(w.running, c) {
			all = append(all, c)
		}
	}
	slices.Sort(all)
	return all
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

func (w *world) run(t failer, refusal error) { w.step(t, w.task(refusal)) }

func (w *world) task(refusal error) RunTask {
	w.tasks++
	return RunTask{
		Framework: &v1.FrameworkInfo{Id: &v1.FrameworkID{Value: proto.String(fmt.Sprint("f", w.tasks%2))}},
		Task: &v1.TaskInfo{
			TaskId: &v1.TaskID{Value: proto.String(fmt.Sprint("t", w.tasks))}, AgentId: &v1.AgentID{Value: proto.String("a1")},
		},
		Refusal: refusal,
	}
}

// runIn launches a task for an executor of its framework's.
func (w *world) runIn(t failer, refusal error) {
	ev := w.task(refusal)
	ev.Executor = &RunExecutor{Info: &v1.ExecutorInfo{ExecutorId: ids.ExecutorID("x").Proto()}}
	w.step(t, ev)
}

// runGroup launches two tasks that live and die together.
func (w *world) runGroup(t failer, refusal error) {
	first := w.task(nil)
	w.tasks++ // the same framework
	second := w.task(refusal)
	w.tasks--
	second.Task.TaskId = ids.TaskID(fmt.Sprint("t", w.tasks)).Proto()
	w.step(t, RunGroup{
		Framework: first.Framework, Tasks: []RunTask{first, second},
		Executor: RunExecutor{Info: &v1.ExecutorInfo{ExecutorId: ids.ExecutorID("g").Proto()}},
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
			"run in executor": func(t *rapid.T) {
				if !w.core.attached {
					t.Skip()
				}
				w.runIn(t, map[bool]error{true: errors.New("no")}[rapid.IntRange(0, 5).Draw(t, "bad") == 0])
			},
			"run group": func(t *rapid.T) {
				if !w.core.attached {
					t.Skip()
				}
				w.runGroup(t, map[bool]error{true: errors.New("no")}[rapid.IntRange(0, 5).Draw(t, "bad") == 0])
			},
			"subscribe": func(t *rapid.T) {
				if all := w.executorsThere(); len(all) > 0 {
					w.subscribe(t, rapid.SampledFrom(all).Draw(t, "who"))
				}
			},
			"detach executor": func(t *rapid.T) {
				if all := w.executorsThere(); len(all) > 0 {
					c := rapid.SampledFrom(all).Draw(t, "who")
					w.programs[c].subscribed = false
					w.step(t, ExecutorDetached{c})
				}
			},
			"say": func(t *rapid.T) {
				for _, c := range w.executorsThere() {
					if p := w.programs[c]; len(p.has) > 0 {
						state := rapid.SampledFrom([]v1.TaskState{v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_FINISHED, v1.TaskState_TASK_FAILED}).Draw(t, "state")
						w.says(t, c, rapid.SampledFrom(p.has).Draw(t, "task"), state)
						return
					}
				}
			},
			"shut executor down": func(t *rapid.T) {
				w.step(t, Message{&link.FromMaster{Message: &link.FromMaster_ShutdownExecutor{ShutdownExecutor: &link.ShutdownExecutor{
					FrameworkId: ids.FrameworkID(fmt.Sprint("f", rapid.IntRange(0, 1).Draw(t, "framework"))).Proto(),
					ExecutorId:  ids.ExecutorID(rapid.SampledFrom([]string{"x", "g"}).Draw(t, "executor")).Proto(),
				}}}})
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
			"evict": func(t *rapid.T) {
				if len(w.running) > 0 {
					w.step(t, Evict{rapid.SampledFrom(w.running).Draw(t, "who"), task.End{
						State: v1.TaskState_TASK_FAILED, Reason: v1.TaskStatus_REASON_CONTAINER_LIMITATION_DISK.Enum(),
					}})
				}
			},
			"destroyed": func(t *rapid.T) { w.destroyed(t, take(t, &w.destroying)) },
			"crash": func(t *rapid.T) {
				w.crash(t, rapid.IntRange(0, 4).Draw(t, "reboot") == 0, rapid.Bool().Draw(t, "started"))
			},
			"crash before acting": func(t *rapid.T) {
				// The step is saved, and nothing is done about it.
				var ev Event = Stop{}
				switch {
				case len(w.launching) > 0 && rapid.Bool().Draw(t, "launch"):
					c := take(t, &w.launching)
					w.exists[c], w.everRan[c] = true, true
					ev = Launched{Container: c, PID: 1}
				case len(w.running) > 0:
					ev = Exited{Container: take(t, &w.running)}
				default:
					t.Skip()
				}
				for _, e := range w.core.Step(w.now, ev) {
					if s, ok := e.(Save); ok {
						w.perform(t, []Effect{s}, ev, true)
					}
				}
				w.crash(t, false, false)
			},
			"ack": func(t *rapid.T) {
				if len(w.sent) == 0 {
					t.Skip()
				}
				w.ack(t, rapid.SampledFrom(w.sent).Draw(t, "update"))
			},
			"clock jumps": func(t *rapid.T) { // as that of a machine does when it is set
				w.now = w.now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "by")))
				w.step(t, Tick{})
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
		if len(w.exists) > 0 {
			t.Fatalf("containers are left: %v", w.exists)
		}
		for key, r := range w.disk {
			if life, ok := r.(*checkpoint.Life); ok && life.GetCompleted() == 0 {
				t.Fatalf("record %v is of a task that is not complete: %v", key, life)
			}
		}
		if n := len(w.disk); n > 2*2*2+2 { // completed tasks, twice; frameworks
			t.Fatalf("%d records are kept: %v", n, w.disk)
		}
		w.step(t, Stop{Why: "end"})
		if !w.exited {
			t.Fatalf("an idle agent did not exit: %v", w.core.View())
		}
	})
}

// crash ends the process of the agent, or the machine, and starts it anew.
func (w *world) crash(t failer, reboot, started bool) {
	for _, c := range w.launching {
		if started {
			w.exists[c], w.everRan[c] = true, true
		}
	}
	if reboot {
		clear(w.exists)
	}
	w.launching, w.running, w.destroying, w.exited = nil, nil, nil, false
	for _, p := range w.programs {
		p.subscribed = false
	}
	r := Recovered{Rebooted: reboot}
	for key, rec := range w.disk {
		switch rec := rec.(type) {
		case *checkpoint.Framework:
			r.Frameworks = append(r.Frameworks, proto.CloneOf(rec))
		case *checkpoint.Executor:
			r.Executors = append(r.Executors, RecoveredExecutor{Executor: proto.CloneOf(rec), Found: w.exists[ids.ContainerID(key.ID)]})
		case *checkpoint.Task:
			life := w.disk[Key{LifeRecord, key.ID}].(*checkpoint.Life)
			r.Tasks = append(r.Tasks, RecoveredTask{Task: proto.CloneOf(rec), Life: proto.CloneOf(life), Found: w.exists[ids.ContainerID(key.ID)]})
		}
	}
	w.core = w.newCore()
	w.core.agent.Id = &v1.AgentID{Value: proto.String("a1")}
	effects, problems := w.core.Recover(w.now, r)
	if len(problems) > 0 {
		t.Fatalf("recover: %v", problems)
	}
	w.perform(t, effects, nil, false)
	// Those without a record were never told of: the shell removes them.
	for c := range w.exists {
		if w.core.containers[c] == nil && w.core.executors[c] == nil {
			delete(w.exists, c)
		}
	}
	if err := w.core.Check(); err != nil {
		t.Fatalf("after recovery: %v", err)
	}
}

func (w *world) destroyed(t failer, c ids.ContainerID) {
	delete(w.exists, c)
	w.step(t, Destroyed{Container: c})
}

func (w *world) launched(t failer, c ids.ContainerID) {
	w.exists[c], w.everRan[c] = true, true
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
			w.destroyed(t, c)
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
