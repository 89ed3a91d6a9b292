package agent

// Goal: the whole shell does what the core wants: over a real gRPC stream and a
// real HTTP port on loopback, with containers that are played. Method: the test
// is the master; every wait is for a message or an answer, with a deadline.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/labels"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
	"mezzo/election"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// running is an agent under test.
type running struct {
	*Agent
	t          *testing.T
	containers *fakeContainers
	cancel     context.CancelFunc
	ended      chan error
}

// startAgent runs an agent of the masters named, until the test ends.
func startAgent(t *testing.T, masters string, change func(*Config), containers ...func(*fakeContainers)) *running {
	t.Helper()
	f := newFakeContainers()
	f.orphans = []isolator.ID{"orphan"}
	for _, change := range containers {
		change(f)
	}
	return startAgentOn(t, masters, f, change)
}

// startAgentOn runs an agent that finds f as an earlier one left it.
func startAgentOn(t *testing.T, masters string, f *fakeContainers, change func(*Config)) *running {
	t.Helper()
	r, err := newAgentOn(t, masters, f, change)
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	return r
}

func newAgentOn(t *testing.T, masters string, f *fakeContainers, change func(*Config)) (*running, error) {
	t.Helper()
	det, err := election.Parse(masters)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		IP: "127.0.0.1", Hostname: "host", WorkDir: t.TempDir(), Resources: "cpus:4;mem:1024;disk:100", Attributes: "rack:r1",
		UsageInterval: 10 * time.Millisecond, RegistrationBackoffFactor: time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	cfg.SetDefaults()
	r := &running{t: t, containers: f, ended: make(chan error, 1)}
	r.Agent, err = New(t.Context(), cfg, Deps{
		Log: testLog(t), Containers: r.containers, Detector: det, Flags: map[string]string{"work_dir": cfg.WorkDir},
		Version: &v1.VersionInfo{Version: proto.String("1.2.3")},
	})
	return r, err
}

func (r *running) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.Run(ctx) }()
	r.t.Cleanup(func() { r.stop() })
}

// stop ends the agent and returns what Run did. Only the first call counts.
func (r *running) stop() error {
	r.t.Helper()
	if r.cancel == nil {
		return nil
	}
	r.cancel()
	r.cancel = nil
	return within(r.t, "the agent's end", r.ended)
}

// get returns the body of an answer and its status.
func (r *running) get(path string) (string, int) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.Addr() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(body), resp.StatusCode
}

func TestTaskFromOfferToAcknowledgedEnd(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	h := s.welcome("a1")
	if h.GetAgent().Id != nil || h.GetAgent().GetHostname() != "host" || h.GetAddress() != a.Addr() || h.GetVersion() != "1.2.3" ||
		len(h.GetTasks()) > 0 || h.GetAgent().GetAttributes()[0].GetName() != "rack" || len(h.GetAgent().GetResources()) != 4 {
		t.Errorf("hello %v", h)
	}
	s.send(ping())
	for within(t, "a Pong", s.in).GetPong() == nil {
	}
	s.run("t1", "sleep")
	starting := s.expect(v1.TaskState_TASK_STARTING)
	if starting.GetExecutorId().GetValue() != "t1" || starting.GetAgentId().GetValue() != "a1" || len(starting.GetUuid()) != 16 {
		t.Errorf("status %v", starting)
	}
	if got := s.expect(v1.TaskState_TASK_RUNNING); got.GetContainerStatus().GetExecutorPid() != 42 {
		t.Errorf("status %v", got)
	}
	u := s.usage()
	c := u.GetContainers()[0]
	if c.GetTaskId().GetValue() != "t1" || c.GetFrameworkId().GetValue() != "f1" || c.GetCpu().GetLimitCpus() != 0.5 ||
		c.GetMemory().GetLimitBytes() != 64<<20 || c.GetMemory().GetAnonBytes() != 1024 || u.GetNode().GetMemory().GetLimitBytes() == 0 {
		t.Errorf("usage %v", u)
	}
	s.kill("t1", 3*time.Second)
	if got := s.expect(v1.TaskState_TASK_KILLED); got.GetMessage() != "Command exited with status 143 (SIGTERM)" {
		t.Errorf("status %v", got)
	}
	// Completed once the container is gone and the end acknowledged.
	a.until("/state", `"completed_frameworks":[{`)
	if a.containers.left() > 0 || !a.containers.past["orphan"] {
		t.Error("containers are left")
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
}

// until asks until the answer has part in it.
func (r *running) until(path, part string) {
	r.t.Helper()
	r.await(fmt.Sprintf("%s with %q in it", path, part), func() bool {
		body, _ := r.get(path)
		return strings.Contains(body, part)
	})
}

// await waits until ok.
func (r *running) await(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("%s did not come", what)
		}
	}
}

