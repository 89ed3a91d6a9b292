package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
)

// stat is one counter of a flat-keyed cgroup file's text.
func stat(t *testing.T, text, key string) uint64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == key {
			n, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			return n
		}
	}
	t.Fatalf("no %s in %q", key, text)
	return 0
}

// TestCPU: a task that spins on 0.5 CPUs gets 0.5, by the kernel's clock and
// counters; the master says the same.
func TestCPU(t *testing.T) { setup(t).heldToCPU(t) }

func (s *suite) heldToCPU(t *testing.T) {
	t.Helper()
	task := s.background(t, "spin", []string{"--cpus=0.5", "--mem=32"}, "sh", "-c", "while :; do :; done")
	cg := s.cgroup(t, task)
	// One script, so that the two readings of each clock lie close together.
	out := s.sh(t, `read a _ </proc/uptime; grep usage_usec `+cg+`/cpu.stat; sleep 20; read b _ </proc/uptime; grep usage_usec `+cg+`/cpu.stat; echo $a $b`)
	f := strings.Fields(out)
	if len(f) != 6 {
		t.Fatalf("unexpected output %q", out)
	}
	used := (number(t, f[3]) - number(t, f[1])) / 1e6
	wall := number(t, f[5]) - number(t, f[4])
	if rate := used / wall; rate < 0.475 || rate > 0.525 {
		t.Errorf("a spinning task with 0.5 CPUs used %.3f (%.2f s in %.2f s)", rate, used, wall)
	}
	s.await(t, "the master sees 0.5 CPUs, throttled", func(c *usage.Cluster) *usage.TaskUsage {
		u := byName(c, "spin")
		if cpu := u.GetUsed().GetCpu(); cpu.GetRateCpus() > 0.475 && cpu.GetRateCpus() < 0.525 && cpu.GetThrottledShare() > 0.5 && cpu.GetLimitCpus() == 0.5 {
			return u
		}
		return nil
	})
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMemory: a task over its memory dies whole, with the reason, and its
// neighbour doesn't notice.
func TestMemory(t *testing.T) { setup(t).heldToMemory(t) }

func (s *suite) heldToMemory(t *testing.T) {
	t.Helper()
	neighbour := s.background(t, "neighbour", []string{"--cpus=0.1", "--mem=32"}, "sleep", "3600")
	// The shell would outlive its child if only one process were killed.
	r := s.mezzo(t, "run", "--name=greedy", "--image="+plainImage, "--cpus=0.1", "--mem=32", "--",
		"sh", "-c", "dd if=/dev/zero of=/dev/null bs=128M count=1; echo survived")
	if r.code == 0 || strings.Contains(r.stdout, "survived") {
		t.Errorf("the greedy task survived: code %d\n%s", r.code, r.stdout)
	}
	status := s.lastStatus(t, "greedy")
	if status.GetState() != v1.TaskState_TASK_FAILED || status.GetReason() != v1.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY {
		t.Errorf("status is %v, %v", status.GetState(), status.GetReason())
	}
	if m := status.GetMessage(); !strings.Contains(m, "32") || !strings.Contains(strings.ToLower(m), "peak") {
		t.Errorf("message %q names no limit or no peak", m)
	}
	if !strings.Contains(r.stderr, status.GetMessage()) {
		t.Errorf("mezzo run did not say why: %s", r.stderr)
	}
	c, err := s.usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := byName(c, "neighbour").GetState(); got != v1.TaskState_TASK_RUNNING {
		t.Errorf("neighbour is %v", got)
	}
	if n := stat(t, s.sh(t, "cat "+s.cgroup(t, neighbour)+"/memory.events"), "oom_kill"); n != 0 {
		t.Errorf("neighbour has %d OOM kills", n)
	}
}

// lastStatus is the newest status of the newest task called name, running or ended.
func (s *suite) lastStatus(t *testing.T, name string) *v1.TaskStatus {
	t.Helper()
	r, err := s.operator(t.Context(), `{"type":"GET_TASKS"}`)
	if err != nil {
		t.Fatal(err)
	}
	var last *v1.TaskStatus
	tasks := r.GetGetTasks()
	for _, task := range append(append(tasks.GetCompletedTasks(), tasks.GetTasks()...), tasks.GetUnreachableTasks()...) {
		if task.GetName() != name {
			continue
		}
		for _, st := range task.GetStatuses() {
			if last == nil || st.GetTimestamp() >= last.GetTimestamp() {
				last = st
			}
		}
	}
	if last == nil {
		t.Fatalf("the master knows no status of %s", name)
	}
	return last
}

// TestForkBomb: processes are limited; the node stays usable; a kill gets all.
func TestForkBomb(t *testing.T) {
	s := setup(t)
	task := s.background(t, "bomb", []string{"--cpus=0.2", "--mem=256"}, "sh", "-c", "b() { b | b & }; sleep 2; while :; do b; sleep 1; done")
	cg := s.cgroup(t, task)
	limit := number(t, s.sh(t, "cat "+cg+"/pids.max"))
	s.await(t, "the bomb was seen by the master", func(c *usage.Cluster) *usage.TaskUsage {
		if u := byName(c, "bomb"); u.GetUsed().GetPids().GetCurrent() > 20 {
			return u
		}
		return nil
	})
	peak := number(t, s.sh(t, "cat "+cg+"/pids.current"))
	if peak > limit {
		t.Errorf("%v processes, limit %v", peak, limit)
	}
	if got := s.sh(t, "echo alive"); got != "alive" {
		t.Errorf("node said %q", got)
	}
	s.kill(t, task)
	s.empty(t)
}

// empty waits until no container's cgroup is left below the agent's root.
func (s *suite) empty(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(30*time.Second))
	defer cancel()
	var left string
	err := s.until(ctx, "the cgroup tree is empty", func(c *usage.Cluster) bool {
		for _, u := range c.GetTasks() {
			if !ended(u.GetState()) {
				left = "task " + u.GetName()
				return false
			}
		}
		left = s.sh(t, "find "+domain+" -path '*mezzo*' -name ctr -type d")
		return left == ""
	})
	if err != nil {
		t.Errorf("%v; left: %s", err, left)
	}
}

