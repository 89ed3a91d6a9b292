package agent

// Goal: another process on the same work_dir goes on where the one before ended,
// whatever happened in between. Method: agents one after the other over the same
// containers, a master that sees what each says.

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mezzo/agent/checkpoint"
	"mezzo/agent/launch"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// left is what a first agent leaves: three tasks, of which "waiting" has an
// update that nobody acknowledged, and "killed" is asked to end and doesn't.
type left struct {
	t      *testing.T
	m      *fakeMaster
	f      *fakeContainers
	work   string
	unread []byte // uuid of waiting's update
}

func leave(t *testing.T) *left {
	t.Helper()
	l := &left{t: t, m: startMaster(t), f: newFakeContainers(), work: t.TempDir()}
	a := startAgentOn(t, l.m.addr, l.f, l.config)
	s := l.m.next()
	s.welcome("a1")
	for _, task := range []ids.TaskID{"going", "killed", "waiting"} {
		s.run(task, map[ids.TaskID]string{"going": "sleep", "killed": "stubborn", "waiting": "sleep"}[task])
		s.expect(v1.TaskState_TASK_STARTING)
		if u := s.update(); task != "waiting" {
			s.ack(u)
		} else {
			l.unread = u.GetStatus().GetUuid()
		}
	}
	s.kill("killed", time.Hour)
	a.await("the kill", func() bool { return l.f.signals("killed") == 1 })
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *left) config(c *Config) { c.WorkDir, c.Strict = l.work, true }

// next is the next agent, welcomed; its hello tells the tasks' states.
func (l *left) next(change ...func(*Config)) (*running, *masterStream, map[string]v1.TaskState) {
	l.t.Helper()
	a := startAgentOn(l.t, l.m.addr, l.f, func(c *Config) {
		l.config(c)
		for _, change := range change {
			change(c)
		}
	})
	s := l.m.next()
	states := map[string]v1.TaskState{}
	h := s.welcome("a1")
	for _, t := range h.GetTasks() {
		states[t.GetTaskId().GetValue()] = t.GetState()
	}
	if h.GetAgent().GetId().GetValue() != "a1" {
		l.t.Errorf("the agent is %v", h.GetAgent())
	}
	return a, s, states
}

// container of a task.
func (f *fakeContainers) of(task string) isolator.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, p := range f.running {
		if p.spec.Labels[launch.LabelTask] == task {
			return id
		}
	}
	return ""
}

func (f *fakeContainers) signals(task string) int {
	id := f.of(task)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signalled[id]
}

func TestTasksGoOn(t *testing.T) {
	l := leave(t)
	_, s, states := l.next()
	if len(states) != 3 || states["going"] != v1.TaskState_TASK_RUNNING {
		t.Fatalf("the next agent knows %v", states)
	}
	u := s.update()
	if string(u.GetStatus().GetUuid()) != string(l.unread) {
		t.Errorf("got %v, want the update that was not acknowledged", u)
	}
	s.ack(u)
	s.kill("going", time.Second)
	s.expect(v1.TaskState_TASK_KILLED)
	s.kill("killed", 0)
	if got := s.expect(v1.TaskState_TASK_KILLED); !strings.Contains(got.GetMessage(), "137") {
		t.Errorf("got %v", got)
	}
}

func TestExitWhileAway(t *testing.T) {
	l := leave(t)
	id, lost := l.f.of("going"), l.f.of("killed")
	l.f.mu.Lock()
	l.f.running[id].end(7)
	delete(l.f.running, lost) // with its shim
	l.f.mu.Unlock()
	a, s, _ := l.next()
	got := map[string]*v1.TaskStatus{}
	for len(got) < 2 {
		u := s.update()
		if s.ack(u); u.GetStatus().GetTaskId().GetValue() != "waiting" {
			got[u.GetStatus().GetTaskId().GetValue()] = u.GetStatus()
		}
	}
	if st := got["going"]; st.GetState() != v1.TaskState_TASK_FAILED || !strings.Contains(st.GetMessage(), "status 7") {
		t.Errorf("got %v", st)
	}
	if st := got["killed"]; st.GetState() != v1.TaskState_TASK_KILLED || !strings.Contains(st.GetMessage(), "lost") {
		t.Errorf("got %v", st)
	}
	a.await("the container's end", func() bool { return l.f.gone(id) })
}

