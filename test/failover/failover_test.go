package failover

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
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

var rounds = flag.Int("rounds", 6, "how many leaders are lost")

// TestLeaders: goal, that no task is lost and none runs twice, and a framework
// keeps its id, whoever of the masters is lost; method, leaders killed, or stopped
// and continued, while a framework runs long tasks and many short ones.
func TestLeaders(t *testing.T) {
	addrs := addresses(t, 3)
	list := strings.Join(addrs, ",")
	loseLeaders(t, addrs, list, *rounds, "--masters="+list)
}

// TestZooKeeper is the same where ZooKeeper says who leads.
func TestZooKeeper(t *testing.T) {
	zk := "zk://" + startZooKeeper(t) + "/some/mesos"
	loseLeaders(t, addresses(t, 3), zk, min(*rounds, 3), "--zk="+zk, "--quorum=2", "--zk_session_timeout=2secs")
}

// loseLeaders runs masters that are found by a --master flag.
func loseLeaders(t *testing.T, addrs []string, flag string, rounds int, args ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		native.Skip(t, "containerd needs root")
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		native.Skip(t, "containerd is not installed")
	}
	m := launchMasters(t, addrs, args...)
	dir, err := os.MkdirTemp("", "mezzo") // short: a unix socket's path must fit 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	archive := filepath.Join(dir, "busybox.tar")
	if err := imagetest.WriteBusybox(archive, imagetest.Options{}); err != nil {
		t.Fatal(err)
	}
	m.leader()
	agent := launch(t, "agent", "--ip=127.0.0.1", "--port=0", "--master="+flag, "--work_dir="+dir+"/a", "--isolation=none", "--containerd=private",
		"--resources=cpus:8;mem:4096", "--registration_backoff_factor=100ms")
	t.Cleanup(func() { endContainerd(t, agent, dir+"/a") })
	f := newFramework(t, flag, "file://"+archive)
	f.launchLong(3)
	f.begin()
	for round := range rounds {
		f.progress(fmt.Sprintf("round %d begins", round))
		lost := m.leader()
		switch round % 3 {
		case 0, 1:
			m.all[lost].kill()
			m.leader(lost)
			f.progress(fmt.Sprintf("round %d goes on without master %d", round, lost))
			m.all[lost].start()
		case 2:
			m.all[lost].signal(syscall.SIGSTOP)
			m.leader(lost)
			// Nobody hears of the next one as long as this one is only silent;
			// when it goes on it must not lead any more, and say so.
			m.all[lost].signal(syscall.SIGCONT)
			until(t, "the stopped master leads no more", func() bool { return get(addrs[lost], "/state", nil) == http.StatusTemporaryRedirect })
		}
	}
	f.finish(3)
	until(t, "no container is left", func() bool { return len(shims(dir+"/a")) == 0 })
	if out, err := exec.Command(native.Binary(t), "agents", "--master="+flag).CombinedOutput(); err != nil || !strings.Contains(string(out), "127.0.0.1") && !strings.Contains(string(out), "active") {
		t.Errorf("mezzo agents --master=%s: %v\n%s", flag, err, out)
	}
}

// framework runs tasks and notes all that it is told.
type framework struct {
	t      *testing.T
	client *scheduler.Client
	image  string
	runs   string // where short tasks note on the host that they ran; empty: nowhere
	mortal bool   // what holds a task may be killed, and the task with it
	ended  chan error
	stop   context.CancelFunc

	mu         sync.Mutex
	id         string
	made       int
	tasks      map[string]*task
	long       int // wanted
	unlaunched int
	short      bool
	broken     error
}

// task is what is known of one.
type task struct {
	info      *v1.TaskInfo
	state     v1.TaskState
	end       *v1.TaskStatus
	sent      bool   // its launch was; before, nobody may be asked for it
	container string // that it ran in
	long      bool
}

