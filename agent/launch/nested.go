package launch

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
)

// Nested is what a container is made from that a call of the agent's API asks for,
// nested in another or standalone.
type Nested struct {
	Name      ids.ContainerID // what it is held by
	Path      string          // its id with those around it
	Agent     ids.AgentID
	Endpoint  string            // of the agent's HTTP API, "ip:port"
	Framework *v1.FrameworkInfo // of the one around it; nil: standalone
	Executor  ids.ExecutorID    // of the one around it
	Command   *v1.CommandInfo
	Container *v1.ContainerInfo
	Resources []*v1.Resource
	Ceilings  map[string]*v1.Value_Scalar
	Sandbox   string // on the host

	Within ids.ContainerID // what it is nested in; empty: standalone, or in a group
	Group  ids.ContainerID // whose guest it is; empty: none
	Own    isolator.Limits // of that group beside its members'
	Parent string          // sandbox of the group
}

// LabelNested is kept with such a container: Nested.Path.
const LabelNested = "mezzo/nested"

// NewNested checks n and plans its container. One that is nested and has no
// resources of its own shares what the one around it has.
func NewNested(n Nested) (Plan, error) {
	command := n.Command
	if command == nil { // the image names one
		command = &v1.CommandInfo{Shell: proto.Bool(false)}
	}
	as := &v1.TaskInfo{
		TaskId: ids.TaskID(n.Name).Proto(), Command: command, Container: n.Container, Resources: n.Resources, Limits: n.Ceilings,
	}
	limits, err := NestedLimits(n.Resources, n.Ceilings, n.Within+n.Group != "")
	if err != nil {
		return Plan{}, err
	}
	p, err := plan(Task{
		Container: n.Name, Agent: n.Agent, Endpoint: n.Endpoint, Framework: n.Framework, Info: as,
		Sandbox: n.Sandbox, Executor: n.Executor, Parent: n.Parent,
	}, limits)
	if err != nil {
		return Plan{}, err
	}
	p.Spec.Labels = map[string]string{LabelAgent: string(n.Agent), LabelNested: n.Path}
	if n.Framework != nil {
		p.Spec.Labels[LabelFramework] = n.Framework.GetId().GetValue()
	}
	if p.Spec.Within = isolator.ID(n.Within); n.Group != "" {
		p.Spec.Group = &isolator.Group{ID: isolator.ID(n.Group), Own: n.Own, Guest: true}
	}
	p.Spec.Env = slices.DeleteFunc(p.Spec.Env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		of := name == "MESOS_FRAMEWORK_ID" || name == "MESOS_EXECUTOR_ID" || name == "MESOS_CHECKPOINT"
		return (name == "MESOS_TASK_ID" || of && n.Framework == nil) && !names(command, name)
	})
	return p, nil
}

// NestedLimits are those of a container's own; nested ones may have none.
func NestedLimits(own []*v1.Resource, ceilings map[string]*v1.Value_Scalar, isNested bool) (isolator.Limits, error) {
	if isNested && len(own) == 0 && len(ceilings) == 0 {
		return isolator.Limits{CPULimitMilli: isolator.Unlimited, MemLimitBytes: isolator.Unlimited, PidsLimit: isolator.Unlimited}, nil
	}
	return Limits(&v1.TaskInfo{Resources: own, Limits: ceilings})
}

// names tells whether a command's own environment has a variable of that name.
func names(c *v1.CommandInfo, name string) bool {
	return slices.ContainsFunc(c.GetEnvironment().GetVariables(), func(v *v1.Environment_Variable) bool { return v.GetName() == name })
}
