package failover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/election"
	"mezzo/images/imagetest"
	"mezzo/scheduler"
	"mezzo/test/native"
)

// site is a master, an agent that can be killed, and a framework at hand.
type site struct {
	t      *testing.T
	master string
	at     string // of the agent
	agent  *process
	work   string
	image  string
	client *scheduler.Client

	mu         sync.Mutex
	offers     []*v1.Offer
	statuses   map[string][]*v1.TaskStatus
	messages   []string
	failures   []*wire.Event_Failure
	operations map[string][]*v1.OperationStatus
}

func newSite(t *testing.T, change ...func(*v1.FrameworkInfo)) *site {
	t.Helper()
	if os.Getuid() != 0 {
		native.Skip(t, "containerd needs root")
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		native.Skip(t, "containerd is not installed")
	}
	dir, err := os.MkdirTemp("", "mezzo") // short: a unix socket's path must fit 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &site{t: t, work: dir + "/a", image: "file://" + filepath.Join(dir, "busybox.tar"), statuses: map[string][]*v1.TaskStatus{}, operations: map[string][]*v1.OperationStatus{}}
	if err := imagetest.WriteBusybox(filepath.Join(dir, "busybox.tar"), imagetest.Options{}); err != nil {
		t.Fatal(err)
	}
	addr := addresses(t, 1)
	launchMasters(t, addr).leader()
	s.master = addr[0]
	s.at = addresses(t, 1)[0]
	s.agent = launch(t, "agent", "--ip=127.0.0.1", "--port="+strings.Split(s.at, ":")[1], "--master="+addr[0], "--work_dir="+s.work,
		"--isolation=none", "--containerd=private", "--resources=cpus:8;mem:4096", "--registration_backoff_factor=50ms",
		"--executor_registration_timeout=5secs", "--executor_shutdown_grace_period=2secs")
	t.Cleanup(func() { endContainerd(t, s.agent, s.work) })
	s.subscribe(change...)
	return s
}

func (s *site) subscribe(change ...func(*v1.FrameworkInfo)) {
	s.t.Helper()
	detector, err := election.Parse(s.master)
	if err != nil {
		s.t.Fatal(err)
	}
	info := &v1.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("own"), FailoverTimeout: proto.Float64(3600),
		Capabilities: []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()}},
	}
	for _, f := range change {
		f(info)
	}
	s.client, err = scheduler.New(scheduler.Config{
		Master: detector, MinBackoff: 50 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, Framework: info,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.client.Run(ctx, scheduler.Handler{
			Offers: func(_ context.Context, o []*v1.Offer) error {
				s.note(func() { s.offers = append(s.offers, o...) })
				return nil
			},
			Rescind: func(_ context.Context, id *v1.OfferID) error {
				s.note(func() {
					s.offers = slices.DeleteFunc(s.offers, func(o *v1.Offer) bool { return o.GetId().GetValue() == id.GetValue() })
				})
				return nil
			},
			Update: func(_ context.Context, st *v1.TaskStatus) error {
				id := st.GetTaskId().GetValue()
				s.note(func() { s.statuses[id] = append(s.statuses[id], st) })
				return nil
			},
			OperationUpdate: func(_ context.Context, st *v1.OperationStatus) error {
				id := st.GetOperationId().GetValue()
				s.note(func() { s.operations[id] = append(s.operations[id], st) })
				return nil
			},
			Message: func(_ context.Context, m *wire.Event_Message) error {
				s.note(func() { s.messages = append(s.messages, string(m.GetData())) })
				return nil
			},
			Failure: func(_ context.Context, f *wire.Event_Failure) error {
				s.note(func() { s.failures = append(s.failures, f) })
				return nil
			},
		})
	}()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Errorf("the framework ended: %v", err)
		}
	})
}

func (s *site) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// accept launches by all offers together: one alone may hold no more than what a
// task has just left.
func (s *site) accept(make func(o *v1.Offer) *v1.Offer_Operation) {
	s.t.Helper()
	var offers []*v1.Offer
	until(s.t, "offers of a CPU and more", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		var cpus float64
		for _, o := range s.offers {
			for _, r := range o.GetResources() {
				if r.GetName() == "cpus" {
					cpus += r.GetScalar().GetValue()
				}
			}
		}
		if cpus < 1 {
			return false
		}
		offers, s.offers = s.offers, nil
		return true
	})
	if err := s.client.Accept(s.t.Context(), offers, []*v1.Offer_Operation{make(offers[0])}, &v1.Filters{RefuseSeconds: proto.Float64(0)}); err != nil {
		s.t.Fatal(err)
	}
}

func scalar(name string, v float64) *v1.Resource {
	return &v1.Resource{Name: &name, Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: &v}}
}

// is waits until a task is in a state, and returns the status.
func (s *site) is(id string, state v1.TaskState) (last *v1.TaskStatus) {
	s.t.Helper()
	until(s.t, fmt.Sprintf("%s is %s", id, state), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if all := s.statuses[id]; len(all) > 0 {
			last = all[len(all)-1]
		}
		return last.GetState() == state && last != nil
	})
	return last
}

