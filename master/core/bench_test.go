package core_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/usage"
	"mezzo/master/core"
	"mezzo/master/registry"
)

// BenchmarkTask measures what one task costs the loop: its launch, two updates
// and their acknowledgements, among as many tasks and agents as the name says.
func BenchmarkTask(b *testing.B) {
	for _, agents := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) { benchmarkTask(b, agents) })
	}
}

func benchmarkTask(b *testing.B, agents int) {
	w := newWorld(b, core.Config{})
	for n := range agents {
		name := fmt.Sprintf("h%d", n)
		w.core.Step(w.now, core.AgentHello{Conn: core.ConnID(n + 1), IP: name, Hello: &link.Hello{
			Agent: &v1.AgentInfo{Hostname: &name, Resources: mustResources(b, "cpus:64;mem:65536;disk:1000;ports:[31000-32000]")},
		}})
	}
	id := &v1.FrameworkID{Value: proto.String("f")}
	w.core.Step(w.now, core.SchedulerCall{Stream: "s", Call: &scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: id, Subscribe: &scheduler.Call_Subscribe{
			FrameworkInfo: &v1.FrameworkInfo{Id: id, User: proto.String("u"), Name: proto.String("n")},
		},
	}})
	var offers []*v1.Offer
	tick := func() {
		for len(offers) == 0 {
			w.now = w.now.Add(50 * time.Millisecond)
			for _, e := range w.core.Step(w.now, core.Tick{}) {
				if e, ok := e.(core.SendFramework); ok {
					offers = append(offers, e.Event.GetOffers().GetOffers()...)
				}
			}
		}
	}
	res := mustResources(b, "cpus:1;mem:32")
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		tick()
		o := offers[0]
		offers = offers[1:]
		task := taskID(fmt.Sprintf("t%d", n))
		w.core.Step(w.now, core.SchedulerCall{Stream: "s", Call: &scheduler.Call{
			Type: scheduler.Call_ACCEPT.Enum(), FrameworkId: id, Accept: &scheduler.Call_Accept{
				OfferIds: []*v1.OfferID{o.Id}, Filters: &v1.Filters{RefuseSeconds: proto.Float64(0)},
				Operations: []*v1.Offer_Operation{{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{
					TaskInfos: []*v1.TaskInfo{{Name: task.Value, TaskId: task, AgentId: o.AgentId, Resources: res, Command: &v1.CommandInfo{}}},
				}}},
			},
		}})
		host, err := strconv.Atoi(o.GetHostname()[1:])
		if err != nil {
			b.Fatal(err)
		}
		conn := core.ConnID(host + 1)
		for i, state := range []v1.TaskState{v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_FINISHED} {
			uuid := uuidOf(fmt.Sprint(n, i))
			w.core.Step(w.now, core.AgentMessage{Conn: conn, Message: &link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{
				FrameworkId: id, Status: &v1.TaskStatus{TaskId: task, State: state.Enum(), Uuid: uuid},
			}}}})
			w.core.Step(w.now, core.SchedulerCall{Stream: "s", Call: &scheduler.Call{
				Type: scheduler.Call_ACKNOWLEDGE.Enum(), FrameworkId: id,
				Acknowledge: &scheduler.Call_Acknowledge{AgentId: o.AgentId, TaskId: task, Uuid: uuid},
			}})
		}
	}
	b.StopTimer()
	if s := w.core.Snapshot().Sort(); s.Counts[core.TasksFinished] != uint64(b.N) {
		b.Fatalf("%d tasks of %d finished", s.Counts[core.TasksFinished], b.N)
	}
}

// BenchmarkSnapshot measures what a reader costs the loop, and the reader itself,
// with ten tasks on each agent.
func BenchmarkSnapshot(b *testing.B) {
	for _, agents := range []int{100, 1000, 10_000} {
		w := newWorld(b, core.Config{})
		attachLoaded(b, w, agents)
		b.Run(fmt.Sprintf("agents=%d/loop", agents), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.core.Snapshot()
			}
		})
		b.Run(fmt.Sprintf("agents=%d/reader", agents), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				u := w.core.Snapshot()
				b.StartTimer()
				u.Sort()
			}
		})
	}
}

// attachLoaded attaches agents with ten tasks each.
func attachLoaded(b *testing.B, w *world, agents int) {
	for n := range agents {
		name := fmt.Sprintf("h%d", n)
		hello := &link.Hello{
			Agent:      &v1.AgentInfo{Hostname: &name, Resources: mustResources(b, "cpus:64;mem:65536")},
			Frameworks: []*v1.FrameworkInfo{{Id: &v1.FrameworkID{Value: proto.String("f")}}},
		}
		for i := range 10 {
			hello.Tasks = append(hello.Tasks, &v1.Task{
				TaskId: taskID(fmt.Sprintf("%s-%d", name, i)), FrameworkId: hello.Frameworks[0].Id,
				State: v1.TaskState_TASK_RUNNING.Enum(), Resources: mustResources(b, "cpus@*:1;mem@*:32"),
			})
		}
		w.core.Step(w.now, core.AgentHello{Conn: core.ConnID(n + 1), IP: name, Hello: hello})
	}
}

// BenchmarkUsage measures what one agent's report of its ten tasks costs the loop,
// among as many agents as the name says, with a reader after each round.
func BenchmarkUsage(b *testing.B) {
	for _, agents := range []int{100, 10_000} {
		w := newWorld(b, core.Config{})
		attachLoaded(b, w, agents)
		var reports []core.AgentMessage
		for n := range agents {
			report := &link.Usage{All: true, Node: &usage.NodeUsage{}}
			for i := range 10 {
				report.Containers = append(report.Containers, &usage.ContainerUsage{
					FrameworkId: &v1.FrameworkID{Value: proto.String("f")}, TaskId: taskID(fmt.Sprintf("h%d-%d", n, i)),
				})
			}
			reports = append(reports, core.AgentMessage{Conn: core.ConnID(n + 1), Message: &link.FromAgent{Message: &link.FromAgent_Usage{Usage: report}}})
		}
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				w.core.Step(w.now, reports[n%agents])
				if n%agents == 0 {
					w.core.Snapshot()
				}
			}
		})
	}
}

// BenchmarkRecover measures what a new master does with the registry of as many
// agents as the name says: all records are parsed, and a core made of them.
func BenchmarkRecover(b *testing.B) {
	for _, agents := range []int{1000, 50_000} {
		w := newWorld(b, core.Config{})
		w.cfg.MaxUnreachableAgents = 100_000
		var kept []registry.Change
		bytes := 0
		for n := range agents {
			name := fmt.Sprintf("h%d.example.org", n)
			effects := w.core.Step(w.now, core.AgentHello{Conn: core.ConnID(n + 1), IP: name, Hello: &link.Hello{
				Agent: &v1.AgentInfo{Hostname: &name, Port: proto.Int32(5051), Resources: mustResources(b, "cpus:64;mem:65536;disk:1000;ports:[31000-32000]")},
			}})
			for _, e := range effects {
				if s, ok := e.(core.Store); ok {
					kept = append(kept, s.Changes...)
				}
			}
		}
		for _, c := range kept {
			bytes += len(c.Name) + len(c.Value)
		}
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			for range b.N {
				state := registry.NewState()
				for _, c := range kept {
					if err := state.Add(c); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := core.New(w.now, w.cfg, state); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(bytes)/float64(agents), "B/agent")
		})
	}
}