// TestShortTask: what it used is told although no sweep ever met it.
func TestShortTask(t *testing.T) {
	m := startMaster(t)
	startAgent(t, m.addr, func(c *Config) { c.UsageInterval = time.Hour })
	s := m.next()
	s.welcome("a1")
	s.run("t1", "exit 3")
	var used []*usage.ContainerUsage
	var states []v1.TaskState
	var end *v1.TaskStatus
	for len(used) == 0 || len(states) < 3 {
		switch m := within(t, "usage or an update", s.in).GetMessage().(type) {
		case *link.FromAgent_Usage:
			used = append(used, m.Usage.GetContainers()...)
		case *link.FromAgent_StatusUpdate:
			s.ack(m.StatusUpdate)
			end = m.StatusUpdate.GetStatus()
			states = append(states, end.GetState())
		}
	}
	if len(used) != 1 || used[0].GetCpu().GetUsageMicros() != 1e6 {
		t.Errorf("usage %v", used)
	}
	if want := []v1.TaskState{v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_FAILED}; !slices.Equal(states, want) {
		t.Errorf("states %v", states)
	}
	if code, ok := labels.ExitCodeOf(end.GetLabels()); !ok || code != 3 {
		t.Errorf("status %v", end)
	}
}

func TestKillWithoutMercy(t *testing.T) {
	m := startMaster(t)
	startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	s.run("t1", "stubborn")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	const grace = 50 * time.Millisecond
	began := time.Now()
	s.kill("t1", grace)
	got := s.expect(v1.TaskState_TASK_KILLED)
	if got.GetMessage() != "Command exited with status 137 (SIGKILL)" || time.Since(began) < grace {
		t.Errorf("after %v: %v", time.Since(began), got)
	}
}

// TestKillWithoutContainerd: a containerd that is not there for a moment does not
// cost the task its grace.
func TestKillWithoutContainerd(t *testing.T) {
	m := startMaster(t)
	startAgent(t, m.addr, nil, func(f *fakeContainers) { f.deaf = 1 })
	s := m.next()
	s.welcome("a1")
	s.run("t1", "sleep")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	s.kill("t1", time.Minute)
	if got := s.expect(v1.TaskState_TASK_KILLED); got.GetMessage() != "Command exited with status 143 (SIGTERM)" {
		t.Errorf("status %v", got)
	}
}

// TestContainerThatResists: it is not waited for, and not forgotten.
func TestContainerThatResists(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil, func(f *fakeContainers) { f.resist = destroyTries })
	s := m.next() // after the orphan resisted
	s.welcome("a1")
	a.await("the orphan's removal", func() bool { return a.containers.gone("orphan") })
	a.containers.mu.Lock()
	a.containers.resist = destroyTries
	a.containers.mu.Unlock()
	s.run("t1", "exit 0")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	s.expect(v1.TaskState_TASK_FINISHED)
	a.until("/metrics/snapshot", `"containerizer/mesos/container_destroy_errors":1`)
	a.await("the container's removal", func() bool { return a.containers.left() == 0 })
}

// TestLostLaunch: when containerd goes away under a launch, it can't clean up
// after itself either.
func TestLostLaunch(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	a.containers.mu.Lock()
	a.containers.resist = 1
	a.containers.mu.Unlock()
	s.run("t1", "lose")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_FAILED)
	a.await("the container's removal", func() bool { return a.containers.left() == 0 })
}

// TestLargeTask: a task may be as large as a scheduler's call.
func TestLargeTask(t *testing.T) {
	m := startMaster(t)
	startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	s.run("t1", "exit 0 "+strings.Repeat("x", 8<<20))
	s.expect(v1.TaskState_TASK_STARTING)
}

func TestKillDuringPull(t *testing.T) {
	m := startMaster(t)
	startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	s.run("t1", "pull")
	s.expect(v1.TaskState_TASK_STARTING)
	s.kill("t1", time.Minute)
	if got := s.expect(v1.TaskState_TASK_KILLED); got.GetReason() != v1.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH {
		t.Errorf("status %v", got)
	}
}

