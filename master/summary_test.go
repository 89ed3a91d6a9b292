package master

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
)

func TestSummary(t *testing.T) {
	task := func(agent string, state v1.TaskState) *core.Task {
		return &core.Task{Agent: ids.AgentID("a" + agent), State: state, Info: &v1.Task{}}
	}
	s := &core.Snapshot{
		Agents: []core.Agent{{ID: "a1", Info: &v1.AgentInfo{Hostname: proto.String("h1")}}, {ID: "a2", Info: &v1.AgentInfo{}}},
		Frameworks: []core.FrameworkView{{
			Framework:   core.Framework{ID: "f1", Info: &v1.FrameworkInfo{Name: proto.String("n")}, Connected: true},
			Tasks:       []*core.Task{task("1", v1.TaskState_TASK_RUNNING), task("2", v1.TaskState_TASK_RUNNING)},
			Unreachable: []*core.Task{task("9", v1.TaskState_TASK_UNREACHABLE)},
			Finished:    []*core.Task{task("1", v1.TaskState_TASK_FAILED)},
		}, {Framework: core.Framework{ID: "f2", Info: &v1.FrameworkInfo{}}}},
	}
	b, err := json.Marshal(summarize(s, "host", "c"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Hostname, Cluster  string
		Slaves, Frameworks []map[string]any
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	pick := func(all []map[string]any, keys ...string) (out []map[string]any) {
		for _, o := range all {
			some := map[string]any{}
			for _, k := range keys {
				some[k] = o[k]
			}
			out = append(out, some)
		}
		return out
	}
	want := []map[string]any{
		{"id": "a1", "hostname": "h1", "TASK_RUNNING": 1.0, "TASK_FAILED": 1.0, "TASK_LOST": 0.0, "framework_ids": []any{"f1"}},
		{"id": "a2", "hostname": "", "TASK_RUNNING": 1.0, "TASK_FAILED": 0.0, "TASK_LOST": 0.0, "framework_ids": []any{"f1"}},
	}
	if d := cmp.Diff(want, pick(got.Slaves, "id", "hostname", "TASK_RUNNING", "TASK_FAILED", "TASK_LOST", "framework_ids")); d != "" {
		t.Errorf("agents (-want +got):\n%s", d)
	}
	want = []map[string]any{
		{"id": "f1", "name": "n", "active": true, "TASK_RUNNING": 2.0, "TASK_UNREACHABLE": 1.0, "TASK_FAILED": 1.0, "slave_ids": []any{"a1", "a2", "a9"}},
		{"id": "f2", "name": "", "active": false, "TASK_RUNNING": 0.0, "TASK_UNREACHABLE": 0.0, "TASK_FAILED": 0.0, "slave_ids": []any{}},
	}
	if d := cmp.Diff(want, pick(got.Frameworks, "id", "name", "active", "TASK_RUNNING", "TASK_UNREACHABLE", "TASK_FAILED", "slave_ids")); d != "" {
		t.Errorf("frameworks (-want +got):\n%s", d)
	}
	if got.Hostname != "host" || got.Cluster != "c" {
		t.Errorf("of %q, %q", got.Hostname, got.Cluster)
	}
}
