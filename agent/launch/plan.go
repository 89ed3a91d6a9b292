package launch

import (
	"fmt"
	"strings"
	"time"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// Task is what a container is made from.
type Task struct {
	Container ids.ContainerID
	Agent     ids.AgentID
	Endpoint  string // of the agent's HTTP API, "ip:port"
	Framework *v1.FrameworkInfo
	Info      *v1.TaskInfo
	Sandbox   string // on the host

	Executor ids.ExecutorID  // whose task it is; empty: the task's own id
	Parent   string          // sandbox of that executor, if the task has one below it
	Group    *isolator.Group // whose limits it shares, if it is in one
	Volumes  []Volume        // persistent ones
}

// Volume is a persistent volume as a task has it.
type Volume struct {
	Host      string // path of its data
	Container string // where the task finds it, below its sandbox
	ReadOnly  bool
	Shared    bool // with others, who may be other users
}

// Executor is what the container of a framework's own executor is made from.
type Executor struct {
	Container ids.ContainerID
	Agent     ids.AgentID
	Endpoint  string // of the agent's HTTP API, "ip:port"
	Framework *v1.FrameworkInfo
	Info      *v1.ExecutorInfo
	Sandbox   string // on the host
	Times     Times
	Volumes   []Volume
}

// Times are those of the agent that an executor goes by.
type Times struct {
	Recovery, SubscriptionBackoffMax, ShutdownGrace time.Duration
}

// Plan is what is to be started, and what its sandbox needs before.
type Plan struct {
	Spec containerizer.Spec
	Dirs []string              // to be made in the sandbox, relative to it
	URIs []*v1.CommandInfo_URI // to be fetched into it; not checked here

	ParentDirs []string // to be made in the executor's sandbox, which the task shares
	Volumes    []Volume // persistent ones, to be there

	parent string // sandbox above, for volumes
}

// Labels kept with a container, so that it can be known again without us.
const (
	LabelAgent     = "mezzo/agent"
	LabelFramework = "mezzo/framework"
	LabelTask      = "mezzo/task"
	LabelExecutor  = "mezzo/executor"
)

// New checks t and plans its container.
func New(t Task) (Plan, error) {
	if err := check(t); err != nil {
		return Plan{}, err
	}
	limits, err := Limits(t.Info)
	if err != nil {
		return Plan{}, err
	}
	return plan(t, limits)
}

// plan is of a task that was checked.
func plan(t Task, limits isolator.Limits) (Plan, error) {
	p := Plan{Spec: containerizer.Spec{
		ID: isolator.ID(t.Container),
		Labels: map[string]string{
			LabelAgent:     string(t.Agent),
			LabelFramework: t.Framework.GetId().GetValue(),
			LabelTask:      t.Info.GetTaskId().GetValue(),
		},
		Sandbox: t.Sandbox,
		Limits:  limits,
		Group:   t.Group,
	}, parent: t.Parent}
	if err := container(&p, t.Info.GetContainer()); err != nil {
		return Plan{}, err
	}
	if err := persistent(&p, t.Volumes); err != nil {
		return Plan{}, err
	}
	if err := command(&p.Spec, t); err != nil {
		return Plan{}, err
	}
	p.URIs = t.Info.GetCommand().GetUris()
	return p, nil
}

// NewExecutor checks x and plans its container, without what its tasks need.
func NewExecutor(x Executor) (Plan, error) {
	if err := ids.Validate("executor", x.Info.GetExecutorId().GetValue()); err != nil {
		return Plan{}, err
	}
	if x.Info.GetShutdownGracePeriod().GetNanoseconds() < 0 {
		return Plan{}, invalid("executor.shutdown_grace_period is negative")
	}
	// Described as a task, an executor is planned as one.
	p, err := New(Task{
		Container: x.Container, Agent: x.Agent, Endpoint: x.Endpoint, Framework: x.Framework, Sandbox: x.Sandbox, Volumes: x.Volumes,
		Info: &v1.TaskInfo{
			TaskId: &v1.TaskID{Value: x.Info.GetExecutorId().Value}, Command: x.Info.GetCommand(),
			Container: x.Info.GetContainer(), Resources: x.Info.GetResources(),
		},
	})
	if err != nil {
		return Plan{}, fmt.Errorf("executor: %w", err)
	}
	delete(p.Spec.Labels, LabelTask)
	p.Spec.Labels[LabelExecutor] = x.Info.GetExecutorId().GetValue()
	p.Spec.Env = executorEnvironment(p.Spec.Env, x)
	return p, nil
}

// check refuses what needs no more than a look.
func check(t Task) error {
	i := t.Info
	if err := ids.Validate("framework", t.Framework.GetId().GetValue()); err != nil {
		return err
	}
	if err := ids.Validate("task", i.GetTaskId().GetValue()); err != nil {
		return err
	}
	switch {
	case i.GetCommand() == nil:
		return invalid("command is missing")
	case i.GetKillPolicy().GetGracePeriod().GetNanoseconds() < 0:
		return invalid("kill_policy.grace_period is negative")
	case i.GetMaxCompletionTime().GetNanoseconds() < 0:
		return invalid("max_completion_time is negative")
	}
	return checkProbes(i)
}

// Describe says in a few words what a task runs, for messages.
func Describe(i *v1.TaskInfo) string {
	c := i.GetCommand()
	what := c.GetValue()
	if args := strings.Join(c.GetArguments(), " "); !c.GetShell() && args != "" {
		if what = args; isDocker(i.GetContainer()) {
			what = strings.TrimSpace(c.GetValue() + " " + args)
		}
	}
	what = short(what, 60)
	// A name with a digest fits.
	switch img := short(image(i.GetContainer()), 400); {
	case img == "":
		return fmt.Sprintf("command %q", what)
	case what == "":
		return fmt.Sprintf("image %q", img)
	default:
		return fmt.Sprintf("command %q in image %q", what, img)
	}
}

// short is the beginning of s, of n letters at most.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errs.Invalid)...)
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errs.Unsupported)...)
}