func newFramework(t *testing.T, list, image string) *framework {
	t.Helper()
	detector, err := election.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	f := &framework{t: t, image: image, tasks: map[string]*task{}, ended: make(chan error, 1)}
	f.client, err = scheduler.New(scheduler.Config{
		Master: detector, MinBackoff: 50 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, CallTimeout: 3 * time.Second,
		Framework: &v1.FrameworkInfo{
			User: proto.String("root"), Name: proto.String("survivor"), FailoverTimeout: proto.Float64(3600), Checkpoint: proto.Bool(true),
			Capabilities: []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, f.stop = context.WithCancel(context.Background())
	go func() {
		f.ended <- f.client.Run(ctx, scheduler.Handler{Subscribed: f.subscribed, Offers: f.offers, Update: f.update})
	}()
	go f.reconcile(ctx)
	t.Cleanup(f.stop)
	return f
}

func (f *framework) subscribed(_ context.Context, ev *wire.Event_Subscribed) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := ev.GetFrameworkId().GetValue()
	if f.id != "" && f.id != id {
		return fmt.Errorf("framework %s became %s", f.id, id)
	}
	f.id = id
	return nil
}

// reconcile asks for tasks whose end is not known, again and again.
func (f *framework) reconcile(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var ask []*wire.Call_Reconcile_Task
		f.mu.Lock()
		for _, x := range f.tasks {
			if x.sent && !over(x.state) {
				ask = append(ask, &wire.Call_Reconcile_Task{TaskId: x.info.TaskId, AgentId: x.info.AgentId})
			}
		}
		f.mu.Unlock()
		if len(ask) > 0 {
			_ = f.client.Reconcile(ctx, ask...) // again soon
		}
	}
}

func over(s v1.TaskState) bool {
	switch s {
	case v1.TaskState_TASK_STAGING, v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_KILLING, v1.TaskState_TASK_UNREACHABLE:
		return false
	}
	return true
}

func (f *framework) offers(ctx context.Context, offers []*v1.Offer) error {
	for _, o := range offers {
		tasks := f.next(o)
		var err error
		if len(tasks) == 0 {
			err = f.client.Decline(ctx, &v1.Filters{RefuseSeconds: proto.Float64(0.1)}, o)
		} else {
			err = f.client.Accept(ctx, []*v1.Offer{o}, []*v1.Offer_Operation{{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: tasks}}}, &v1.Filters{RefuseSeconds: proto.Float64(0)})
		}
		f.mu.Lock()
		for _, info := range tasks {
			f.tasks[info.GetTaskId().GetValue()].sent = true
		}
		f.mu.Unlock()
		if err != nil && !errors.Is(err, scheduler.ErrDisconnected) {
			return err
		}
	}
	return nil
}

// next are tasks for an offer.
func (f *framework) next(o *v1.Offer) (tasks []*v1.TaskInfo) {
	f.mu.Lock()
	defer f.mu.Unlock()
	long, open := 0, 0
	for _, x := range f.tasks {
		switch {
		case x.long && !over(x.state):
			long++
		case !over(x.state):
			open++
		}
	}
	want := map[string]float64{"cpus": 0.1, "mem": 32}
	for ; long < f.long; long++ {
		picked, ok := scheduler.Take(o, want)
		if !ok {
			return tasks
		}
		tasks = append(tasks, f.make(o, picked, "sleep 100000; : of "+f.runs, true))
	}
	if f.short && open < 4 {
		if picked, ok := scheduler.Take(o, want); ok {
			tasks = append(tasks, f.make(o, picked, f.shortCommand(), false))
		}
	}
	return tasks
}

func (f *framework) shortCommand() string {
	if f.runs == "" {
		return "exit 0"
	}
	return fmt.Sprintf("echo ran >> /runs/t%d", f.made+1)
}

func (f *framework) make(o *v1.Offer, picked []*v1.Resource, command string, long bool) *v1.TaskInfo {
	f.made++
	id := fmt.Sprint("t", f.made)
	info := &v1.TaskInfo{
		Name: proto.String(id), TaskId: &v1.TaskID{Value: &id}, AgentId: o.GetAgentId(), Resources: picked,
		Command:   &v1.CommandInfo{Value: &command},
		Container: &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), Mesos: &v1.ContainerInfo_MesosInfo{Image: &v1.Image{Type: v1.Image_DOCKER.Enum(), Docker: &v1.Image_Docker{Name: &f.image}}}},
	}
	if f.runs != "" {
		info.Container.Volumes = []*v1.Volume{{ContainerPath: proto.String("/runs"), HostPath: &f.runs, Mode: v1.Volume_RW.Enum()}}
	}
	f.tasks[id] = &task{info: info, state: v1.TaskState_TASK_STAGING, long: long}
	return info
}

