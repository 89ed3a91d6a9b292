package master_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master"
)

// BenchmarkTask measures one task's whole way through the master: from ACCEPT to
// the acknowledged TASK_FINISHED, over HTTP and gRPC on loopback.
func BenchmarkTask(b *testing.B) {
	for _, c := range []codec.Codec{codec.Protobuf, codec.JSON} {
		b.Run(c.ContentType()[len("application/"):], func(b *testing.B) {
			m := start(b, nil)
			a := register(b, m, "a1", "cpus:64;mem:65536")
			s := subscribe(b, m, c, &v1.FrameworkInfo{})
			b.ResetTimer()
			for n := range b.N {
				task := fmt.Sprintf("t%d", n)
				s.launch(s.offer(), task, "cpus:1;mem:32")
				a.next()
				a.update(s.id, task, v1.TaskState_TASK_FINISHED)
				s.acknowledge(s.awaitState(task, v1.TaskState_TASK_FINISHED))
				a.next()
			}
		})
	}
}

// BenchmarkState measures GET_STATE and /state with 1000 agents of 10 tasks.
func BenchmarkState(b *testing.B) {
	m := start(b, nil)
	id := &v1.FrameworkID{Value: proto.String("bench")}
	var group sync.WaitGroup
	for n := range 1000 {
		group.Go(func() { attachLoaded(b, m, fmt.Sprintf("h%04d", n), id) })
	}
	group.Wait()
	s := subscribe(b, m, codec.Protobuf, &v1.FrameworkInfo{Id: id})
	for name, read := range map[string]func(){
		"operator": func() { state(b, m) },
		"legacy":   func() { fetchOK(b, m, "/state") },
		"metrics":  func() { fetchOK(b, m, "/metrics/snapshot") },
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				s.mustCall(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum()}) // so that no view is new enough
				read()
			}
		})
	}
}

func fetchOK(b *testing.B, m *master.Master, path string) {
	b.Helper()
	if code, _ := fetch(b, m, path); code != http.StatusOK {
		b.Fatal(code)
	}
}

// attachLoaded attaches an agent that comes with ten tasks.
func attachLoaded(b testing.TB, m *master.Master, host string, framework *v1.FrameworkID) {
	hello := helloOf(b, host, "cpus:16;mem:16384")
	hello.Agent.Id = &v1.AgentID{Value: proto.String("old-" + host)}
	hello.Frameworks = []*v1.FrameworkInfo{{Id: framework, User: proto.String("u"), Name: proto.String("bench")}}
	for n := range 10 {
		res := parse(b, "cpus:1;mem:32")
		for _, r := range res {
			r.AllocationInfo = &v1.Resource_AllocationInfo{Role: proto.String("*")}
		}
		name := fmt.Sprintf("%s-%d", host, n)
		hello.Tasks = append(hello.Tasks, &v1.Task{
			Name: &name, TaskId: &v1.TaskID{Value: &name}, FrameworkId: framework, AgentId: hello.Agent.Id,
			State: v1.TaskState_TASK_RUNNING.Enum(), Resources: res,
		})
	}
	a := attach(b, m, hello)
	if a.next().GetWelcome() == nil {
		b.Errorf("agent %s is not welcome: %v", host, a.err)
	}
}
