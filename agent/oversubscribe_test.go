package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
	"mezzo/isolator"
	"mezzo/isolator/node"
)

// TestEvicted: a task on revocable resources is throttled and then ended when
// another suffers, with the state that its framework knows.
func TestEvicted(t *testing.T) {
	for _, aware := range []bool{false, true} {
		t.Run(fmt.Sprint("partition-aware ", aware), func(t *testing.T) {
			m := startMaster(t)
			f := newFakeContainers()
			// A sample is a second after the one before; "web" waits half of it.
			clocks := map[isolator.ID]time.Duration{}
			f.sample = func(s containerizer.Spec) isolator.Usage {
				clocks[s.ID] += time.Second
				now := clocks[s.ID]
				u := isolator.Usage{At: time.Unix(1000, 0).Add(now), CPU: now / 10}
				if s.Value == "web" {
					u.CPUPressure = &isolator.Pressure{SomeTotal: now / 2}
				}
				return u
			}
			a := startAgentOn(t, m.addr, f, func(c *Config) { c.UsageInterval, c.QoSController = 5*time.Millisecond, QoSPressure })
			s := m.next()
			s.welcome("a1")
			web, spare := runMessage("web", "web"), runMessage("spare", "spin")
			spare.GetRunTask().Task.Resources[0].Revocable = &v1.Resource_RevocableInfo{}
			for _, r := range []*link.FromMaster{web, spare} {
				if aware {
					r.GetRunTask().Framework.Capabilities = []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()}}
				}
				s.send(r)
				s.expect(v1.TaskState_TASK_STARTING)
				s.expect(v1.TaskState_TASK_RUNNING)
			}
			a.await("the spare task is throttled", func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				for _, p := range f.running {
					if p.spec.Value == "spin" && p.spec.Limits.CPULimitMilli == 50 {
						return true
					}
				}
				return false
			})
			end := s.expect(map[bool]v1.TaskState{true: v1.TaskState_TASK_GONE, false: v1.TaskState_TASK_LOST}[aware])
			if end.GetTaskId().GetValue() != "spare" || end.GetReason() != v1.TaskStatus_REASON_CONTAINER_PREEMPTED || !strings.Contains(end.GetMessage(), "task web has 0.10 of its 0.50 CPUs") {
				t.Errorf("end %v", end)
			}
			a.until("/metrics/snapshot", `"slave/containers_preempted":1`)
			a.until("/state", "TASK_RUNNING") // web goes on
		})
	}
}

// TestEstimate: what is not used is told to the master, again after another
// registration, and not for each twitch.
func TestEstimate(t *testing.T) {
	cfg := Default()
	cfg.ResourceEstimator, cfg.SlackWindow, cfg.SlackMargin = EstimatorSlack, 10*time.Second, 0.25
	connect := func() *conn {
		_, fail := context.WithCancelCause(t.Context())
		return &conn{out: make(chan *link.FromAgent, 100), fail: fail}
	}
	l := &loop{cfg: cfg, log: slog.New(slog.DiscardHandler), over: newOversubscription(cfg), conn: connect()}
	at := time.Unix(1000, 0)
	own, spare := &container{limits: isolator.Limits{CPURequestMilli: 3000}}, &container{limits: isolator.Limits{CPURequestMilli: 500, Revocable: true}}
	var nodeUsed, used time.Duration
	after := func(seconds int, ownRate float64) {
		for range seconds {
			before := isolator.Usage{At: at, CPU: nodeUsed}
			ownBefore := isolator.Usage{At: at, CPU: used}
			at = at.Add(time.Second)
			used += time.Duration(ownRate * float64(time.Second))
			nodeUsed += time.Duration((ownRate + 0.5) * float64(time.Second))
			s := samples{node: node.Sample{CPUs: 4, Used: isolator.Usage{At: at, CPU: nodeUsed}}}
			l.oversubscribe([]observed{
				{ids.ContainerID("own"), own, ownBefore, isolator.Usage{At: at, CPU: used}},
				{ids.ContainerID("spare"), spare, isolator.Usage{At: at.Add(-time.Second)}, isolator.Usage{At: at, CPU: time.Second / 2}},
			}, &before, s)
		}
	}
	told := func() (all []string) {
		for {
			select {
			case m := <-l.conn.out:
				r := m.GetOversubscribed().GetResources()
				if len(r) == 0 {
					all = append(all, "nothing")
					continue
				}
				if len(r) != 1 || r[0].Revocable == nil || r[0].GetName() != "cpus" {
					t.Fatalf("told %v", r)
				}
				all = append(all, fmt.Sprint(r[0].GetScalar().GetValue()))
			default:
				return all
			}
		}
	}
	check := func(what, want string) {
		t.Helper()
		if got := strings.Join(told(), " "); got != want {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
	}
	after(5, 1)
	check("at first", "nothing")
	after(20, 1)
	check("after the window", "1")
	after(60, 1)
	check("nothing new", "")
	after(1, 2.9)
	check("it is used", "nothing")
	after(40, 1)
	check("it is not used any more", "1")
	l.conn = connect()
	after(1, 1)
	check("another master", "1")
	if got := revocableCPUs(1500).Total("cpus").Float(); got != 1.5 {
		t.Errorf("%v CPUs", got)
	}
}