func (f *framework) update(_ context.Context, s *v1.TaskStatus) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.tasks[s.GetTaskId().GetValue()]
	if x == nil {
		return fmt.Errorf("a status of a task that nobody launched: %v", s)
	}
	if c := s.GetContainerStatus().GetContainerId().GetValue(); c != "" {
		if x.container != "" && x.container != c {
			f.broken = errors.Join(f.broken, fmt.Errorf("task %s runs twice: in %s and %s", s.GetTaskId().GetValue(), x.container, c))
		}
		x.container = c
	}
	ran := x.container != ""
	switch s.GetState() {
	case v1.TaskState_TASK_STAGING, v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING:
		if over(x.state) && s.GetReason() != v1.TaskStatus_REASON_RECONCILIATION {
			f.broken = errors.Join(f.broken, fmt.Errorf("task %s is over and then not: %v, then %v", s.GetTaskId().GetValue(), x.end, s))
		}
	case v1.TaskState_TASK_FINISHED:
		if x.long {
			f.broken = errors.Join(f.broken, fmt.Errorf("long task %s: %v", s.GetTaskId().GetValue(), s))
		}
	default: // its launch may be lost with a master; it may not be once it ran
		// A short one may be there where containerd dies under its launch, and if
		// it did nothing, or said that nobody knows; the long ones never.
		unlaunched := f.runs != "" && !x.long && (s.GetReason() == v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED ||
			s.GetReason() == v1.TaskStatus_REASON_EXECUTOR_TERMINATED || !f.left(s.GetTaskId().GetValue()))
		if unlaunched {
			f.unlaunched++
		}
		if ran && !over(x.state) && !unlaunched && !f.mortal {
			f.broken = errors.Join(f.broken, fmt.Errorf("task %s ran and is lost: %v", s.GetTaskId().GetValue(), s))
		}
	}
	if over(x.state) && len(s.GetUuid()) > 0 && over(s.GetState()) && !bytes.Equal(s.GetUuid(), x.end.GetUuid()) && s.GetState() != x.state {
		f.broken = errors.Join(f.broken, fmt.Errorf("task %s has two ends: %v, then %v", s.GetTaskId().GetValue(), x.end, s))
	}
	if !over(x.state) {
		x.state, x.end = s.GetState(), s
	}
	return nil
}

// left tells whether a short task left the trace that it ran.
func (f *framework) left(id string) bool {
	_, err := os.Stat(filepath.Join(f.runs, id))
	return err == nil
}

func (f *framework) launchLong(n int) {
	f.t.Helper()
	f.mu.Lock()
	f.long = n
	f.mu.Unlock()
	until(f.t, "long tasks run", func() bool { return f.count(true, v1.TaskState_TASK_RUNNING) == n })
}

func (f *framework) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.short = true
}

func (f *framework) count(long bool, state v1.TaskState) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.tasks {
		if x.long == long && x.state == state {
			n++
		}
	}
	return n
}

// progress waits until more short tasks have run.
func (f *framework) progress(when string) {
	f.t.Helper()
	before := f.count(false, v1.TaskState_TASK_FINISHED)
	until(f.t, when+": tasks run", func() bool { return f.count(false, v1.TaskState_TASK_FINISHED) >= before+2 })
	f.check()
}

func (f *framework) check() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		f.t.Fatal(f.broken)
	}
	select {
	case err := <-f.ended:
		f.ended <- err
		f.t.Fatalf("the framework ended: %v", err)
	default:
	}
}

// finish waits for all short tasks, and that the long ones still run.
func (f *framework) finish(long int) {
	f.t.Helper()
	f.mu.Lock()
	f.short = false
	f.mu.Unlock()
	until(f.t, "all short tasks are over", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, x := range f.tasks {
			if !x.long && !over(x.state) {
				return false
			}
		}
		return true
	})
	f.check()
	until(f.t, fmt.Sprintf("%d long tasks run", long), func() bool { return f.count(true, v1.TaskState_TASK_RUNNING) == long })
	if f.made < long+10 {
		f.t.Errorf("only %d tasks were made", f.made)
	}
	f.t.Logf("%d tasks, %d finished", f.made, f.count(false, v1.TaskState_TASK_FINISHED))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	until(f.t, "teardown", func() bool { // it may be on its way to the next master
		err = f.client.Teardown(ctx)
		return !errors.Is(err, scheduler.ErrDisconnected)
	})
	if err != nil {
		f.t.Errorf("teardown: %v", err)
	}
	f.stop()
	<-f.ended
}
