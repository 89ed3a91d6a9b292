package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/internal/errs"
	"mezzo/resources"
	"mezzo/scheduler"
	"mezzo/scheduler/mpich"
)

const mpirunLong = `Run an MPI program on as many agents as it needs, and stay until it ends.

The ranks are started by the mpiexec of MPICH, which has to be on this machine, and
by its hydra_pmi_proxy, which has to be on the agents, as has the program, at the
same path. What the ranks write comes out here; the exit code is the program's, 125
if it could not be run, 130 if it was interrupted.

Ranks go where there is room, at most --ppn of them to one agent. Agents must be able
to connect to this machine, by its host name or what --address says.`

const mpirunExample = `  mezzo mpirun -n 3 ./hello
  mezzo mpirun -n 64 --ppn 16 --mem 2GiB /opt/solver/bin/solve --input case.dat
  mezzo mpirun -n 8 --address 10.0.0.5 --wdir /data ./program`

// mpiSpec is what the user asked for, as it was typed.
type mpiSpec struct {
	ranks, perAgent int
	cpus, mem       string
	role, user      string
	address, wdir   string
	mpiexec         string
	quiet           bool
	program         []string
}

func mpirunCommand(d Deps) *cobra.Command {
	s := mpiSpec{cpus: "1", mem: "128", role: "*"}
	var o options
	cmd := &cobra.Command{
		Use:     "mpirun [flags] -n RANKS PROGRAM [ARG]...",
		Short:   "Run an MPI program on several agents and wait for its end",
		Long:    mpirunLong,
		Example: mpirunExample,
	}
	o.add(cmd, d)
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the program is the program's
	f.IntVarP(&s.ranks, "ranks", "n", 1, "`number` of ranks")
	f.IntVar(&s.perAgent, "ppn", 0, "`number` of ranks on one agent at most; as many as fit unless given")
	f.StringVar(&s.cpus, "cpus", s.cpus, "CPUs for each rank, a `number`")
	f.StringVar(&s.mem, "mem", s.mem, "memory for each rank, an `amount` in MiB or with a unit (64, 64MiB, 1GiB)")
	f.StringVar(&s.role, "role", s.role, "role whose resources are used")
	f.StringVar(&s.user, "user", "", "user to run as, a `name`; the agent's unless given")
	f.StringVar(&s.address, "address", "", "`host` by which agents reach this machine; its name unless given")
	f.StringVar(&s.wdir, "wdir", "", "working `directory` on the agents; that of here unless given")
	f.StringVar(&s.mpiexec, "mpiexec", "", "`path` of MPICH's mpiexec; mpiexec.hydra in PATH unless given")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "say nothing but what the program says")
	completeFlag(cmd, d, "role", roleNames)
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &ExitError{Code: codeNotRun, Err: FlagError(c, err)} })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s.program = args
		code, err := mpirun(cmd.Context(), d, &o, &s)
		switch {
		case err != nil:
			return &ExitError{Code: codeNotRun, Err: err}
		case code != 0:
			return &ExitError{Code: code}
		}
		return nil
	}
	return cmd
}

