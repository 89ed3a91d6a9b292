package agent

import (
	"os"
	"testing"
	"time"

	v1 "mezzo/api/mesos/v1"
)

func TestMaxSandboxAge(t *testing.T) {
	for _, row := range []struct{ usage, want float64 }{{0, 0.9}, {0.5, 0.4}, {0.9, 0}, {1, 0}} {
		got := maxSandboxAge(1000*time.Second, 0.1, row.usage)
		if d := got - time.Duration(row.want*float64(1000*time.Second)); d < -time.Millisecond || d > time.Millisecond {
			t.Errorf("disk used by %v: %v", row.usage, got)
		}
	}
}

// TestCollection: the sandbox of a task that ended goes, that of one that runs
// stays.
func TestCollection(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, func(c *Config) { c.GCDelay, c.DiskWatchInterval = time.Nanosecond, 10*time.Millisecond })
	s := m.next()
	s.welcome("a1")
	s.run("stays", "sleep")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	s.run("goes", "exit 0")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	s.expect(v1.TaskState_TASK_FINISHED)
	executors := a.cfg.WorkDir + "/slaves/a1/frameworks/f1/executors/"
	a.await("the sandbox's end", func() bool {
		_, err := os.Stat(executors + "goes")
		return os.IsNotExist(err)
	})
	if _, err := os.Stat(executors + "stays/runs/latest/stdout"); err != nil {
		t.Error(err)
	}
	a.until("/metrics/snapshot", `"gc/path_removals_succeeded":1`)
}
