package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesosjson"
)

const (
	maxGroupBytes = 4 << 20
	// What a task of a group gets that asks for none.
	groupCPUs, groupMiB = 0.1, 32
)

// readGroup reads a task group, a TaskGroupInfo as mesos-execute takes it: what is
// the cluster's to say (agent_id), and what can be made (task_id, name, resources),
// may be left out.
func readGroup(file string) (*request, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--group: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxGroupBytes+1))
	if err != nil {
		return nil, fmt.Errorf("--group: %w", err)
	}
	if len(data) > maxGroupBytes {
		return nil, fmt.Errorf("--group %s: has more than %d bytes", file, maxGroupBytes)
	}
	r, err := parseGroup(data)
	if err != nil {
		return nil, fmt.Errorf("--group %s: %w", file, err)
	}
	base := filepath.Base(file)
	r.name = taskName(&taskSpec{image: strings.TrimSuffix(base, filepath.Ext(base))})
	return r, nil
}

func parseGroup(data []byte) (*request, error) {
	var group struct {
		Tasks []map[string]json.RawMessage `json:"tasks"`
	}
	if err := json.Unmarshal(data, &group); err != nil {
		return nil, fmt.Errorf(`want a task group, {"tasks": [{"name": …, "command": …}, …]}: %w`, err)
	}
	if len(group.Tasks) == 0 {
		return nil, errors.New(`it has no tasks: want {"tasks": [{"name": …, "command": …}, …]}`)
	}
	r := &request{executor: &v1.ExecutorInfo{Type: v1.ExecutorInfo_DEFAULT.Enum()}}
	seen := make(map[string]bool)
	for i, raw := range group.Tasks {
		p, err := parseMember(i, raw)
		if err != nil {
			return nil, fmt.Errorf("task %d: %w", i+1, err)
		}
		if id := p.task.GetTaskId().GetValue(); id != "" && seen[id] {
			return nil, fmt.Errorf("task %d: another has the id %q", i+1, id)
		}
		seen[p.task.GetTaskId().GetValue()] = true
		r.parts = append(r.parts, p)
	}
	return r, nil
}

func parseMember(i int, raw map[string]json.RawMessage) (part, error) {
	for field, missing := range map[string]string{"task_id": `{"value":""}`, "name": `""`} {
		if _, ok := raw[field]; !ok {
			raw[field] = json.RawMessage(missing)
		}
	}
	raw["agent_id"] = json.RawMessage(`{"value":""}`) // the offer's
	whole, err := json.Marshal(raw)
	if err != nil {
		return part{}, err
	}
	t := &v1.TaskInfo{}
	if err := mesosjson.Unmarshal(whole, t); err != nil {
		return part{}, err
	}
	if t.GetName() == "" {
		name := t.GetTaskId().GetValue()
		if name == "" {
			name = fmt.Sprint("task-", i+1)
		}
		t.Name = &name
	}
	if err := errors.Join(checkName("name", t.GetName()), checkName("task_id", t.GetTaskId().GetValue())); err != nil {
		return part{}, err
	}
	want := map[string]float64{"cpus": groupCPUs, "mem": groupMiB}
	for _, r := range t.GetResources() {
		if r.Scalar == nil {
			return part{}, fmt.Errorf("resource %s: only scalars can be asked for", r.GetName())
		}
		v := r.GetScalar().GetValue()
		if !(v >= least && v <= mostMiB) {
			return part{}, fmt.Errorf("resource %s: %v is not a positive amount", r.GetName(), v)
		}
		want[r.GetName()] = v
	}
	return part{task: t, want: want}, nil
}
