package cli

import (
	"fmt"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/scheduler"
)

// runSpec is what `mezzo run` was asked for, as it was typed.
type runSpec struct {
	taskSpec
	role, group   string
	quiet, detach bool
	revocable     bool // use CPUs that may be taken back
}

// request is a runSpec understood.
type request struct {
	name     string
	executor *v1.ExecutorInfo // of a group; nil of one task
	parts    []part
	// revocable: its CPUs may be taken back.
	revocable bool
}

// part is a task without id and place, and what it takes from an offer.
type part struct {
	task *v1.TaskInfo
	want map[string]float64 // CPUs, MiB
}

// request checks s. lookup finds variables of the environment.
func (s *runSpec) request(lookup func(string) string) (*request, error) {
	if s.group != "" {
		r, err := readGroup(s.group)
		if err != nil {
			return nil, err
		}
		r.revocable = s.revocable
		return r, nil
	}
	p, err := s.part(lookup)
	if err != nil {
		return nil, err
	}
	return &request{name: p.task.GetName(), parts: []part{p}, revocable: s.revocable}, nil
}

// take picks what the parts want out of an offer.
func (r *request) take(o *v1.Offer) ([][]*v1.Resource, bool) {
	if r.revocable {
		return scheduler.TakeRevocable(o, r.wants()...)
	}
	return scheduler.TakeAll(o, r.wants()...)
}

// forOne are the flags that describe a task; a group's tasks describe themselves.
var forOne = []string{"image", "name", "cpus", "mem", "disk", "cpu-limit", "mem-limit", "env", "volume", "uri", "user", "kill-grace", "timeout",
	"health-cmd", "health-http", "health-tcp", "health-delay", "health-interval", "health-timeout", "health-grace", "health-failures"}

// check refuses flags and a command beside a group.
func (s *runSpec) check(flags *pflag.FlagSet) error {
	if s.group == "" {
		return nil
	}
	for _, name := range forOne {
		if flags.Changed(name) {
			return fmt.Errorf("--%s says nothing of a group: its tasks are described in %s", name, s.group)
		}
	}
	if len(s.command) > 0 {
		return fmt.Errorf("%q: a group's commands are in %s", s.command[0], s.group)
	}
	return nil
}

func (r *request) group() bool { return r.executor != nil }

func (r *request) wants() []map[string]float64 {
	all := make([]map[string]float64, len(r.parts))
	for i, p := range r.parts {
		all[i] = p.want
	}
	return all
}

// total is what the parts want together.
func (r *request) total() map[string]float64 {
	sum := make(map[string]float64)
	for _, p := range r.parts {
		for name, v := range p.want {
			sum[name] += v
		}
	}
	return sum
}

// operation launches the parts with resources of an offer, and returns their tasks.
func (r *request) operation(o *v1.Offer, res [][]*v1.Resource) (*v1.Offer_Operation, []*v1.TaskInfo) {
	tasks := make([]*v1.TaskInfo, len(r.parts))
	for i, p := range r.parts {
		t := proto.CloneOf(p.task)
		if t.GetTaskId().GetValue() == "" {
			t.TaskId = &v1.TaskID{Value: proto.String(newTaskID(t.GetName()))}
		}
		t.AgentId, t.Resources = o.GetAgentId(), res[i]
		tasks[i] = t
	}
	if !r.group() {
		return &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: tasks}}, tasks
	}
	x := proto.CloneOf(r.executor)
	x.ExecutorId = &v1.ExecutorID{Value: proto.String(newTaskID(r.name))}
	return &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &v1.Offer_Operation_LaunchGroup{
		Executor: x, TaskGroup: &v1.TaskGroupInfo{Tasks: tasks},
	}}, tasks
}
