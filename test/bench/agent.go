package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// wave is so many containers that were asked for at once.
type wave struct {
	n             int
	running       []time.Duration // from ACCEPT to each TASK_RUNNING, the first first
	ctr           time.Duration   // for as many by ctr run, one after the other; 0: not measured
	agentPSS      int64           // above that of the agent at rest
	agentCPU      float64         // of one, while nothing happens
	ended         time.Duration   // from the kills to the last TASK_KILLED
	recovered     time.Duration   // from the start of a new agent until it is registered with its tasks
	recoveredSaid string          // how long the agent says that recovery took
}

const (
	waveTimeout = 5 * time.Minute
	quiet       = 20 * time.Second // how long an agent's CPU at rest is measured
)

// measureWaves asks for containers in ever larger waves. The largest is recovered
// by a new agent, too.
func measureWaves(ctx context.Context, c *processes, fw *framework, peer ctr, sizes []int) (waves []wave, err error) {
	rest, err := pss(c.agentProcess.Process.Pid)
	if err != nil {
		return nil, err
	}
	for i, n := range sizes {
		w := wave{n: n}
		fmt.Fprintf(os.Stderr, "bench: %d containers\n", n)
		if w.running, err = fw.launchMany(ctx, n); err != nil {
			return nil, err
		}
		if n >= 100 {
			if w.agentCPU, err = cpuOf(ctx, c.agentProcess.Process.Pid, quiet); err != nil {
				return nil, err
			}
			busy, err := pss(c.agentProcess.Process.Pid)
			if err != nil {
				return nil, err
			}
			w.agentPSS = busy - rest
		}
		if i == len(sizes)-1 {
			if w.recovered, w.recoveredSaid, err = c.recoverAgent(ctx); err != nil {
				return nil, err
			}
		}
		if w.ended, err = fw.killMany(ctx); err != nil {
			return nil, err
		}
		start := time.Now()
		for j := range n {
			if err := peer.begin(ctx, fmt.Sprint("wave", j)); err != nil {
				return nil, err
			}
		}
		w.ctr = time.Since(start)
		for j := range n {
			if err := peer.end(ctx, fmt.Sprint("wave", j)); err != nil {
				return nil, err
			}
		}
		waves = append(waves, w)
	}
	return waves, nil
}

// launchMany accepts an offer with n tasks and waits until they run.
func (f *framework) launchMany(ctx context.Context, n int) (running []time.Duration, err error) {
	o, err := f.large(ctx)
	if err != nil {
		return nil, err
	}
	var tasks []*v1.TaskInfo
	waiting := make(map[string]bool, n)
	for range n {
		f.n++
		t := f.task(o)
		t.Resources[0].Scalar.Value, t.Resources[1].Scalar.Value = proto.Float64(0.01), proto.Float64(8)
		t.Limits = map[string]*v1.Value_Scalar{"cpus": {Value: proto.Float64(1)}}
		tasks = append(tasks, t)
		waiting[t.GetTaskId().GetValue()] = true
	}
	start := time.Now()
	op := &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: tasks}}
	if err := f.client.Accept(ctx, []*v1.Offer{o}, []*v1.Offer_Operation{op}, &v1.Filters{RefuseSeconds: proto.Float64(0)}); err != nil {
		return nil, err
	}
	return running, f.each(waiting, v1.TaskState_TASK_RUNNING, func(s *v1.TaskStatus) {
		running = append(running, time.Since(start))
		f.live = append(f.live, s)
	})
}

// killMany ends all that launchMany started, and returns how long that took.
func (f *framework) killMany(ctx context.Context) (time.Duration, error) {
	waiting := make(map[string]bool, len(f.live))
	start := time.Now()
	for _, s := range f.live {
		waiting[s.GetTaskId().GetValue()] = true
		if err := f.client.Kill(ctx, s.GetTaskId(), s.GetAgentId(), nil); err != nil {
			return 0, err
		}
	}
	f.live = nil
	err := f.each(waiting, v1.TaskState_TASK_KILLED, func(*v1.TaskStatus) {})
	return time.Since(start), err
}

// each waits until all tasks have been in a state.
func (f *framework) each(waiting map[string]bool, want v1.TaskState, reached func(*v1.TaskStatus)) error {
	timeout := time.After(waveTimeout)
	for len(waiting) > 0 {
		select {
		case s := <-f.status:
			id := s.GetTaskId().GetValue()
			switch {
			case !waiting[id]:
			case s.GetState() == want:
				delete(waiting, id)
				reached(s)
			case s.GetState() == v1.TaskState_TASK_FAILED || s.GetState() == v1.TaskState_TASK_ERROR || s.GetState() == v1.TaskState_TASK_LOST:
				return fmt.Errorf("task %s is %v: %s", id, s.GetState(), s.GetMessage())
			}
		case err := <-f.failed:
			return fmt.Errorf("framework: %w", err)
		case <-timeout:
			return fmt.Errorf("%d tasks did not become %v within %v", len(waiting), want, waveTimeout)
		}
	}
	return nil
}

