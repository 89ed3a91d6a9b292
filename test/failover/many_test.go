package failover

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// TestMany: goal, that an agent starts, keeps and ends 200 containers that come at
// once, and may die amid each of it; method, one offer taken by all of them.
func TestMany(t *testing.T) {
	const n = 200
	s := newSite(t)
	id := func(i int) string { return fmt.Sprint("many-", i) }
	var agentID *v1.AgentID
	s.accept(func(o *v1.Offer) *v1.Offer_Operation {
		op := &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{}}
		agentID = o.GetAgentId()
		for i := range n {
			op.Launch.TaskInfos = append(op.Launch.TaskInfos, &v1.TaskInfo{
				Name: proto.String(id(i)), TaskId: &v1.TaskID{Value: proto.String(id(i))}, AgentId: o.GetAgentId(),
				Command:   &v1.CommandInfo{Value: proto.String("sleep 1000")},
				Container: &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), Mesos: &v1.ContainerInfo_MesosInfo{Image: &v1.Image{Type: v1.Image_DOCKER.Enum(), Docker: &v1.Image_Docker{Name: &s.image}}}},
				Resources: []*v1.Resource{scalar("cpus", 0.01), scalar("mem", 8)},
			})
		}
		return op
	})
	// reached counts the tasks that were in a state at some time.
	reached := func(state v1.TaskState) (count int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range n {
			for _, st := range s.statuses[id(i)] {
				if st.GetState() == state {
					count++
					break
				}
			}
		}
		return count
	}
	t.Cleanup(func() { // who is missing, and what is known of it
		if !t.Failed() {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range n {
			all := s.statuses[id(i)]
			if k := len(all); k == 0 || all[k-1].GetState() != v1.TaskState_TASK_RUNNING && all[k-1].GetState() != v1.TaskState_TASK_KILLED {
				t.Logf("%s: %v", id(i), all)
			}
		}
	})
	again := func() {
		s.agent.kill()
		s.agent.start()
	}
	until(t, "some run", func() bool { return reached(v1.TaskState_TASK_RUNNING) >= n/4 })
	again()
	until(t, "more run", func() bool { return reached(v1.TaskState_TASK_RUNNING) >= n/2 })
	until(t, "all run", func() bool { return reached(v1.TaskState_TASK_RUNNING) == n })
	if got := len(shims(s.work)); got != n {
		t.Errorf("%d containers for %d tasks", got, n)
	}
	again()
	for i := range n {
		if err := s.client.Kill(t.Context(), &v1.TaskID{Value: proto.String(id(i))}, agentID, nil); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "some are ended", func() bool { return reached(v1.TaskState_TASK_KILLED) >= n/4 })
	again()
	until(t, "more are ended", func() bool { return reached(v1.TaskState_TASK_KILLED) >= n/2 })
	until(t, "all are ended", func() bool { return reached(v1.TaskState_TASK_KILLED) == n })
	until(t, "no container is left", func() bool { return len(shims(s.work)) == 0 })
}
