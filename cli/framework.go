package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
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

// framework runs a task, or a group of them, from the offer to the end.
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

	writing sync.Mutex // lines of a group's output

	mu          sync.Mutex
	members     []*member // launched, none while we wait for an offer
	over        bool      // all of them have ended
	interrupted int
	unwritten   error // why output could not be passed on
}

var errParted = errors.New("left what it ran to itself")

// run launches what is asked for and returns the exit code.
func run(ctx context.Context, d Deps, o *options, s *runSpec) (int, error) {
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
	f := &framework{d: d, json: o.json(), quiet: s.quiet, detach: s.detach, role: s.role, op: op, req: req, leave: leave}
	if f.client, err = newClient(op.masters, d, s, req.name); err != nil {
		return 0, err
	}
	return f.run(ctx)
}

func newClient(masters election.Detector, d Deps, s *runSpec, name string) (*scheduler.Client, error) {
	capability := func(t v1.FrameworkInfo_Capability_Type) *v1.FrameworkInfo_Capability {
		return &v1.FrameworkInfo_Capability{Type: t.Enum()}
	}
	capabilities := []*v1.FrameworkInfo_Capability{
		capability(v1.FrameworkInfo_Capability_MULTI_ROLE),
		capability(v1.FrameworkInfo_Capability_RESERVATION_REFINEMENT),
		capability(v1.FrameworkInfo_Capability_PARTITION_AWARE),
		capability(v1.FrameworkInfo_Capability_TASK_KILLING_STATE),
	}
	if s.revocable {
		capabilities = append(capabilities, capability(v1.FrameworkInfo_Capability_REVOCABLE_RESOURCES))
	}
	failover, tags := float64(failoverSeconds), (*v1.Labels)(nil)
	if s.detach {
		failover, tags = detachedSeconds, labels.WithDetached()
	}
	hostname, _ := os.Hostname() // for people; empty will do
	return scheduler.New(scheduler.Config{
		Master: masters,
		HTTP:   d.HTTP,
		Framework: &v1.FrameworkInfo{
			User:            proto.String(""), // the image's, or the agent's
			Name:            proto.String("mezzo run " + name),
			Hostname:        &hostname,
			Roles:           []string{s.role},
			FailoverTimeout: &failover,
			Labels:          tags,
			Checkpoint:      proto.Bool(true),
			Capabilities:    capabilities,
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
	case f.over:
		return groupExitCode(f.members), nil
	case errors.Is(err, errParted):
		return 0, nil
	}
	return 0, err
}

func (f *framework) onSubscribed(ctx context.Context, _ *wire.Event_Subscribed) error {
	if f.lost {
		f.say("found the master again")
	}
	f.subscribed, f.lost = true, false
	var tasks []*wire.Call_Reconcile_Task
	for _, m := range f.launched() {
		tasks = append(tasks, &wire.Call_Reconcile_Task{TaskId: m.task.GetTaskId(), AgentId: m.task.GetAgentId()})
	}
	if len(tasks) == 0 {
		return nil
	}
	// Their updates may have gone to the stream that broke.
	return f.client.Reconcile(ctx, tasks...)
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
		res, fits := f.req.take(o)
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

func (f *framework) launch(ctx context.Context, o *v1.Offer, res [][]*v1.Resource) error {
	op, tasks := f.req.operation(o, res)
	members := make([]*member, len(tasks))
	for i, t := range tasks {
		members[i] = newMember(t)
	}
	f.mu.Lock()
	f.members = members
	f.mu.Unlock()
	if err := f.client.Accept(ctx, []*v1.Offer{o}, []*v1.Offer_Operation{op}, nil); err != nil {
		return err
	}
	for i, m := range members {
		f.say("task %s: sent to %s with %s", m.id(), o.GetHostname(), quantities(f.req.parts[i].want))
	}
	return f.client.Suppress(ctx)
}

func (f *framework) launched() []*member {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.members
}

// member finds what a status is of; nil if it is of none, or has ended.
func (f *framework) member(s *v1.TaskStatus) *member {
	for _, m := range f.launched() {
		if m.id() == s.GetTaskId().GetValue() && m.final == nil {
			return m
		}
	}
	return nil
}

func (f *framework) onUpdate(ctx context.Context, s *v1.TaskStatus) error {
	m := f.member(s)
	if m == nil {
		return nil
	}
	if s.GetReason() == v1.TaskStatus_REASON_INVALID_OFFERS && s.Reason != nil {
		// The offer was taken back while we accepted it: wait for another.
		f.mu.Lock()
		f.members = nil
		f.mu.Unlock()
		return f.client.Revive(ctx)
	}
	f.tell(s)
	if s.GetState() == v1.TaskState_TASK_RUNNING {
		m.running = true
		if !f.detach && !m.followed {
			f.follow(ctx, m)
		}
	}
	if terminal(s.GetState()) {
		if !m.followed && ran(s) {
			f.follow(ctx, m)
		}
		if f.end(m, s) {
			f.finish(ctx, s)
			return nil
		}
	}
	if f.detach && f.allStarted() {
		return f.part(ctx, s)
	}
	return nil
}

func (f *framework) allStarted() bool {
	for _, m := range f.launched() {
		if !m.running && m.final == nil {
			return false
		}
	}
	return true
}

// part leaves what runs to itself.
func (f *framework) part(ctx context.Context, s *v1.TaskStatus) error {
	if err := f.client.Acknowledge(ctx, s); err != nil {
		return err
	}
	if f.json {
		if err := f.op.print(s); err != nil {
			return err
		}
	} else {
		for _, m := range f.launched() {
			if _, err := fmt.Fprintln(f.d.Stdout, m.id()); err != nil {
				return err
			}
		}
	}
	sweep(ctx, f.d, f.op)
	return errParted
}

// end notes the last status of m, and tells whether it is the last of all.
func (f *framework) end(m *member, s *v1.TaskStatus) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	m.final = s
	close(m.ended)
	f.over = !slices.ContainsFunc(f.members, func(m *member) bool { return m.final == nil })
	return f.over
}

// finish waits for the rest of the output and takes leave. What fails of that is
// settled by the framework's failover timeout.
func (f *framework) finish(ctx context.Context, s *v1.TaskStatus) {
	for _, m := range f.launched() {
		if m.followed {
			<-m.drained
		}
	}
	err := f.client.Acknowledge(ctx, s)
	if err == nil {
		err = f.client.Teardown(ctx)
	}
	if err != nil {
		f.leave(err)
	}
}

// follow starts to copy a task's output.
func (f *framework) follow(ctx context.Context, m *member) {
	m.followed = true
	go func() {
		defer close(m.drained)
		err := f.copyOutput(ctx, m)
		var unwritten *writeError
		switch {
		case errors.As(err, &unwritten):
			f.giveUp(ctx, unwritten)
		case err != nil && ctx.Err() == nil:
			f.say("output of task %s is lost: %v", m.id(), err)
		}
	}()
}

// giveUp kills what has nowhere to write to, as a pipe would.
func (f *framework) giveUp(ctx context.Context, err error) {
	f.mu.Lock()
	f.unwritten = err
	over := f.over
	f.mu.Unlock()
	if over {
		return
	}
	if err := f.kill(ctx, ": "+err.Error()); err != nil {
		f.leave(err)
	}
}

// kill ends all that runs.
func (f *framework) kill(ctx context.Context, why string) error {
	f.mu.Lock()
	var left []*member
	for _, m := range f.members {
		if m.final == nil {
			left = append(left, m)
		}
	}
	f.mu.Unlock()
	for _, m := range left {
		f.say("killing task %s%s", m.id(), why)
		if err := f.client.Kill(ctx, m.task.GetTaskId(), m.task.GetAgentId(), nil); err != nil {
			return err
		}
	}
	return nil
}

func (f *framework) copyOutput(ctx context.Context, m *member) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-m.ended:
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
		if agentID(a) == m.task.GetAgentId().GetValue() {
			s, err := findSandbox(ctx, f.d.HTTP, a, f.client.FrameworkID(), m.task.GetTaskId())
			if err != nil {
				return err
			}
			if !f.req.group() {
				return s.output(f.d.Stdout, f.d.Stderr).follow(ctx, m.ended)
			}
			name := m.task.GetName()
			stdout, stderr := labelledLines(name, &f.writing, f.d.Stdout), labelledLines(name, &f.writing, f.d.Stderr)
			err = s.output(stdout, stderr).follow(ctx, m.ended)
			return errors.Join(err, stdout.flush(), stderr.flush())
		}
	}
	return fmt.Errorf("agent %s is not registered", m.task.GetAgentId().GetValue())
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
	f.say("task %s: %s%s%s", s.GetTaskId().GetValue(), stateName(s.GetState()), health(s), text)
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
		if why := shortage(f.req.total(), f.role, f.req.revocable, resp.GetGetAgents().GetAgents()); why != said && f.launched() == nil {
			f.say("waiting: %s", why)
			said = why
		}
	}
}

// heedInterrupts ends what runs kindly at the first, at once at the second, and
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
		n, launched := f.interrupted, len(f.members) > 0
		f.mu.Unlock()
		err := error(nil)
		switch {
		case n == 1 && launched:
			err = f.kill(ctx, "; Ctrl-C again: at once")
		case n <= 2:
			err = f.client.Teardown(ctx)
		}
		if err != nil || n > 2 {
			f.leave(errInterrupted)
		}
	}
}
