package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/labels"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/api/mesosjson"
	"mezzo/election"
	"mezzo/internal/errs"
	"mezzo/scheduler"
)

const (
	// A framework of ours that vanished keeps its task for this long; one that
	// left its task alone, for good.
	failoverSeconds = 60
	detachedSeconds = 100 * 365 * 24 * 3600
	// What doesn't fit is offered again after this.
	refuseSeconds = 1
	// For the last of the output to come through.
	drainTimeout = 10 * time.Second
)

// framework runs one task from the offer to its end.
type framework struct {
	d      Deps
	json   bool
	quiet  bool
	detach bool
	role   string
	op     *operator
	client *scheduler.Client
	req    *request
	leave  context.CancelCauseFunc

	subscribed bool // at least once
	lost       bool // the master, for now
	followed   bool
	ended      chan struct{} // closed with the task's end
	drained    chan struct{} // closed when all its output is out

	mu          sync.Mutex
	task        *v1.TaskInfo   // launched, nil while we wait for an offer
	final       *v1.TaskStatus // written by the handlers alone
	interrupted int
	unwritten   error // why output could not be passed on
}

var errParted = errors.New("left the task to itself")

// run launches what s asks for and returns the exit code.
func run(ctx context.Context, d Deps, o *options, s *taskSpec, quiet, detach bool) (int, error) {
	if err := o.check(); err != nil {
		return 0, err
	}
	req, err := s.request(d.Env)
	if err != nil {
		return 0, err
	}
	op, err := newOperator(o.master, d)
	if err != nil {
		return 0, err
	}
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	f := &framework{
		d: d, json: o.json(), quiet: quiet, detach: detach, role: s.role, op: op, req: req, leave: leave,
		ended: make(chan struct{}), drained: make(chan struct{}),
	}
	if f.client, err = newClient(op.masters, d, s, detach); err != nil {
		return 0, err
	}
	return f.run(ctx)
}

func newClient(masters election.Detector, d Deps, s *taskSpec, detach bool) (*scheduler.Client, error) {
	capability := func(t v1.FrameworkInfo_Capability_Type) *v1.FrameworkInfo_Capability {
		return &v1.FrameworkInfo_Capability{Type: t.Enum()}
	}
	failover, tags := float64(failoverSeconds), (*v1.Labels)(nil)
	if detach {
		failover, tags = detachedSeconds, labels.WithDetached()
	}
	hostname, _ := os.Hostname() // for people; empty will do
	return scheduler.New(scheduler.Config{
		Master: masters,
		HTTP:   d.HTTP,
		Framework: &v1.FrameworkInfo{
			User:            proto.String(""), // the image's, or the agent's
			Name:            proto.String("mezzo run " + s.name),
			Hostname:        &hostname,
			Roles:           []string{s.role},
			FailoverTimeout: &failover,
			Labels:          tags,
			Checkpoint:      proto.Bool(true),
			Capabilities: []*v1.FrameworkInfo_Capability{
				capability(v1.FrameworkInfo_Capability_MULTI_ROLE),
				capability(v1.FrameworkInfo_Capability_RESERVATION_REFINEMENT),
				capability(v1.FrameworkInfo_Capability_PARTITION_AWARE),
				capability(v1.FrameworkInfo_Capability_TASK_KILLING_STATE),
			},
		},
	})
}

func (f *framework) run(ctx context.Context) (int, error) {
	ctx, stop := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	helpers.Go(func() { f.heedInterrupts(ctx) })
	helpers.Go(func() { f.explainWaiting(ctx) })
	err := f.client.Run(ctx, scheduler.Handler{
		Subscribed:   f.onSubscribed,
		Disconnected: f.onDisconnected,
		Offers:       f.onOffers,
		Update:       f.onUpdate,
	})
	stop()
	helpers.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.interrupted > 0:
		return codeInterrupted, nil
	case f.unwritten != nil:
		return 0, f.unwritten
	case f.final != nil:
		return exitCode(f.final), nil
	case errors.Is(err, errParted):
		return 0, nil
	}
	return 0, err
}