func TestTasksThatCannotRun(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	s.run("t1", "fail")
	s.expect(v1.TaskState_TASK_STARTING)
	got := s.expect(v1.TaskState_TASK_FAILED)
	if got.GetReason() != v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(got.GetMessage(), `command "fail"`) {
		t.Errorf("status %v", got)
	}
	s.run("t2", "")
	if got := s.expect(v1.TaskState_TASK_ERROR); !strings.Contains(got.GetMessage(), "command.value is missing") {
		t.Errorf("status %v", got)
	}
	// A work_dir that cannot be written fails the task, not the agent.
	if err := os.RemoveAll(filepath.Join(a.cfg.WorkDir, "slaves")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.cfg.WorkDir, "slaves"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.run("t3", "sleep")
	s.expect(v1.TaskState_TASK_STARTING)
	if got := s.expect(v1.TaskState_TASK_FAILED); !strings.Contains(got.GetMessage(), "make sandbox") {
		t.Errorf("status %v", got)
	}
	// Nonsense from the master is survived.
	s.send(&link.FromMaster{})
	s.send(&link.FromMaster{Message: &link.FromMaster_RunTask{RunTask: &link.RunTask{}}})
	s.send(ping())
	for within(t, "a Pong", s.in).GetPong() == nil {
	}
}

// TestNothingIsLostWithTheStream: updates wait for the next stream and go out
// in order until each is acknowledged; the agent keeps its id.
func TestNothingIsLostWithTheStream(t *testing.T) {
	m := startMaster(t)
	startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	s.run("t1", "sleep")
	first := s.update() // not acknowledged
	s.end()

	s = m.next()
	h := s.welcome("a1")
	if h.GetAgent().GetId().GetValue() != "a1" || len(h.GetTasks()) != 1 || len(h.GetFrameworks()) != 1 {
		t.Errorf("hello %v", h)
	}
	again := s.update()
	if !proto.Equal(again.GetStatus(), first.GetStatus()) {
		t.Errorf("sent again as %v, was %v", again, first)
	}
	s.ack(again)
	running := s.update()
	s.kill("t1", time.Second)
	s.end() // whether or not the kill came through
	s = m.next()
	s.welcome("a1")
	if got := s.update(); string(got.GetStatus().GetUuid()) != string(running.GetStatus().GetUuid()) {
		t.Errorf("sent %v before %v was acknowledged", got, running)
	} else {
		s.ack(got)
	}
	s.kill("t1", time.Second)
	s.expect(v1.TaskState_TASK_KILLED)
}

func TestDestroyOnExit(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, func(c *Config) {
		c.DestroyOnExit = true
		c.ExecutorShutdownGrace = 20 * time.Millisecond
	})
	s := m.next()
	s.welcome("a1")
	s.run("t1", "stubborn")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	s.run("t2", "pull")
	s.expect(v1.TaskState_TASK_STARTING)
	a.cancel()
	for range 2 { // a master that listens is told
		if got := s.expect(v1.TaskState_TASK_KILLED); !strings.HasPrefix(got.GetMessage(), "The agent shuts down; ") {
			t.Errorf("status %v", got)
		}
	}
	if err := within(t, "the agent's end", a.ended); err != nil {
		t.Error(err)
	}
	a.cancel = nil
	if a.containers.left() > 0 {
		t.Error("containers are left")
	}
}

func TestMasterShutsTheAgentDown(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	s.run("t1", "sleep")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	s.send(&link.FromMaster{Message: &link.FromMaster_Shutdown{Shutdown: &link.Shutdown{Message: "marked gone"}}})
	err := within(t, "the agent's end", a.ended)
	a.cancel = nil
	if !errors.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "marked gone") {
		t.Errorf("Run = %v", err)
	}
	if a.containers.left() > 0 {
		t.Error("containers are left")
	}
	h, err := openHome(a.cfg.WorkDir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if id, err := h.load(); err != nil || id.AgentID != "" {
		t.Errorf("it will come back as %v, %v", id, err)
	}
}

func TestNewRefusesWhatIsInUse(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	cfg := Config{IP: "127.0.0.1", Port: busy.Addr().(*net.TCPAddr).Port, WorkDir: t.TempDir()}
	cfg.SetDefaults()
	d := Deps{Log: testLog(t)}
	if _, err := New(t.Context(), cfg, d); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a busy port: %v", err)
	}
	for name, c := range map[string]Config{
		"resources":  {Resources: "cpus:x"},
		"attributes": {Attributes: "x"},
		"work_dir":   {WorkDir: "relative"},
	} {
		c.IP, c.Hostname = "127.0.0.1", "h"
		if c.WorkDir == "" {
			c.WorkDir = t.TempDir()
		}
		c.SetDefaults()
		if _, err := New(t.Context(), c, d); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nothing was kept.
	cfg.Port = 0
	a, err := New(t.Context(), cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.listener.Close(), a.home.close()); err != nil {
		t.Error(err)
	}
}