// program builds the executor in testdata.
func program(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", path, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// TestExecutor: goal, that a framework's own executor runs tasks, is told and
// tells, survives the agent, and ends with its word or without; method, a real one
// on package executor.
func TestExecutor(t *testing.T) {
	s := newSite(t)
	tryExecutor(t, s, program(t, "runner"))
}

func tryExecutor(t *testing.T, s *site, path string) {
	own := &v1.ExecutorInfo{
		ExecutorId: &v1.ExecutorID{Value: proto.String("own")}, Type: v1.ExecutorInfo_CUSTOM.Enum(), Name: proto.String("own executor"),
		Command:   &v1.CommandInfo{Value: proto.String("exec " + path)},
		Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
	}
	launchTasks := func(x *v1.ExecutorInfo, tasks map[string]string) {
		s.accept(func(o *v1.Offer) *v1.Offer_Operation {
			op := &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{}}
			for id, data := range tasks {
				op.Launch.TaskInfos = append(op.Launch.TaskInfos, &v1.TaskInfo{
					Name: &id, TaskId: &v1.TaskID{Value: &id}, AgentId: o.GetAgentId(), Executor: x, Data: []byte(data),
					Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
				})
			}
			return op
		})
	}
	launchTasks(own, map[string]string{"quick": "exit 0", "bad": "exit 3", "long": "sleep 1000", "victim": "sleep 1000"})
	s.is("quick", v1.TaskState_TASK_FINISHED)
	s.is("bad", v1.TaskState_TASK_FAILED)
	st := s.is("long", v1.TaskState_TASK_RUNNING)
	s.is("victim", v1.TaskState_TASK_RUNNING)
	if st.GetExecutorId().GetValue() != "own" || st.GetSource() != v1.TaskStatus_SOURCE_EXECUTOR || st.GetContainerStatus().GetContainerId() == nil {
		t.Errorf("status %v", st)
	}
	agentID := st.GetAgentId()
	var there []struct {
		Executor  string `json:"executor_id"`
		Container string `json:"container_id"`
	}
	if code := get(s.at, "/containers", &there); code != 200 || len(there) != 1 || there[0].Executor != "own" || there[0].Container != st.GetContainerStatus().GetContainerId().GetValue() {
		t.Errorf("/containers: %d, %v", code, there)
	}

	if err := s.client.Message(t.Context(), own.ExecutorId, agentID, []byte("how many")); err != nil {
		t.Fatal(err)
	}
	said := func(text string) func() bool {
		return func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.messages) > 0 && s.messages[len(s.messages)-1] == text
		}
	}
	until(t, "an answer", said("how many 2"))
	if err := s.client.Kill(t.Context(), &v1.TaskID{Value: proto.String("victim")}, agentID, nil); err != nil {
		t.Fatal(err)
	}
	s.is("victim", v1.TaskState_TASK_KILLED)

	// The agent dies; what ends meanwhile is told when it is back.
	launchTasks(own, map[string]string{"meanwhile": "sleep 1; exit 0"})
	s.is("meanwhile", v1.TaskState_TASK_RUNNING)
	s.agent.kill()
	<-time.After(1500 * time.Millisecond) // longer than that task
	s.agent.start()
	s.is("meanwhile", v1.TaskState_TASK_FINISHED)
	launchTasks(own, map[string]string{"after": "exit 0"})
	s.is("after", v1.TaskState_TASK_FINISHED)
	s.is("long", v1.TaskState_TASK_RUNNING)

	// It is ended by its framework; another takes its place.
	if err := s.client.Shutdown(t.Context(), own.ExecutorId, agentID); err != nil {
		t.Fatal(err)
	}
	s.is("long", v1.TaskState_TASK_KILLED)
	until(t, "its exit is told", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.failures) > 0 && s.failures[len(s.failures)-1].GetExecutorId().GetValue() == "own" && s.failures[len(s.failures)-1].GetStatus() == 0
	})
	launchTasks(own, map[string]string{"again": "sleep 1000"})
	s.is("again", v1.TaskState_TASK_RUNNING)
	if out, err := exec.Command("pkill", "-9", "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if st := s.is("again", v1.TaskState_TASK_FAILED); st.GetReason() != v1.TaskStatus_REASON_EXECUTOR_TERMINATED || !strings.Contains(st.GetMessage(), "SIGKILL") {
		t.Errorf("after its executor was killed: %v", st)
	}

	// Those that never say a word, or don't start, are given up.
	mute := proto.CloneOf(own)
	mute.ExecutorId, mute.Command = &v1.ExecutorID{Value: proto.String("mute")}, &v1.CommandInfo{Value: proto.String("sleep 1000")}
	launchTasks(mute, map[string]string{"unheard": "true"})
	if st := s.is("unheard", v1.TaskState_TASK_FAILED); st.GetReason() != v1.TaskStatus_REASON_EXECUTOR_REGISTRATION_TIMEOUT {
		t.Errorf("of a mute executor: %v", st)
	}
	none := proto.CloneOf(own)
	none.ExecutorId, none.Command = &v1.ExecutorID{Value: proto.String("none")}, &v1.CommandInfo{Shell: proto.Bool(false), Value: proto.String("/none")}
	launchTasks(none, map[string]string{"unstarted": "true"})
	if st := s.is("unstarted", v1.TaskState_TASK_FAILED); st.GetReason() != v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED {
		t.Errorf("of an executor that does not start: %v", st)
	}
	until(t, "no container is left", func() bool { return len(shims(s.work)) == 0 })
}