// exitCode is what a terminal status means to a shell.
func exitCode(s *v1.TaskStatus) int {
	code, known := labels.ExitCodeOf(s.GetLabels())
	switch {
	case s.GetState() == v1.TaskState_TASK_FINISHED:
		return 0
	case known && code != 0:
		return code
	case s.GetState() == v1.TaskState_TASK_KILLED,
		s.GetReason() == v1.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY && s.Reason != nil:
		return codeKilled
	case known:
		return 1 // it ended well, yet the task failed
	}
	return codeNotRun
}

func (f *framework) onSubscribed(ctx context.Context, _ *wire.Event_Subscribed) error {
	if f.lost {
		f.say("found the master again")
	}
	f.subscribed, f.lost = true, false
	if t := f.launched(); t != nil {
		// Its updates may have gone to the stream that broke.
		return f.client.Reconcile(ctx, &wire.Call_Reconcile_Task{TaskId: t.GetTaskId(), AgentId: t.GetAgentId()})
	}
	return nil
}

func (f *framework) onDisconnected(ctx context.Context, err error) error {
	if !f.subscribed {
		if _, err := f.op.get(ctx, master.Call_GET_HEALTH); err != nil {
			return err // nobody there, and it says what to do
		}
	}
	if !f.lost {
		f.say("no master for now, trying again: %s", errs.Text(err))
		f.lost = true
	}
	return nil
}

func (f *framework) onOffers(ctx context.Context, offers []*v1.Offer) error {
	for _, o := range offers {
		res, fits := scheduler.Take(o, f.req.want)
		if !fits || f.launched() != nil {
			if err := f.client.Decline(ctx, &v1.Filters{RefuseSeconds: proto.Float64(refuseSeconds)}, o); err != nil {
				return err
			}
			continue
		}
		if err := f.launch(ctx, o, res); err != nil {
			return err
		}
	}
	return nil
}

func (f *framework) launch(ctx context.Context, o *v1.Offer, res []*v1.Resource) error {
	t := proto.CloneOf(f.req.task)
	t.TaskId = &v1.TaskID{Value: proto.String(newTaskID(t.GetName()))}
	t.AgentId, t.Resources = o.GetAgentId(), res
	f.mu.Lock()
	f.task = t
	f.mu.Unlock()
	if err := f.client.Launch(ctx, o, t); err != nil {
		return err
	}
	f.say("task %s: sent to %s with %s", t.GetTaskId().GetValue(), o.GetHostname(), quantities(f.req.want))
	return f.client.Suppress(ctx)
}

func (f *framework) launched() *v1.TaskInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.task
}

func (f *framework) onUpdate(ctx context.Context, s *v1.TaskStatus) error {
	t := f.launched()
	if t == nil || f.final != nil || s.GetTaskId().GetValue() != t.GetTaskId().GetValue() {
		return nil
	}
	if s.GetReason() == v1.TaskStatus_REASON_INVALID_OFFERS && s.Reason != nil {
		// The offer was taken back while we accepted it: wait for another.
		f.mu.Lock()
		f.task = nil
		f.mu.Unlock()
		return f.client.Revive(ctx)
	}
	f.tell(s)
	if s.GetState() == v1.TaskState_TASK_RUNNING {
		if f.detach {
			return f.part(ctx, s)
		}
		if !f.followed {
			f.follow(ctx, t)
		}
	}
	if !terminal(s.GetState()) {
		return nil
	}
	if !f.followed && ran(s) {
		f.follow(ctx, t)
	}
	f.end(ctx, s)
	return nil
}

// part leaves a task that runs to itself.
func (f *framework) part(ctx context.Context, s *v1.TaskStatus) error {
	if err := f.client.Acknowledge(ctx, s); err != nil {
		return err
	}
	var err error
	if f.json {
		err = f.op.print(s)
	} else {
		_, err = fmt.Fprintln(f.d.Stdout, s.GetTaskId().GetValue())
	}
	if err != nil {
		return err
	}
	sweep(ctx, f.d, f.op)
	return errParted
}

// end waits for the rest of the output and takes leave. What fails of that is
// settled by the framework's failover timeout.
func (f *framework) end(ctx context.Context, s *v1.TaskStatus) {
	f.mu.Lock()
	f.final = s
	f.mu.Unlock()
	close(f.ended)
	if f.followed {
		<-f.drained
	}
	err := f.client.Acknowledge(ctx, s)
	if err == nil {
		err = f.client.Teardown(ctx)
	}
	if err != nil {
		f.leave(err)
	}
}