func TestFilesOfATask(t *testing.T) {
	m := startMaster(t)
	a := startAgent(t, m.addr, nil)
	s := m.next()
	s.welcome("a1")
	s.run("t1", "sleep")
	s.expect(v1.TaskState_TASK_STARTING)
	s.expect(v1.TaskState_TASK_RUNNING)
	body, _ := a.get("/slave(1)/state.json")
	var state struct {
		Frameworks []struct {
			Executors []struct{ ID, Directory string }
		}
	}
	if err := json.Unmarshal([]byte(body), &state); err != nil {
		t.Fatal(err)
	}
	e := state.Frameworks[0].Executors[0]
	secret := filepath.Join(a.cfg.WorkDir, "meta", "identity.json")
	if err := os.Symlink(secret, filepath.Join(e.Directory, "link")); err != nil {
		t.Fatal(err)
	}
	const content = "hello from sleep\n"
	latest := filepath.Join(filepath.Dir(e.Directory), "latest")
	for _, tc := range []struct {
		path, query string
		status      int
		has         string
	}{
		{"/files/read", "path=" + e.Directory + "/stdout&offset=0", 200, `{"data":"hello from sleep\n","offset":0}`},
		{"/files/read.json", "path=" + e.Directory + "/stdout&offset=6&length=4", 200, `{"data":"from","offset":6}`},
		{"/slave(1)/files/read", "path=" + e.Directory + "/stdout", 200, `{"data":"","offset":17}`},
		{"/files/read", "path=" + e.Directory + "/stdout&offset=-1", 200, `{"data":"","offset":17}`},
		{"/files/read", "path=" + latest + "/stdout&offset=0", 200, "from sleep"},
		{"/files/read", "path=/frameworks/f1/executors/t1/runs/latest/stdout&offset=0", 200, "from sleep"},
		{"/files/read", "jsonp=cb&path=" + e.Directory + "/stdout", 200, `cb({"data":"","offset":17});`},
		{"/files/download", "path=" + e.Directory + "/stdout", 200, content},
		{"/files/browse", "path=" + e.Directory, 200, `"mode":"-rw-r--r--"`},
		{"/files/browse.json", "path=" + e.Directory + "/", 200, `"size":17`},

		{"/files/read", "", 400, "path"},
		{"/files/read", "path=" + e.Directory, 400, "not a regular file"},
		{"/files/read", "path=" + e.Directory + "/stdout&offset=x", 400, "offset"},
		{"/files/read", "path=" + e.Directory + "/stdout&offset=-2", 400, "offset"},
		{"/files/read", "path=" + e.Directory + "/stdout&length=-2", 400, "length"},
		{"/files/read", "path=" + e.Directory + "/stdout&length=99999999999999999999", 400, "length"},
		{"/files/read", "jsonp=alert(1)&path=" + e.Directory + "/stdout", 400, "jsonp"},
		{"/files/read", "path=" + e.Directory + "/none", 404, "not found"},
		{"/files/browse", "path=" + e.Directory + "/none", 404, "not found"},
		{"/files/download", "path=" + e.Directory + "/none", 404, "not found"},
		{"/files/download", "path=" + e.Directory, 400, "not a regular file"},

		{"/files/read", "path=" + secret + "&offset=0", 404, "no sandbox"},
		{"/files/read", "path=" + e.Directory + "/link&offset=0", 400, "invalid"},
		{"/files/download", "path=" + e.Directory + "/link", 400, "invalid"},
		{"/files/read", "path=" + e.Directory + "/../../../../../../../../meta/identity.json&offset=0", 404, "no sandbox"},
		{"/files/read", "path=" + e.Directory + url.QueryEscape("x/stdout") + "&offset=0", 404, "no sandbox"},
		{"/files/browse", "path=" + a.cfg.WorkDir, 404, "no sandbox"},
		{"/files/browse", "path=/", 404, "no sandbox"},
	} {
		body, status := a.get(tc.path + "?" + tc.query)
		if status != tc.status || !strings.Contains(body, tc.has) || strings.Contains(body, `agent_id":"a1"`) {
			t.Errorf("%s?%s: %d %q, want %d with %q", tc.path, tc.query, status, body, tc.status, tc.has)
		}
	}
	s.kill("t1", 0)
	s.expect(v1.TaskState_TASK_KILLED)
	a.until("/state", `"completed_frameworks":[{`)
	if body, status := a.get("/files/read?offset=0&path=" + e.Directory + "/stdout"); status != 200 || !strings.Contains(body, "from sleep") {
		t.Errorf("after the end: %d %q", status, body)
	}
}