// TestGroup: goal, that the tasks of a group share what they share, and end
// together; method, real containers, and an agent that dies on the way.
func TestGroup(t *testing.T) {
	s := newSite(t)
	launchGroup := func(executor string, tasks map[string]string) {
		s.accept(func(o *v1.Offer) *v1.Offer_Operation {
			group := &v1.TaskGroupInfo{}
			for id, command := range tasks {
				group.Tasks = append(group.Tasks, &v1.TaskInfo{
					Name: &id, TaskId: &v1.TaskID{Value: &id}, AgentId: o.GetAgentId(), Command: &v1.CommandInfo{Value: &command},
					Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
					Container: &v1.ContainerInfo{
						Type: v1.ContainerInfo_MESOS.Enum(),
						Mesos: &v1.ContainerInfo_MesosInfo{Image: &v1.Image{
							Type: v1.Image_DOCKER.Enum(), Docker: &v1.Image_Docker{Name: &s.image},
						}},
						Volumes: []*v1.Volume{{
							ContainerPath: proto.String("/shared"), Mode: v1.Volume_RW.Enum(),
							Source: &v1.Volume_Source{Type: v1.Volume_Source_SANDBOX_PATH.Enum(), SandboxPath: &v1.Volume_Source_SandboxPath{
								Type: v1.Volume_Source_SandboxPath_PARENT.Enum(), Path: proto.String("data"),
							}},
						}},
					},
				})
			}
			return &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &v1.Offer_Operation_LaunchGroup{
				Executor: &v1.ExecutorInfo{
					Type: v1.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &v1.ExecutorID{Value: &executor},
					Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
				},
				TaskGroup: group,
			}}
		})
	}
	launchGroup("pod", map[string]string{
		"writer": "echo hello > /shared/file; sleep 1000",
		"reader": "until grep -q hello /shared/file; do sleep 0.1; done; touch /shared/seen; sleep 1000",
		"both":   "until test -e /shared/seen; do sleep 0.1; done; exit 0",
	})
	st := s.is("both", v1.TaskState_TASK_FINISHED) // which ends nobody else
	if id := st.GetContainerStatus().GetContainerId(); st.GetExecutorId().GetValue() != "pod" || id.GetParent() == nil {
		t.Errorf("status %v", st)
	}
	launchGroup("pod", map[string]string{"other": "sleep 1000"})
	for _, id := range []string{"writer", "reader", "other"} {
		s.is(id, v1.TaskState_TASK_RUNNING)
	}
	s.agent.kill()
	s.agent.start()
	if err := s.client.Kill(t.Context(), &v1.TaskID{Value: proto.String("writer")}, st.GetAgentId(), nil); err != nil {
		t.Fatal(err)
	}
	s.is("writer", v1.TaskState_TASK_KILLED)
	if st := s.is("reader", v1.TaskState_TASK_KILLED); !strings.Contains(st.GetMessage(), `"writer"`) {
		t.Errorf("the other of the group: %v", st)
	}
	s.is("other", v1.TaskState_TASK_RUNNING)
	launchGroup("second", map[string]string{"fails": "sleep 0.3; exit 4", "innocent": "sleep 1000"})
	s.is("fails", v1.TaskState_TASK_FAILED)
	s.is("innocent", v1.TaskState_TASK_KILLED)
	launchGroup("third", map[string]string{"fine": "sleep 1000", "unstartable": "exec /none"})
	s.is("unstartable", v1.TaskState_TASK_FAILED)
	s.is("fine", v1.TaskState_TASK_KILLED)
	if err := s.client.Shutdown(t.Context(), &v1.ExecutorID{Value: proto.String("pod")}, st.GetAgentId()); err != nil {
		t.Fatal(err)
	}
	s.is("other", v1.TaskState_TASK_KILLED)
	until(t, "no container is left", func() bool { return len(shims(s.work)) == 0 })
}

// gocode is the GOPATH of Debian's Go packages.
const gocode = "/usr/share/gocode"

// TestMesosGoExecutor: the same with an executor that nobody here wrote the
// library of.
func TestMesosGoExecutor(t *testing.T) {
	if _, err := os.Stat(filepath.Join(gocode, "src/github.com/mesos/mesos-go")); err != nil {
		native.Skip(t, "Debian package golang-github-mesos-mesos-go-dev is not installed")
	}
	bin := filepath.Join(t.TempDir(), "mesosgoexec")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".")
	build.Dir = "../clients/testdata/mesosgoexec"
	build.Env = append(os.Environ(), "GO111MODULE=off", "GOPATH="+gocode, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, codec := range []string{"protobuf", "json"} {
		t.Run(codec, func(t *testing.T) { tryExecutor(t, newSite(t), bin+" -codec="+codec) })
	}
}