// ticksPerSecond is the unit of CPU times in /proc (USER_HZ), the same on every
// architecture that Go runs Linux on.
const ticksPerSecond = 100

// cpuOf is the part of one CPU that a process uses.
func cpuOf(ctx context.Context, pid int, during time.Duration) (float64, error) {
	before, err := cpuTicks(pid)
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(during):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := cpuTicks(pid)
	return float64(after-before) / ticksPerSecond / during.Seconds(), err
}

// cpuTicks is the CPU time of a process (proc(5), stat).
func cpuTicks(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold anything
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("process %d: unexpected stat %q", pid, b)
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(f[12], 10, 64)
	return user + system, err
}

// recoverAgent kills the agent and starts another in its place.
func (c *processes) recoverAgent(ctx context.Context) (took time.Duration, said string, err error) {
	if err := c.agentProcess.Process.Kill(); err != nil {
		return 0, "", err
	}
	_ = c.agentProcess.Wait() // killed
	began := time.Now()
	if err := c.startAgent(); err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		b, err := os.ReadFile(filepath.Join(c.dir, "agent.log"))
		if err != nil {
			return 0, "", err
		}
		if log := string(b); strings.Contains(log, `msg="registered with master"`) {
			_, said, _ = strings.Cut(log, "rebooted=false took=")
			said, _, _ = strings.Cut(said, "\n")
			return time.Since(began), said, nil
		}
		<-time.After(time.Millisecond)
	}
	return 0, "", errors.New("the agent did not register again within a minute")
}

// measureUpdates has an executor tell two states of each of n tasks as fast as
// they are taken, and returns how long all of them took to the framework.
func measureUpdates(ctx context.Context, fw *framework, n int) (time.Duration, error) {
	o, err := fw.large(ctx)
	if err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	x := &v1.ExecutorInfo{
		ExecutorId: &v1.ExecutorID{Value: proto.String("teller")}, Type: v1.ExecutorInfo_CUSTOM.Enum(),
		Command:   &v1.CommandInfo{Value: proto.String("exec " + self + " -executor")},
		Resources: []*v1.Resource{scalar("cpus", 1), scalar("mem", 128)},
	}
	make := func(n int) (tasks []*v1.TaskInfo, waiting map[string]bool) {
		waiting = map[string]bool{}
		for range n {
			fw.n++
			t := fw.task(o)
			t.Command, t.Container, t.KillPolicy, t.Executor = nil, nil, nil, x
			t.Resources = []*v1.Resource{scalar("cpus", 0.001), scalar("mem", 1)}
			tasks = append(tasks, t)
			waiting[t.GetTaskId().GetValue()] = true
		}
		return tasks, waiting
	}
	// The first starts the executor.
	var took time.Duration
	for _, n := range []int{1, n} {
		tasks, waiting := make(n)
		start := time.Now()
		op := &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: tasks}}
		if err := fw.client.Accept(ctx, []*v1.Offer{o}, []*v1.Offer_Operation{op}, &v1.Filters{RefuseSeconds: proto.Float64(0)}); err != nil {
			return 0, err
		}
		if err := fw.each(waiting, v1.TaskState_TASK_FINISHED, func(*v1.TaskStatus) {}); err != nil {
			return 0, err
		}
		took = time.Since(start)
		if n == 1 {
			if o, err = fw.large(ctx); err != nil {
				return 0, err
			}
		}
	}
	return took, nil
}

func printWaves(out io.Writer, waves []wave, updates int, told time.Duration) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "containers at once\tfirst runs\tp50\tlast runs\tlaunches/s\tctr run in a loop\tlaunches/s\tall ended\t\n")
	for _, x := range waves {
		last := x.running[len(x.running)-1]
		fmt.Fprintf(w, "%d\t%v\t%v\t%v\t%.1f\t%v\t%.1f\t%v\t\n", x.n, x.running[0].Round(time.Millisecond), percentile(x.running, 50).Round(time.Millisecond),
			last.Round(time.Millisecond), float64(x.n)/last.Seconds(), x.ctr.Round(time.Millisecond), float64(x.n)/x.ctr.Seconds(), x.ended.Round(time.Millisecond))
	}
	fmt.Fprintln(w)
	for _, x := range waves {
		if x.agentPSS != 0 {
			fmt.Fprintf(w, "agent with %d containers\t%s more\t%.1f kB each\t%.2f %% of a CPU\t%.4f %% each\t\n", x.n, mib(x.agentPSS), float64(x.agentPSS)/float64(x.n)/1000, 100*x.agentCPU, 100*x.agentCPU/float64(x.n))
		}
		if x.recovered > 0 {
			fmt.Fprintf(w, "recovery of %d containers\t%v to be registered\t%s by the agent's own account\t\n", x.n, x.recovered.Round(time.Millisecond), x.recoveredSaid)
		}
	}
	fmt.Fprintf(w, "status updates, executor to framework\t%d in %v\t%.0f/s\t\n", 2*updates, told.Round(time.Millisecond), float64(2*updates)/told.Seconds())
	return w.Flush()
}
