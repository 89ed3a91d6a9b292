package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
	"mezzo/master/core"
	"mezzo/resources"
)

// TestTexts: goal, that what is remembered is what is so, and bounded; method, states
// that change, held against documents made anew.
func TestTexts(t *testing.T) {
	task := func(i int, state v1.TaskState) *core.Task {
		id := ids.TaskID(fmt.Sprint("t", i))
		return &core.Task{ID: id, Framework: "f", Agent: "a", State: state, Info: &v1.Task{Name: proto.String(`"` + string(id)), TaskId: id.Proto()}}
	}
	agent := func(i int, cpus string, connected bool) core.Agent {
		return core.Agent{
			ID: ids.AgentID(fmt.Sprint("a", i)), Info: &v1.AgentInfo{Hostname: proto.String("h")}, Connected: connected, Total: resources.MustParse(cpus),
		}
	}
	one := agent(1, "cpus:1", true)
	same := one
	drained := one
	drained.Drain = &v1.DrainInfo{State: v1.DrainState_DRAINING.Enum(), Config: &v1.DrainConfig{}}
	x := &texts{form: legacyForm}
	for n, tt := range []struct {
		tasks  []*core.Task
		agents []core.Agent
	}{
		{nil, nil},
		{[]*core.Task{task(1, v1.TaskState_TASK_STAGING)}, []core.Agent{one}},
		{[]*core.Task{task(1, v1.TaskState_TASK_RUNNING), task(2, v1.TaskState_TASK_STAGING)}, []core.Agent{same, agent(2, "mem:5", true)}},
		{nil, []core.Agent{drained}},
		{nil, []core.Agent{agent(1, "cpus:2", false)}},
	} {
		doc := func(x *texts) string {
			text, err := x.assemble(&core.Snapshot{}, func(a *assembly) any {
				return map[string]any{"agents": a.agentList(tt.agents, ""), "f": []any{map[string]any{"tasks": a.taskList(tt.tasks), "none": a.taskList(nil)}}}
			})
			if err != nil || !json.Valid(text.join()) {
				t.Fatalf("%d: %s, %v", n, text, err)
			}
			return string(text.join())
		}
		if got, want := doc(x), doc(&texts{form: legacyForm}); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for i := range 10 * minTexts {
		if _, err := x.assemble(&core.Snapshot{}, func(a *assembly) any { return a.taskList([]*core.Task{task(i, v1.TaskState_TASK_LOST)}) }); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.tasks) > 2*minTexts {
		t.Errorf("%d texts are remembered of one task", len(x.tasks))
	}
	text, err := x.assemble(&core.Snapshot{}, func(a *assembly) any {
		return []any{`"` + strings.Repeat("x", 3), a.agentList([]core.Agent{one, agent(2, "cpus:1", true)}, "a2")}
	})
	if err != nil || strings.Count(string(text.join()), `"id":`) != 1 {
		t.Errorf("one agent alone: %s, %v", text, err)
	}

	// A new sample of what is used writes nothing anew; a new state does.
	written := 0
	x = &texts{form: form{
		comma:    ",",
		task:     func(*core.Task) ([]byte, error) { written++; return []byte("1"), nil },
		executor: func(*core.Executor) ([]byte, error) { written++; return []byte("2"), nil },
	}}
	was, e := task(1, v1.TaskState_TASK_RUNNING), &core.Executor{ID: "e", Info: &v1.ExecutorInfo{}}
	sampled, ended, update, sampledExecutor, grown := *was, *was, *was, *e, *e
	sampled.Usage, sampledExecutor.Usage = &usage.ContainerUsage{}, &usage.ContainerUsage{}
	ended.State = v1.TaskState_TASK_FINISHED
	update.Statuses = []*v1.TaskStatus{{}}
	grown.Resources = resources.MustParse("cpus:1")
	for i, tt := range []struct {
		task     *core.Task
		executor *core.Executor
		written  int
	}{{was, e, 2}, {was, e, 0}, {&sampled, &sampledExecutor, 0}, {&ended, e, 1}, {&sampled, e, 1}, {&update, &grown, 2}, {&update, &grown, 0}} {
		written = 0
		text, err := x.assemble(&core.Snapshot{}, func(a *assembly) any {
			return []any{a.taskList([]*core.Task{tt.task}), a.executorList([]*core.Executor{tt.executor})}
		})
		if err != nil || string(text.join()) != "[[1],[2]]" || written != tt.written {
			t.Errorf("%d: %s, %v; %d were written, want %d", i, text, err, written, tt.written)
		}
	}
	x.forget()
	if len(x.tasks)+len(x.executors) > 0 {
		t.Error("nothing was forgotten")
	}

	// What could not be written once is not taken for written.
	x = &texts{form: form{task: func(*core.Task) ([]byte, error) { return nil, errors.New("no") }}}
	for range 2 {
		text, err := x.assemble(&core.Snapshot{}, func(a *assembly) any { return a.taskList([]*core.Task{task(1, v1.TaskState_TASK_RUNNING)}) })
		if err == nil || text != nil {
			t.Errorf("a task that cannot be written is %q, %v", text, err)
		}
		if len(x.tasks) > 0 {
			t.Errorf("%d texts are remembered", len(x.tasks))
		}
	}
}