// TestUsageIsTheKernels: what the master shows lies between two readings of the
// kernel's own counters around it.
func TestUsageIsTheKernels(t *testing.T) {
	s := setup(t)
	task := s.background(t, "counted", []string{"--cpus=0.3", "--mem=48"}, "sh", "-c", "while :; do i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; sleep 1; done")
	cg := s.cgroup(t, task)
	before := s.sh(t, "cat "+cg+"/cpu.stat; date +%s.%N")
	since := number(t, before[strings.LastIndex(before, "\n")+1:])
	seen := s.await(t, "a newer sample arrived", func(c *usage.Cluster) *usage.TaskUsage {
		if u := byName(c, "counted"); u.GetUsed().GetTimestamp() > since {
			return u
		}
		return nil
	})
	after := s.sh(t, "cat "+cg+"/cpu.stat")
	for key, got := range map[string]uint64{
		"usage_usec": seen.GetUsed().GetCpu().GetUsageMicros(),
		"nr_periods": seen.GetUsed().GetCpu().GetPeriods(),
	} {
		lo, hi := stat(t, before, key), stat(t, after, key)
		if got < lo || got > hi {
			t.Errorf("%s: the master says %d, the kernel said %d before and %d after", key, got, lo, hi)
		}
	}
	for file, got := range map[string]uint64{
		"memory.max": seen.GetUsed().GetMemory().GetLimitBytes(),
		"memory.low": seen.GetUsed().GetMemory().GetRequestBytes(),
		"pids.max":   seen.GetUsed().GetPids().GetLimit(),
	} {
		if want := s.sh(t, "cat "+cg+"/"+file); want != fmt.Sprint(got) {
			t.Errorf("%s: the master says %d, the kernel %s", file, got, want)
		}
	}
	if got, want := s.sh(t, "cat "+cg+"/memory.swap.max"), "0"; got != want {
		t.Errorf("memory.swap.max is %s, want %s", got, want)
	}
}
