package agent

// Goal: containers that calls launch live as long as what is around them, and as
// long as nobody removes them; no agent loses one. Method: an agent over fake
// containers, its API over HTTP.

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/nested"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/isolator"
)

// containerID names the outermost first.
func containerID(parts ...string) (id *v1.ContainerID) {
	for _, p := range parts {
		id = &v1.ContainerID{Value: proto.String(p), Parent: id}
	}
	return id
}

// call makes a call of the operator API.
func (r *running) call(c *agent.Call) (int, *agent.Response) {
	r.t.Helper()
	body, err := proto.Marshal(c)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+r.Addr()+"/api/v1", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Accept", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	answer := &agent.Response{}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/x-protobuf" {
		r.t.Logf("%v: %d %s", c.GetType(), resp.StatusCode, out)
		return resp.StatusCode, answer
	}
	if err := proto.Unmarshal(out, answer); err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func (r *running) launchIn(command string, id ...string) int {
	r.t.Helper()
	status, _ := r.call(&agent.Call{Type: agent.Call_LAUNCH_CONTAINER.Enum(), LaunchContainer: &agent.Call_LaunchContainer{
		ContainerId: containerID(id...), Command: &v1.CommandInfo{Value: &command},
	}})
	return status
}

func (r *running) waitFor(id ...string) (int, *agent.Response_WaitContainer) {
	r.t.Helper()
	status, answer := r.call(&agent.Call{Type: agent.Call_WAIT_CONTAINER.Enum(), WaitContainer: &agent.Call_WaitContainer{ContainerId: containerID(id...)}})
	return status, answer.GetWaitContainer()
}

func (r *running) killIt(id ...string) int {
	r.t.Helper()
	status, _ := r.call(&agent.Call{Type: agent.Call_KILL_CONTAINER.Enum(), KillContainer: &agent.Call_KillContainer{ContainerId: containerID(id...)}})
	return status
}

func (r *running) removeIt(id ...string) int {
	r.t.Helper()
	status, _ := r.call(&agent.Call{Type: agent.Call_REMOVE_CONTAINER.Enum(), RemoveContainer: &agent.Call_RemoveContainer{ContainerId: containerID(id...)}})
	return status
}

// listed are the containers shown, nested and standalone ones too.
func (r *running) listed() string {
	r.t.Helper()
	_, answer := r.call(&agent.Call{Type: agent.Call_GET_CONTAINERS.Enum(), GetContainers: &agent.Call_GetContainers{ShowNested: proto.Bool(true), ShowStandalone: proto.Bool(true)}})
	var all []string
	for _, c := range answer.GetGetContainers().GetContainers() {
		all = append(all, nested.Path(c.GetContainerId()))
	}
	return strings.Join(all, " ")
}

// nameOf is what a container is held by.
func nameOf(id ...string) isolator.ID { return isolator.ID(nested.Name(containerID(id...))) }

func (f *fakeContainers) specOf(id isolator.ID) *fakeProcess {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[id]
}

// runningTask launches a task and returns its container.
func runningTask(a *running, s *masterStream, task ids.TaskID, command string) string {
	s.run(task, command)
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	return string(a.containers.of(string(task)))
}

func TestNestedContainer(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	task := runningTask(a, s, "t1", "sleep")
	if got := a.launchIn("sleep", task, "in"); got != 200 {
		t.Fatalf("launch: %d", got)
	}
	if got := a.launchIn("sleep", task, "in"); got != 202 {
		t.Errorf("launch again: %d, want 202", got)
	}
	if got := a.launchIn("sleep", task, "in", "deep"); got != 200 {
		t.Errorf("launch in a nested one: %d", got)
	}
	spec := a.containers.specOf(nameOf(task, "in")).spec
	if spec.Within != isolator.ID(task) || spec.Limits.MemLimitBytes != isolator.Unlimited || spec.Sandbox != filepath.Join(a.cfg.WorkDir, "nested", string(spec.ID)) ||
		strings.Contains(strings.Join(spec.Env, " "), "MESOS_TASK_ID") || !strings.Contains(strings.Join(spec.Env, " "), "MESOS_FRAMEWORK_ID=f1") || spec.User != "root" {
		t.Errorf("spec %+v", spec)
	}
	if got := a.listed(); got != task+" "+task+".in "+task+".in.deep" {
		t.Errorf("listed: %s", got)
	}
	a.until("/containers?show_nested=true", `"cpus_system_time_secs"`)
	if body, _ := a.get("/containers"); strings.Count(body, `"status"`) != 1 {
		t.Errorf("/containers shows nested ones unasked: %s", body)
	}
	if body, _ := a.get("/files/read?offset=0&path=" + spec.Sandbox + "/stdout"); !strings.Contains(body, "hello from sleep") {
		t.Errorf("its output: %s", body)
	}
	if got := a.removeIt(task, "in"); got != 409 {
		t.Errorf("remove what runs: %d, want 409", got)
	}
	if got := a.killIt(task, "in"); got != 200 {
		t.Errorf("kill: %d", got)
	}
	if status, end := a.waitFor(task, "in"); status != 200 || end.GetExitStatus() != 9 || !strings.Contains(end.GetMessage(), "SIGKILL") {
		t.Errorf("wait: %d %v", status, end)
	}
	a.await("the end of what was in it", func() bool { return a.containers.gone(nameOf(task, "in", "deep")) })
	if got := a.killIt(task, "in"); got != 200 {
		t.Errorf("kill what ended: %d", got)
	}
	if got := a.removeIt(task, "in"); got != 200 {
		t.Errorf("remove: %d", got)
	}
	if _, err := os.Stat(spec.Sandbox); !os.IsNotExist(err) {
		t.Errorf("its sandbox is left: %v", err)
	}
	if status, _ := a.waitFor(task, "in"); status != 404 {
		t.Errorf("wait for what is removed: %d, want 404", status)
	}
	if got := a.removeIt(task, "in"); got != 200 {
		t.Errorf("remove again: %d", got)
	}
	if got := a.launchIn("exit 3", task, "in"); got != 200 {
		t.Errorf("launch under the same id: %d", got)
	}
	if status, end := a.waitFor(task, "in"); status != 200 || end.GetExitStatus() != 3<<8 {
		t.Errorf("wait: %d %v", status, end)
	}
}

func TestNestedRefusals(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	task := runningTask(a, s, "t1", "sleep")
	for _, c := range []struct {
		name, command string
		id            []string
		status        int
	}{
		{"an unknown parent", "sleep", []string{"nobody", "x"}, 404},
		{"a path as id", "sleep", []string{"..", "x"}, 400},
		{"a path in it", "sleep", []string{task, "a/b"}, 400},
		{"no command", "", []string{"alone"}, 400},
		{"a command that does not start", "fail", []string{"alone"}, 404},
	} {
		if got := a.launchIn(c.command, c.id...); got != c.status {
			t.Errorf("%s: %d, want %d", c.name, got, c.status)
		}
	}
	for _, c := range []*agent.Call{
		{Type: agent.Call_LAUNCH_CONTAINER.Enum()}, {Type: agent.Call_WAIT_CONTAINER.Enum()}, {Type: agent.Call_KILL_CONTAINER.Enum()}, {Type: agent.Call_REMOVE_CONTAINER.Enum()},
		{Type: agent.Call_LAUNCH_NESTED_CONTAINER.Enum()}, {Type: agent.Call_WAIT_NESTED_CONTAINER.Enum()}, {Type: agent.Call_KILL_NESTED_CONTAINER.Enum()}, {Type: agent.Call_REMOVE_NESTED_CONTAINER.Enum()},
		{Type: agent.Call_LAUNCH_NESTED_CONTAINER.Enum(), LaunchNestedContainer: &agent.Call_LaunchNestedContainer{ContainerId: containerID("alone")}},
		{Type: agent.Call_KILL_CONTAINER.Enum(), KillContainer: &agent.Call_KillContainer{ContainerId: containerID(task), Signal: proto.Int32(-1)}},
	} {
		if status, _ := a.call(c); status != 400 {
			t.Errorf("%v: %d, want 400", c, status)
		}
	}
	if got := a.killIt("alone"); got != 404 {
		t.Errorf("kill what there is not: %d", got)
	}
	if got := a.listed(); got != task {
		t.Errorf("listed: %s", got)
	}
}

// TestNestedEndsWithItsParent: and whoever waits for it is told.
func TestNestedEndsWithItsParent(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	task := runningTask(a, s, "t1", "sleep")
	if got := a.launchIn("stubborn", task, "in"); got != 200 {
		t.Fatalf("launch: %d", got)
	}
	waited := make(chan int, 1)
	go func() {
		status, _ := a.waitFor(task, "in")
		waited <- status
	}()
	if status, _ := a.call(&agent.Call{Type: agent.Call_LAUNCH_NESTED_CONTAINER.Enum(), LaunchNestedContainer: &agent.Call_LaunchNestedContainer{
		ContainerId: containerID(task, "old"), Command: &v1.CommandInfo{Value: proto.String("sleep")},
	}}); status != 200 {
		t.Errorf("launch by the older call: %d", status)
	}
	launching := make(chan int, 1)
	go func() { launching <- a.launchIn("pull", task, "pulling") }()
	a.await("the launch", func() bool {
		names, _ := ask(t.Context(), a.loop, func() int { return len(a.loop.nested.All()) })
		return names == 3
	})
	s.kill("t1", 0)
	s.expect(v1.TaskState_TASK_KILLED)
	if status := within(t, "the answer to who waits", waited); status != 200 {
		t.Errorf("wait: %d", status)
	}
	if status := within(t, "the answer to who launches", launching); status < 400 {
		t.Errorf("launch: %d", status)
	}
	a.await("its end", func() bool { return a.containers.left() == 0 && a.listed() == "" })
	if got := a.launchIn("sleep", task, "late"); got != 404 {
		t.Errorf("launch in what is gone: %d", got)
	}
}

// TestNestedInGroup: what is in a group's own container is there as long as a task
// of the group.
func TestNestedInGroup(t *testing.T) {
	m, f, work := startMaster(t), newFakeContainers(), t.TempDir()
	start := func() *running {
		return startAgentOn(t, m.addr, f, func(c *Config) { c.WorkDir = work })
	}
	a := start()
	s := m.next()
	s.welcome("a1")
	one := runMessage("t1", "sleep").GetRunTask()
	s.send(&link.FromMaster{Message: &link.FromMaster_RunTaskGroup{RunTaskGroup: &link.RunTaskGroup{
		Framework: one.Framework, Group: &v1.TaskGroupInfo{Tasks: []*v1.TaskInfo{one.Task}},
		Executor: &v1.ExecutorInfo{Type: v1.ExecutorInfo_DEFAULT.Enum(), ExecutorId: ids.ExecutorID("pod").Proto(), FrameworkId: one.Framework.Id},
	}}})
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	group := string(a.containers.specOf(a.containers.of("t1")).spec.Group.ID)
	if got := a.launchIn("sleep", group, "side"); got != 200 {
		t.Fatalf("launch: %d", got)
	}
	if got := a.launchIn("sleep", group, string(a.containers.of("t1")), "side"); got != 200 {
		t.Errorf("launch in a task of it: %d", got)
	}
	spec := a.containers.specOf(nameOf(group, "side")).spec
	if spec.Group == nil || spec.Group.ID != isolator.ID(group) || !spec.Group.Guest || spec.Within != "" {
		t.Errorf("spec %+v", spec)
	}
	if got := a.launchIn("sleep", group+"."+string(f.of("t1"))); got != 200 { // another id, of the same look
		t.Errorf("launch standalone: %d", got)
	}
	if got := a.killIt(group + "." + string(f.of("t1"))); got != 200 {
		t.Errorf("kill: %d", got)
	}
	if got := a.launchIn("sleep", group, string(f.of("t1")), "other"); got != 200 {
		t.Errorf("launch in the task whose id looks the same: %d", got)
	}

	// The next agent goes on with it: the group's tasks run.
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	a = start()
	s = m.next()
	s.welcome("a1")
	if got := a.launchIn("sleep", group, "side"); got != 202 || f.gone(nameOf(group, "side")) {
		t.Errorf("after a restart: %d, want 202; gone: %t", got, f.gone(nameOf(group, "side")))
	}
	s.kill("t1", 0)
	s.expect(v1.TaskState_TASK_KILLED)
	a.await("its end", func() bool { return a.containers.left() == 0 && a.listed() == "" })
}

// TestNestedOutliveTheirAgent: the next one goes on with what runs, knows how the
// rest ended, and forgets what was in what is gone.
func TestNestedOutliveTheirAgent(t *testing.T) {
	l := leave(t)
	a, _, _ := l.next()
	going, killed := string(l.f.of("going")), string(l.f.of("killed"))
	for _, id := range [][]string{{going, "runs"}, {going, "runs", "deep"}, {going, "lost"}, {killed, "with it"}, {"alone"}, {"ends"}} {
		command := "sleep"
		if id[0] == "ends" {
			command = "exit 1"
		}
		if got := a.launchIn(command, id...); got != 200 {
			t.Fatalf("launch %v: %d", id, got)
		}
	}
	if status, end := a.waitFor("ends"); status != 200 || end.GetExitStatus() != 1<<8 {
		t.Errorf("wait: %d %v", status, end)
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	l.f.mu.Lock()
	delete(l.f.running, nameOf(going, "lost"))
	l.f.mu.Unlock()

	a, s, _ := l.next()
	s.ack(s.update())
	if got, want := a.listed(), strings.Join([]string{going, killed}, " "); !strings.Contains(got, going+".runs "+going+".runs.deep") || !strings.Contains(got, "alone") {
		t.Errorf("listed: %s, want %s and what is in them", got, want)
	}
	if status, end := a.waitFor("ends"); status != 200 || end.GetExitStatus() != 1<<8 {
		t.Errorf("wait for what ended before: %d %v", status, end)
	}
	if status, end := a.waitFor(going, "lost"); status != 200 || end.ExitStatus != nil || end.GetMessage() == "" {
		t.Errorf("wait for what was lost: %d %v", status, end)
	}
	if got := a.launchIn("sleep", "alone"); got != 202 {
		t.Errorf("launch what runs: %d, want 202", got)
	}
	if got := a.killIt("alone"); got != 200 {
		t.Errorf("kill: %d", got)
	}
	if status, end := a.waitFor("alone"); status != 200 || end.GetExitStatus() != 9 {
		t.Errorf("wait: %d %v", status, end)
	}
	if got := a.removeIt("alone"); got != 200 {
		t.Errorf("remove: %d", got)
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}

	// The task that one is in is gone.
	l.f.mu.Lock()
	delete(l.f.running, isolator.ID(killed))
	l.f.mu.Unlock()
	a, s, _ = l.next()
	for s.update().GetStatus().GetTaskId().GetValue() != "killed" {
	}
	a.await("the end of what was in it", func() bool { return l.f.gone(nameOf(killed, "with it")) })
	if status, _ := a.waitFor("alone"); status != 404 {
		t.Errorf("wait for what was removed: %d", status)
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}

	// Nothing outlives an agent that ends all.
	a = startAgentOn(t, l.m.addr, l.f, func(c *Config) {
		l.config(c)
		c.Recover = RecoverCleanup
	})
	if got := a.launchIn("sleep", "last"); got != 200 && got != 503 {
		t.Errorf("launch: %d", got)
	}
	if err := within(t, "the agent's end", a.ended); err != nil {
		t.Errorf("cleanup: %v", err)
	}
	if l.f.left() > 0 {
		t.Errorf("%d containers are left", l.f.left())
	}
	a.cancel = nil
}
