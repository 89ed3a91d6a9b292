package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
)

// TestClockJumps: the machine's clock is set a day on, and two days back; no task
// ends for it, nor any agent, not even one that starts anew meanwhile; what is
// measured makes sense.
func TestClockJumps(t *testing.T) {
	s := setup(t)
	task := s.background(t, "steady", []string{"--cpus=0.5", "--mem=32", "--health-cmd=true", "--health-interval=1s"}, "sleep", "3600")
	set := func(seconds int) { s.sh(t, fmt.Sprintf("date -s @$(($(date +%%s)%+d))", seconds)) }
	const day = 24 * 3600
	off := 0
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), s.Slow(time.Minute))
		defer cancel()
		if _, err := s.node.Output(ctx, "sh", "-c", fmt.Sprintf("date -s @$(($(date +%%s)%+d))", -off)); err != nil {
			t.Errorf("set the clock right: %v", err)
		}
	})
	for n, jump := range []int{day, -2 * day, day + 1800} {
		off += jump
		set(jump)
		now := number(t, s.sh(t, "date +%s"))
		s.await(t, "the task is sampled by the new clock", func(c *usage.Cluster) *usage.TaskUsage {
			u := byName(c, "steady")
			if rate := u.GetUsed().GetCpu().GetRateCpus(); rate < 0 || rate > 4 {
				t.Fatalf("a task that sleeps uses %v CPUs", rate)
			}
			if u.GetState() != v1.TaskState_TASK_RUNNING || len(c.GetAgents()) != 1 {
				t.Fatalf("after a jump of %d s: %v", jump, c)
			}
			if at := u.GetUsed().GetTimestamp(); at < now || at > now+600 {
				return nil
			}
			return u
		})
		name := fmt.Sprint("after-", n)
		if r := s.mezzo(t, "run", "--name="+name, "--image="+plainImage, "--cpus=0.1", "--mem=32", "--", "echo", name); r.stdout != name+"\n" {
			t.Errorf("code %d, %q, %q", r.code, r.stdout, r.stderr)
		}
		if n == 1 {
			s.restartHard(t)
		}
	}
	if got := s.lastStatus(t, "steady"); got.GetState() != v1.TaskState_TASK_RUNNING {
		t.Errorf("the task: %v", got)
	}
	s.kill(t, task)
}
