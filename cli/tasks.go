package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

// tasks is one snapshot of the master's tasks and where they run.
type tasks struct {
	active, ended []*v1.Task
	agents        map[string]*master.Response_GetAgents_Agent
	frameworks    map[string]*master.Response_GetFrameworks_Framework // ended ones too
	completed     map[string]bool                                     // the frameworks that ended
}

func loadTasks(ctx context.Context, op *operator) (*tasks, *master.Response_GetTasks, error) {
	resp, err := op.get(ctx, master.Call_GET_STATE)
	if err != nil {
		return nil, nil, err
	}
	state := resp.GetGetState()
	t := &tasks{
		agents:     make(map[string]*master.Response_GetAgents_Agent),
		frameworks: make(map[string]*master.Response_GetFrameworks_Framework),
		completed:  make(map[string]bool),
	}
	known := state.GetGetTasks()
	for _, x := range slices.Concat(known.GetTasks(), known.GetUnreachableTasks(), known.GetCompletedTasks()) {
		// Tasks are among the first until their framework acknowledged their end.
		if terminal(x.GetState()) {
			t.ended = append(t.ended, x)
		} else {
			t.active = append(t.active, x)
		}
	}
	for _, a := range state.GetGetAgents().GetAgents() {
		t.agents[a.GetAgentInfo().GetId().GetValue()] = a
	}
	for _, f := range state.GetGetFrameworks().GetCompletedFrameworks() {
		t.completed[f.GetFrameworkInfo().GetId().GetValue()] = true
	}
	for _, f := range slices.Concat(state.GetGetFrameworks().GetFrameworks(), state.GetGetFrameworks().GetCompletedFrameworks()) {
		t.frameworks[f.GetFrameworkInfo().GetId().GetValue()] = f
	}
	slices.SortFunc(t.active, byStart)
	slices.SortFunc(t.ended, byStart)
	return t, state.GetGetTasks(), nil
}

func (t *tasks) all() []*v1.Task { return slices.Concat(t.active, t.ended) }

// byStart puts the oldest first.
func byStart(a, b *v1.Task) int {
	return cmp.Or(cmp.Compare(started(a), started(b)), cmp.Compare(a.GetTaskId().GetValue(), b.GetTaskId().GetValue()))
}

// started is the time of a task's first status, in seconds since the epoch.
func started(t *v1.Task) float64 {
	if len(t.GetStatuses()) == 0 {
		return 0
	}
	return t.GetStatuses()[0].GetTimestamp()
}

// last is the newest status, nil without any.
func last(t *v1.Task) *v1.TaskStatus {
	if n := len(t.GetStatuses()); n > 0 {
		return t.GetStatuses()[n-1]
	}
	return nil
}

// find returns the one task that is meant by ref: an id, a name, or how an id
// begins. An active task is preferred to an ended one.
func (t *tasks) find(ref string, ended bool) (*v1.Task, error) {
	pools, list := [][]*v1.Task{t.active}, "`mezzo ps`"
	if ended {
		pools, list = append(pools, t.ended), "`mezzo ps -a`"
	}
	for _, pool := range pools {
		if x, err := one("task", ref, meant(ref, pool, taskNames), taskNames); x != nil || err != nil {
			return x, err
		}
	}
	if !ended && len(meant(ref, t.ended, taskNames)) > 0 {
		return nil, fmt.Errorf("task %q: has ended", ref)
	}
	return nil, unknown("task", ref, list, slices.Concat(pools...), taskNames)
}

func taskNames(t *v1.Task) (id, name string) { return t.GetTaskId().GetValue(), t.GetName() }

// hostname is where a task runs or ran, as people call the place.
func (t *tasks) hostname(id *v1.AgentID) string {
	if a, ok := t.agents[id.GetValue()]; ok {
		return a.GetAgentInfo().GetHostname()
	}
	return id.GetValue()
}