// ran tells that a task which ended unseen may have left output.
func ran(s *v1.TaskStatus) bool {
	_, exited := labels.ExitCodeOf(s.GetLabels())
	return exited && s.GetReason() != v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED
}

// follow starts to copy the task's output.
func (f *framework) follow(ctx context.Context, t *v1.TaskInfo) {
	f.followed = true
	go func() {
		defer close(f.drained)
		err := f.copyOutput(ctx, t)
		var unwritten *writeError
		switch {
		case errors.As(err, &unwritten):
			f.giveUp(ctx, t, unwritten)
		case err != nil && ctx.Err() == nil:
			f.say("output is lost: %v", err)
		}
	}()
}

// giveUp kills a task whose output has nowhere to go, as a pipe would.
func (f *framework) giveUp(ctx context.Context, t *v1.TaskInfo, err error) {
	f.mu.Lock()
	f.unwritten = err
	ended := f.final != nil
	f.mu.Unlock()
	if ended {
		return
	}
	f.say("killing task %s: %v", t.GetTaskId().GetValue(), err)
	if err := f.client.Kill(ctx, t.GetTaskId(), t.GetAgentId(), nil); err != nil {
		f.leave(err)
	}
}

func (f *framework) copyOutput(ctx context.Context, t *v1.TaskInfo) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-f.ended:
			_ = pause(ctx, drainTimeout)
			cancel()
		case <-ctx.Done():
		}
	}()
	resp, err := f.op.get(ctx, master.Call_GET_AGENTS)
	if err != nil {
		return err
	}
	for _, a := range resp.GetGetAgents().GetAgents() {
		if agentID(a) == t.GetAgentId().GetValue() {
			s, err := findSandbox(ctx, f.d.HTTP, a, f.client.FrameworkID(), t.GetTaskId())
			if err != nil {
				return err
			}
			return s.output(f.d.Stdout, f.d.Stderr).follow(ctx, f.ended)
		}
	}
	return fmt.Errorf("agent %s is not registered", t.GetAgentId().GetValue())
}

// tell prints a status.
func (f *framework) tell(s *v1.TaskStatus) {
	if f.json {
		if b, err := mesosjson.Marshal(s); err == nil && !f.quiet {
			fmt.Fprintf(f.d.Stderr, "%s\n", b)
		}
		return
	}
	text := ""
	if s.GetMessage() != "" {
		text = ": " + oneLine(s.GetMessage())
	}
	f.say("task %s: %s%s", s.GetTaskId().GetValue(), stateName(s.GetState()), text)
}

// say prints a line of ours.
func (f *framework) say(format string, args ...any) {
	if !f.quiet && !f.json {
		fmt.Fprintf(f.d.Stderr, "mezzo: "+format+"\n", args...)
	}
}

// explainWaiting tells what is missing while no offer fits, whenever it changes.
func (f *framework) explainWaiting(ctx context.Context) {
	said := ""
	for pause(ctx, noOfferAfter) == nil {
		if f.launched() != nil {
			continue // though it may have to wait again, if its offer was taken back
		}
		resp, err := f.op.get(ctx, master.Call_GET_AGENTS)
		if err != nil {
			continue // the stream's own fate says more
		}
		if why := shortage(f.req.want, f.role, resp.GetGetAgents().GetAgents()); why != said && f.launched() == nil {
			f.say("waiting: %s", why)
			said = why
		}
	}
}

// heedInterrupts ends the task kindly at the first, at once at the second, and
// leaves everything at the third.
func (f *framework) heedInterrupts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.d.Interrupts:
		}
		f.mu.Lock()
		f.interrupted++
		n, t := f.interrupted, f.task
		f.mu.Unlock()
		err := error(nil)
		switch {
		case n == 1 && t != nil:
			f.say("killing task %s; Ctrl-C again: at once", t.GetTaskId().GetValue())
			err = f.client.Kill(ctx, t.GetTaskId(), t.GetAgentId(), nil)
		case n <= 2:
			err = f.client.Teardown(ctx)
		}
		if err != nil || n > 2 {
			f.leave(errInterrupted)
		}
	}
}
