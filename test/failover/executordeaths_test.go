package failover

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// TestExecutorDeaths: goal, that executors may die at any moment, with their agent,
// their shims and containerd or without: each task has one end, which nothing
// contradicts, and nothing is left over; method, executors that share an agent,
// tasks that end by themselves or never, and deaths at random.
func TestExecutorDeaths(t *testing.T) {
	seed := *deathsSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-deaths-seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	s := newSite(t)
	path := program(t, "runner")
	executors := make([]*v1.ExecutorInfo, 4)
	for i := range executors {
		executors[i] = &v1.ExecutorInfo{
			ExecutorId: &v1.ExecutorID{Value: proto.String(fmt.Sprint("x", i))}, Type: v1.ExecutorInfo_CUSTOM.Enum(),
			Command:   &v1.CommandInfo{Value: proto.String("exec " + path)},
			Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		}
	}
	var agentID *v1.AgentID
	tasks := 0
	launchSome := func() {
		x := executors[rng.IntN(len(executors))]
		s.accept(func(o *v1.Offer) *v1.Offer_Operation {
			agentID = o.GetAgentId()
			op := &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{}}
			for _, data := range []string{"exit 0", "sleep 0.2; exit 3", "sleep 1000"} {
				id := fmt.Sprint("t", tasks)
				tasks++
				op.Launch.TaskInfos = append(op.Launch.TaskInfos, &v1.TaskInfo{
					Name: &id, TaskId: &v1.TaskID{Value: &id}, AgentId: o.GetAgentId(), Executor: x, Data: []byte(data),
					Resources: []*v1.Resource{scalar("cpus", 0.01), scalar("mem", 8)},
				})
			}
			return op
		})
	}
	for range *deaths {
		launchSome()
		<-time.After(time.Duration(rng.Int64N(int64(600 * time.Millisecond))))
		own := processes(path)
		switch rng.IntN(6) {
		case 0:
			s.agent.kill()
			killSome(rng, own)
			s.agent.start()
		case 1:
			killSome(rng, shims(s.work))
		case 2:
			killSome(rng, own)
			killContainerd(t, s.work)
		case 3:
			s.agent.kill()
			s.agent.start()
		default:
			killSome(rng, own)
		}
	}
	// All are told to end until all have: a KILL may be lost with an executor that
	// was about to hear it.
	ends := func() map[string]v1.TaskState {
		s.mu.Lock()
		defer s.mu.Unlock()
		all := map[string]v1.TaskState{}
		for id, statuses := range s.statuses {
			for _, st := range statuses {
				if !over(st.GetState()) {
					continue
				}
				if was, ok := all[id]; ok && was != st.GetState() {
					t.Errorf("%s ended as %v, and as %v", id, was, st.GetState())
				}
				all[id] = st.GetState()
			}
		}
		return all
	}
	next := time.Now()
	until(t, "all tasks have an end", func() bool {
		all := ends()
		if len(all) == tasks {
			return true
		}
		if time.Now().After(next) {
			next = time.Now().Add(2 * time.Second)
			for i := range tasks {
				id := fmt.Sprint("t", i)
				if _, ok := all[id]; !ok {
					if err := s.client.Kill(t.Context(), &v1.TaskID{Value: &id}, agentID, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		return false
	})
	count := map[v1.TaskState]int{}
	for _, state := range ends() {
		count[state]++
	}
	t.Logf("%d tasks: %v", tasks, count)
	if count[v1.TaskState_TASK_FINISHED] == 0 || count[v1.TaskState_TASK_FAILED] == 0 {
		t.Error("none finished, or none failed")
	}
	for _, x := range executors {
		if err := s.client.Shutdown(t.Context(), x.ExecutorId, agentID); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "no container is left", func() bool { return len(shims(s.work)) == 0 && len(processes(path)) == 0 })
}