// rank is what one rank is given, after a check of all that was asked for.
func (s *mpiSpec) rank() (resources.Resources, error) {
	cpus, cpusErr := parseCPUs("--cpus", s.cpus)
	mem, memErr := parseMiB("--mem", s.mem)
	problems := []error{cpusErr, memErr}
	if len(s.program) == 0 {
		problems = append(problems, errors.New("no PROGRAM is given"))
	}
	if s.ranks < 1 || s.ranks > 1<<20 {
		problems = append(problems, fmt.Errorf("-n %d: want a number of ranks from 1 on", s.ranks))
	}
	if s.perAgent < 0 {
		problems = append(problems, fmt.Errorf("--ppn %d: want a number of ranks from 1 on", s.perAgent))
	}
	if err := errors.Join(problems...); err != nil {
		return resources.Resources{}, err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	return resources.Parse("cpus:"+number(cpus)+";mem:"+number(mem), resources.DefaultRole)
}

// mpiJob is the framework of one program.
type mpiJob struct {
	d      Deps
	s      *mpiSpec
	op     *operator
	each   resources.Resources
	client *scheduler.Client
	leave  context.CancelCauseFunc
	held   []*v1.Offer // until there are enough; the handlers' own

	mu       sync.Mutex
	launched bool
	room     int               // for ranks, in what is held
	left     map[string]string // where tasks are that have not ended, by id
	ended    chan struct{}     // closed when none is left
	code     int
	over     bool // the program has ended
}

var errProgramEnded = errors.New("the program has ended")

func mpirun(ctx context.Context, d Deps, o *options, s *mpiSpec) (int, error) {
	if err := o.check(); err != nil {
		return 0, err
	}
	each, err := s.rank()
	if err != nil {
		return 0, err
	}
	if strings.Contains(s.program[0], "/") { // on the agents there is no here
		if s.program[0], err = filepath.Abs(s.program[0]); err != nil {
			return 0, err
		}
	}
	op, err := newOperator(o.master, d)
	if err != nil {
		return 0, err
	}
	j := &mpiJob{d: d, s: s, op: op, each: each, left: map[string]string{}, ended: make(chan struct{})}
	if err := j.connect(); err != nil {
		return 0, err
	}
	return j.run(ctx)
}

func (j *mpiJob) connect() (err error) {
	hostname, _ := os.Hostname() // for people; empty will do
	j.client, err = scheduler.New(scheduler.Config{
		Master: j.op.masters,
		HTTP:   j.d.HTTP,
		Framework: &v1.FrameworkInfo{
			User: proto.String(""), Name: proto.String("mezzo mpirun " + filepath.Base(j.s.program[0])), Hostname: &hostname,
			Roles: []string{j.s.role},
			Capabilities: []*v1.FrameworkInfo_Capability{
				{Type: v1.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
				{Type: v1.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
				{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
			},
		},
	})
	return err
}

func (j *mpiJob) run(ctx context.Context) (int, error) {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	j.leave = leave
	var helpers sync.WaitGroup
	helpers.Go(func() {
		select {
		case <-j.d.Interrupts:
			leave(errInterrupted)
		case <-ctx.Done():
		}
	})
	helpers.Go(func() { j.explainWaiting(ctx) })
	err := j.client.Run(ctx, scheduler.Handler{
		Disconnected: j.onDisconnected, Offers: j.onOffers, Rescind: j.onRescind, Update: j.onUpdate,
	})
	cause := context.Cause(ctx)
	leave(err)
	helpers.Wait()
	// What runs still ends with the framework; should that fail, with its stream.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if j.client.FrameworkID() != nil {
		_ = j.client.Teardown(last)
	}
	switch {
	case errors.Is(cause, errInterrupted):
		return codeInterrupted, nil
	case errors.Is(cause, errProgramEnded):
		return j.code, nil
	case cause != nil:
		return 0, cause
	}
	return 0, err
}

func (j *mpiJob) onDisconnected(ctx context.Context, err error) error {
	if _, away := j.op.get(ctx, master.Call_GET_HEALTH); away != nil && j.client.FrameworkID() == nil {
		return away // nobody there, and it says what to do
	}
	j.held = nil // they were that master's, or of that stream
	j.say("no master for now, trying again: %s", errs.Text(err))
	return nil
}

// onOffers holds what is offered until there is room for all ranks.
func (j *mpiJob) onOffers(ctx context.Context, offers []*v1.Offer) error {
	if j.isLaunched() {
		return j.client.Decline(ctx, nil, offers...)
	}
	j.held = append(j.held, offers...)
	return j.launch(ctx)
}

func (j *mpiJob) onRescind(_ context.Context, id *v1.OfferID) error {
	for i, o := range j.held {
		if o.GetId().GetValue() == id.GetValue() {
			j.held = append(j.held[:i:i], j.held[i+1:]...)
			break
		}
	}
	return nil
}

func (j *mpiJob) isLaunched() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.launched
}

// share is what ranks have of one offer.
type share struct {
	offer *v1.Offer
	ranks int
	res   resources.Resources
}

// shares finds room for all ranks, or says for how many there is.
func (j *mpiJob) shares() (list []share, room int, err error) {
	perAgent := map[string]int{}
	for _, o := range j.held {
		free, err := resources.FromProto(o.GetResources())
		if err != nil {
			return nil, 0, err
		}
		s := share{offer: o}
		for free = free.Unallocated(); room < j.s.ranks; room++ {
			on := o.GetAgentId().GetValue()
			part, ok := free.Find(j.each, j.s.role)
			if !ok || j.s.perAgent > 0 && perAgent[on] == j.s.perAgent {
				break
			}
			free, _ = free.Sub(part)
			s.ranks, s.res = s.ranks+1, s.res.Add(part)
			perAgent[on]++
		}
		if s.ranks > 0 {
			list = append(list, s)
		}
	}
	return list, room, nil
}

// launch starts the program if there is room for it.
func (j *mpiJob) launch(ctx context.Context) error {
	list, room, err := j.shares()
	if err != nil {
		return err
	}
	j.mu.Lock()
	j.room = room
	j.mu.Unlock()
	if room < j.s.ranks {
		return nil
	}
	ranks := make([]int, len(list))
	used := map[*v1.Offer]bool{}
	for i, s := range list {
		ranks[i], used[s.offer] = s.ranks, true
	}
	job, err := mpich.Start(ctx, mpich.Config{
		Mpiexec: j.s.mpiexec, Ranks: ranks, Address: j.s.address, WorkDir: j.s.wdir, Program: j.s.program, Stdout: j.d.Stdout, Stderr: j.d.Stderr,
	})
	if err != nil {
		return err
	}
	tasks := make([]*v1.TaskInfo, len(list))
	j.mu.Lock()
	j.launched = true
	for i, s := range list {
		tasks[i] = j.task(s, job.Commands[i])
		j.left[tasks[i].GetTaskId().GetValue()] = s.offer.GetHostname()
	}
	j.mu.Unlock()
	go j.await(ctx, job)
	for i, s := range list {
		if err := j.client.Launch(ctx, s.offer, tasks[i]); err != nil {
			return err
		}
		j.say("%d ranks sent to %s", s.ranks, s.offer.GetHostname())
	}
	for _, o := range j.held {
		if !used[o] {
			if err := j.client.Decline(ctx, nil, o); err != nil {
				return err
			}
		}
	}
	j.held = nil
	return j.client.Suppress(ctx)
}

func (j *mpiJob) task(s share, command string) *v1.TaskInfo {
	id := newTaskID("mpi")
	t := &v1.TaskInfo{
		Name: proto.String(filepath.Base(j.s.program[0])), TaskId: &v1.TaskID{Value: &id}, AgentId: s.offer.GetAgentId(),
		Command: &v1.CommandInfo{Value: proto.String("exec " + command)}, Resources: s.res.Proto(),
	}
	if j.s.user != "" {
		t.Command.User = &j.s.user
	}
	return t
}

// await waits for the program's end, and then for that of all that held it.
func (j *mpiJob) await(ctx context.Context, job *mpich.Job) {
	code, err := job.Wait()
	if err != nil {
		j.leave(err)
		return
	}
	j.mu.Lock()
	j.over, j.code = true, code
	j.mu.Unlock()
	select {
	case <-j.ended:
	case <-time.After(drainTimeout):
	case <-ctx.Done():
	}
	j.leave(errProgramEnded)
}

// onUpdate notices ends. One that failed has most often a program that does; if not,
// mpiexec would wait for it for ever.
func (j *mpiJob) onUpdate(_ context.Context, s *v1.TaskStatus) error {
	if !terminal(s.GetState()) {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	host, ok := j.left[s.GetTaskId().GetValue()]
	if !ok {
		return nil
	}
	if delete(j.left, s.GetTaskId().GetValue()); len(j.left) == 0 {
		close(j.ended)
	}
	if s.GetState() != v1.TaskState_TASK_FINISHED && !j.over {
		failed := fmt.Errorf("the ranks on %s: %s: %s", host, stateName(s.GetState()), oneLine(s.GetMessage()))
		time.AfterFunc(drainTimeout, func() { j.leave(failed) })
	}
	return nil
}

// explainWaiting tells for how many ranks there is room, whenever that changes.
func (j *mpiJob) explainWaiting(ctx context.Context) {
	said := -1
	for pause(ctx, noOfferAfter) == nil {
		j.mu.Lock()
		room, launched := j.room, j.launched
		j.mu.Unlock()
		if launched {
			return
		}
		if room != said {
			j.say("waiting: there is room for %d of %d ranks, each with %s", room, j.s.ranks, j.each)
			said = room
		}
	}
}

// say prints a line of ours.
func (j *mpiJob) say(format string, args ...any) {
	if !j.s.quiet {
		fmt.Fprintf(j.d.Stderr, "mezzo: "+format+"\n", args...)
	}
}