func TestReboot(t *testing.T) {
	l := leave(t)
	path := filepath.Join(l.work, "meta", "identity.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var id identity
	if err := json.Unmarshal(b, &id); err != nil {
		t.Fatal(err)
	}
	id.BootID = "another"
	if b, err = json.Marshal(id); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	a, s, _ := l.next()
	for range 4 {
		u := s.update()
		s.ack(u)
		st := u.GetStatus()
		if string(st.GetUuid()) == string(l.unread) {
			continue
		}
		want := v1.TaskState_TASK_LOST
		if st.GetTaskId().GetValue() == "killed" {
			want = v1.TaskState_TASK_KILLED
		}
		if st.GetState() != want || !strings.Contains(st.GetMessage(), "rebooted") {
			t.Errorf("got %v", st)
		}
	}
	a.await("the containers' end", func() bool { return l.f.left() == 0 })
}

func TestCleanup(t *testing.T) {
	l := leave(t)
	a := startAgentOn(t, l.m.addr, l.f, func(c *Config) {
		l.config(c)
		c.Recover, c.ExecutorShutdownGrace = RecoverCleanup, 10*time.Millisecond
	})
	if err := within(t, "the agent's end", a.ended); err != nil {
		t.Error(err)
	}
	a.cancel = nil
	if n := l.f.left(); n > 0 {
		t.Errorf("%d containers are left", n)
	}
}

func TestLessThanRuns(t *testing.T) {
	l := leave(t)
	a, err := newAgentOn(t, l.m.addr, l.f, func(c *Config) {
		l.config(c)
		c.Resources = "cpus:1;mem:1024;disk:100"
	})
	if err != nil {
		t.Fatal(err)
	}
	err = a.Run(t.Context())
	if !errors.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "task going of framework f1") {
		t.Errorf("got %v", err)
	}
	if n := l.f.left(); n != 3 {
		t.Errorf("%d of 3 containers are left", n)
	}
	// Enough for what runs is fine, and so are other attributes.
	_, _, states := l.next(func(c *Config) { c.Resources, c.Attributes = "cpus:2;mem:300;disk:100", "rack:r2" })
	if len(states) != 3 {
		t.Errorf("the next agent knows %v", states)
	}
}

func TestDamagedCheckpoint(t *testing.T) {
	l := leave(t)
	if err := os.WriteFile(journalPath(l.work), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newAgentOn(t, l.m.addr, l.f, l.config)
	if !errors.Is(err, errs.Corrupt) || !strings.Contains(err.Error(), "tasks.db") || !strings.Contains(err.Error(), "--strict=false") {
		t.Fatalf("got %v", err)
	}
	a, _, states := l.next(func(c *Config) { c.Strict = false })
	if len(states) > 0 {
		t.Errorf("the next agent knows %v", states)
	}
	a.await("the containers' end", func() bool { return l.f.left() == 0 })
	if aside, err := filepath.Glob(journalPath(l.work) + ".corrupt-*"); err != nil || len(aside) != 1 {
		t.Errorf("put aside: %v, %v", aside, err)
	}
}

// TestDiskThatTakesNothing: what can't be written down is not done, and is once
// it can.
func TestDiskThatTakesNothing(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	s.run("t1", "sleep")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	disk := a.loop.journal.disk
	full := func(n int) { a.do(func() { a.loop.journal.disk = &fullDisk{disk, n} }) }
	full(1 << 30)
	s.run("t2", "sleep")
	a.await("the trouble", func() bool {
		var failing bool
		a.do(func() { failing = a.loop.journal.failing })
		return failing
	})
	if n := a.containers.left(); n != 1 {
		t.Errorf("%d containers, one was written down", n)
	}
	full(0)
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
}

// fullDisk fails n commits.
type fullDisk struct {
	disk
	n int
}

func (d *fullDisk) Commit(c []checkpoint.Change) error {
	if d.n--; d.n >= 0 {
		return syscall.ENOSPC
	}
	return d.disk.Commit(c)
}

// do has f done by the loop.
func (r *running) do(f func()) {
	r.t.Helper()
	if _, err := ask(r.t.Context(), r.loop, func() bool { f(); return true }); err != nil {
		r.t.Fatal(err)
	}
}
