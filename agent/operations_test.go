package agent

// Goal: what operations made of the agent's resources, and what frameworks are to
// be told of them, outlives its process; data of volumes are where they should be,
// and nobody else's. Method: agents one after the other on one work_dir.

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/internal/errs"
	"mezzo/resources"
)

func parsed(t *testing.T, text string) []*v1.Resource {
	t.Helper()
	r, err := resources.Parse(text, "")
	if err != nil {
		t.Fatal(err)
	}
	return r.Proto()
}

func asVolume(t *testing.T, text, id string) []*v1.Resource {
	list := parsed(t, text)
	list[0].Disk = &v1.Resource_DiskInfo{
		Persistence: &v1.Resource_DiskInfo_Persistence{Id: &id},
		Volume:      &v1.Volume{ContainerPath: proto.String("data"), Mode: v1.Volume_RW.Enum()},
	}
	return list
}

// apply asks for an operation; an empty id is none.
func (s *masterStream) apply(id string, from, to []*v1.Resource) {
	s.t.Helper()
	m := &link.ApplyOperation{FrameworkId: ids.FrameworkID("f1").Proto(), Uuid: []byte((id + strings.Repeat(".", 16))[:16]), From: from, To: to}
	if id != "" {
		m.OperationId = &v1.OperationID{Value: &id}
	}
	s.send(&link.FromMaster{Message: &link.FromMaster_ApplyOperation{ApplyOperation: m}})
}

// operated is the next update of an operation.
func (s *masterStream) operated(state v1.OperationState) *link.OperationUpdate {
	s.t.Helper()
	for {
		u := within(s.t, "an operation's update", s.in).GetOperationUpdate()
		if u == nil {
			continue
		}
		if u.GetStatus().GetState() != state {
			s.t.Fatalf("got %v, want %s", u, state)
		}
		return u
	}
}

func total(t *testing.T, h *link.Hello) string {
	t.Helper()
	r, err := resources.FromProto(h.GetAgent().GetResources())
	if err != nil {
		t.Fatal(err)
	}
	return r.String()
}

func TestOperationsOutliveTheAgent(t *testing.T) {
	m, f, work := startMaster(t), newFakeContainers(), t.TempDir()
	start := func(res string) (*running, error) {
		a, err := newAgentOn(t, m.addr, f, func(c *Config) { c.WorkDir, c.Strict, c.Resources = work, true, res })
		if err == nil {
			a.start()
		}
		return a, err
	}
	const all = "cpus:4;mem:1024;disk:100;ports:[1-2]"
	a, err := start(all)
	if err != nil {
		t.Fatal(err)
	}
	s := m.next()
	s.welcome("a1")
	s.apply("reserve", parsed(t, "cpus:1;disk:50"), parsed(t, "cpus(r,p):1;disk(r,p):50"))
	first := s.operated(v1.OperationState_OPERATION_FINISHED)
	dir := filepath.Join(work, "volumes", "roles", "r", "v")
	if err := os.MkdirAll(filepath.Join(dir, "of another"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.apply("", parsed(t, "disk(r,p):20"), asVolume(t, "disk(r,p):20", "v"))
	if u := s.operated(v1.OperationState_OPERATION_FINISHED); u.GetStatus().GetUuid() != nil {
		t.Errorf("an update that nobody asked for is to be acknowledged: %v", u)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("a new volume has %v, %v", entries, err)
	}
	s.apply("wrong", parsed(t, "cpus(q,p):1"), parsed(t, "cpus:1"))
	if u := s.operated(v1.OperationState_OPERATION_FAILED); u.GetStatus().GetMessage() == "" {
		t.Errorf("no reason: %v", u)
	}
	task := runMessage("t1", "sleep")
	task.GetRunTask().Task.Resources = append(task.GetRunTask().Task.Resources, asVolume(t, "disk(r,p):20", "v")...)
	s.send(task)
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	mounts := f.specOf(f.of("t1")).spec.Mounts
	if len(mounts) != 1 || mounts[0].Source != dir || !strings.HasSuffix(mounts[0].Target, "/data") || !mounts[0].Own || mounts[0].ReadOnly {
		t.Errorf("mounts %+v", mounts)
	}
	s.apply("used", asVolume(t, "disk(r,p):20", "v"), parsed(t, "disk(r,p):20"))
	if u := s.operated(v1.OperationState_OPERATION_FAILED); !strings.Contains(u.GetStatus().GetMessage(), `in use by task "t1"`) {
		t.Errorf("destroyed in use: %v", u)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"wrong", "used"} {
		s.send(&link.FromMaster{Message: &link.FromMaster_AcknowledgeOperation{AcknowledgeOperation: &link.AcknowledgeOperation{
			FrameworkId: ids.FrameworkID("f1").Proto(), Uuid: []byte((id + strings.Repeat(".", 16))[:16]),
		}}})
	}
	s.kill("t1", 0)
	s.expect(v1.TaskState_TASK_KILLED)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}

	if a, err = start("cpus:4;mem:1024;disk:40;ports:[1-2]"); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "the agent's end", a.ended); !errors.Is(err, errs.Conflict) {
		t.Errorf("less than is reserved: %v", err)
	}
	a.cancel = nil
	if a, err = start("cpus:8;mem:1024;disk:100;ports:[1-2]"); err != nil {
		t.Fatal(err)
	}
	s = m.next()
	h := s.welcome("a1")
	if got := total(t, h); got != "cpus:7;cpus(r,p):1;disk:50;disk(r,p):30;disk(r,p)[disk id=v]:20;mem:1024;ports:[1-2]" {
		t.Errorf("the next agent has %s", got)
	}
	if len(h.GetOperations()) != 1 || string(h.GetOperations()[0].GetStatus().GetUuid().GetValue()) != string(first.GetStatus().GetUuid().GetValue()) {
		t.Errorf("the next agent is to tell of %v", h.GetOperations())
	}
	if u := s.operated(v1.OperationState_OPERATION_FINISHED); !proto.Equal(u.GetStatus(), first.GetStatus()) {
		t.Errorf("told again: %v, before: %v", u, first)
	}
	if _, answer := a.call(&agent.Call{Type: agent.Call_GET_OPERATIONS.Enum()}); len(answer.GetGetOperations().GetOperations()) != 1 ||
		answer.GetGetOperations().GetOperations()[0].GetLatestStatus().GetOperationId().GetValue() != "reserve" {
		t.Errorf("GET_OPERATIONS: %v", answer)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "kept" {
		t.Errorf("the volume has %q, %v", b, err)
	}
	s.apply("destroy", asVolume(t, "disk(r,p):20", "v"), parsed(t, "disk(r,p):20"))
	s.operated(v1.OperationState_OPERATION_FINISHED)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the volume is left: %v", err)
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
}
