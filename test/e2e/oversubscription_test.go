package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"mezzo/api/usage"
)

// TestOversubscription: what a task does not use runs another one, which it does
// not notice when it wants it back; and where it suffers all the same, by what
// runs beside the agent, the other one goes.
func TestOversubscription(t *testing.T) {
	s := setup(t).beside(t, "slack")
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(time.Minute))
	defer cancel()
	err := s.start(ctx, dir, "--containerd=private", "--resource_estimator=slack", "--slack_window=10secs", "--slack_margin=0.01",
		"--oversubscribed_resources_interval=1secs", "--qos_controller=pressure")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	const spin = "while :; do :; done"
	own := s.background(t, "own", []string{"--cpus=1.5", "--mem=32"}, "sh", "-c", "until test -e go; do sleep 1; done; ("+spin+") & "+spin)
	spare := s.background(t, "spare", []string{"--revocable", "--cpus=0.5", "--mem=32"}, "sh", "-c", spin)
	if got := strings.TrimSpace(s.sh(t, "cat "+s.cgroup(t, spare)+"/cpu.weight")); got != "1" {
		t.Errorf("cpu.weight of a task on revocable CPUs is %s", got)
	}
	rate := func(name string, least float64) func(*usage.Cluster) *usage.TaskUsage {
		return func(c *usage.Cluster) *usage.TaskUsage {
			if u := byName(c, name); u.GetUsed().GetCpu().GetRateCpus() > least {
				return u
			}
			return nil
		}
	}
	s.await(t, "what is not used is used", rate("spare", 0.4))
	if r := s.mezzo(t, "exec", own.GetTaskId().GetValue(), "--", "touch", "go"); r.code != 0 {
		t.Fatalf("exec: %+v", r)
	}
	s.await(t, "who was given it has it", rate("own", 1.3))
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		// By another slice, of the same weight as all tasks together.
		_, _ = s.node.Run(ctx, "sh", "-c", "for i in 1 2 3 4; do timeout 60 sh -c '"+spin+"' & done; wait")
	}()
	s.await(t, "the other one gives way", func(c *usage.Cluster) *usage.TaskUsage {
		if u := byName(c, "spare"); u == nil || ended(u.GetState()) {
			return own
		}
		return nil
	})
	// Nobody acknowledges what is told of a task that was left to itself, so the
	// master never has its last status.
	log := s.log(ctx)
	for _, line := range []string{"state=TASK_GONE reason=REASON_CONTAINER_PREEMPTED", "Preempted, for it is on revocable resources: task own-", "revocable task throttled"} {
		if !strings.Contains(log, line) {
			t.Errorf("the log lacks %q", line)
		}
	}
	if out := s.sh(t, "cat "+s.cgroup(t, own)+"/cpu.max"); !strings.HasPrefix(out, "150000 ") {
		t.Errorf("the one whose CPUs they are is held to %s", out)
	}
	s.sh(t, "pkill -f '[t]imeout 60 sh' || true")
	<-stop
}
