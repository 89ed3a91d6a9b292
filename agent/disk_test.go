package agent

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

func oneMiBDisk() *v1.Resource {
	return &v1.Resource{Name: proto.String("disk"), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(1)}}
}

// fakeProjects note what is limited.
type fakeProjects struct {
	mu     sync.Mutex
	limits map[string]int64 // by the end of the path
}

func (p *fakeProjects) Limit(dir string, bytes int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits[filepath.Base(dir)] = bytes
	return nil
}

// TestProjectQuota: where the file system can, it holds a sandbox before its task
// runs.
func TestProjectQuota(t *testing.T) {
	m := startMaster(t)
	p := &fakeProjects{limits: make(map[string]int64)}
	a, err := newAgentOn(t, m.addr, newFakeContainers(), func(c *Config) { c.EnforceContainerDiskQuota = true })
	if err != nil {
		t.Fatal(err)
	}
	a.loop.deps.Projects = p
	a.start()
	s := m.next()
	s.welcome("a1")
	bounded := runMessage("bounded", "sleep")
	bounded.GetRunTask().Task.Resources = append(bounded.GetRunTask().Task.Resources, oneMiBDisk())
	s.send(bounded)
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	runningTask(a, s, "free", "sleep")
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.limits) != 1 || p.limits[string(a.containers.of("bounded"))] != 1<<20 {
		t.Errorf("limits %v", p.limits)
	}
}

// TestDiskQuota: a task that uses more of the disk than it asked for ends, with
// the reason; others don't, and nobody where no quota is enforced.
func TestDiskQuota(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, func(c *Config) {
		c.ContainerDiskWatchInterval, c.EnforceContainerDiskQuota = 10*time.Millisecond, true
	})
	s := m.next()
	s.welcome("a1")
	free, bounded := runMessage("free", "sleep"), runMessage("bounded", "sleep")
	bounded.GetRunTask().Task.Resources = append(bounded.GetRunTask().Task.Resources, oneMiBDisk())
	s.send(free)
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	s.send(bounded)
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	a.containers.mu.Lock()
	a.containers.layerBytes = 3<<20 - 1000
	a.containers.mu.Unlock()
	end := s.expect(v1.TaskState_TASK_FAILED)
	if end.GetTaskId().GetValue() != "bounded" || end.GetReason() != v1.TaskStatus_REASON_CONTAINER_LIMITATION_DISK || end.GetSource() != v1.TaskStatus_SOURCE_AGENT ||
		!strings.Contains(end.GetMessage(), "MiB used of 1 MiB, in the sandbox") || end.GetLimitation().GetResources()[0].GetScalar().GetValue() != 1 {
		t.Errorf("end %v", end)
	}
	a.until("/containers", `"disk_used_bytes":`)
	b := startAgent(t, m.addr, func(c *Config) {
		c.ContainerDiskWatchInterval, c.EnforceContainerDiskQuota = 10*time.Millisecond, false
	})
	s = m.next()
	s.welcome("a1")
	b.containers.mu.Lock()
	b.containers.layerBytes = 5 << 20
	b.containers.mu.Unlock()
	again := runMessage("again", "sleep")
	again.GetRunTask().Task.Resources = append(again.GetRunTask().Task.Resources, oneMiBDisk())
	s.send(again)
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	b.until("/containers", `"disk_limit_bytes":1048576`)
	if body, _ := b.get("/state"); !strings.Contains(body, "TASK_RUNNING") {
		t.Errorf("it does not run any more: %s", body)
	}
}
