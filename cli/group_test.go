package cli_test

// Goal: `mezzo run --group` launches what its file says, passes on what each task
// writes, and ends as the group does. Method: as for one task, in run_test.go.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/api/mesosjson"
)

const pod = `{"tasks":[
 {"name":"web","command":{"value":"serve"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]},
 {"task_id":{"value":"log-1"},"command":{"value":"log"}}]}`

func writeGroup(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pod.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// launchGroup offers enough and takes the ACCEPT.
func (s *stage) launchGroup() *v1.Offer_Operation_LaunchGroup {
	s.offer("o1", 4, 1024)
	ops := s.next(wire.Call_ACCEPT).GetAccept().GetOperations()
	if len(ops) != 1 || len(ops[0].GetLaunchGroup().GetTaskGroup().GetTasks()) != 2 {
		s.c.t.Errorf("operations %v", ops)
		return nil
	}
	g := ops[0].GetLaunchGroup()
	var tasks []any
	for _, task := range g.GetTaskGroup().GetTasks() {
		id := task.GetTaskId().GetValue()
		tasks = append(tasks, map[string]any{"id": id})
		s.c.write("/pod/tasks/"+id+"/stdout", "")
		s.c.write("/pod/tasks/"+id+"/stderr", "")
	}
	state, _ := json.Marshal(map[string]any{"frameworks": []any{map[string]any{"id": "fw", "executors": []any{
		map[string]any{"id": g.GetExecutor().GetExecutorId().GetValue(), "type": "DEFAULT", "directory": "/pod", "tasks": tasks},
	}}}})
	s.c.state = string(state)
	return g
}

func TestRunGroup(t *testing.T) {
	for _, tc := range []struct {
		name   string
		states [2]v1.TaskState
		codes  [2]int
		want   int
	}{
		{"all finish", [2]v1.TaskState{v1.TaskState_TASK_FINISHED, v1.TaskState_TASK_FINISHED}, [2]int{0, 0}, 0},
		{"one fails, one is killed for it", [2]v1.TaskState{v1.TaskState_TASK_KILLED, v1.TaskState_TASK_FAILED}, [2]int{143, 5}, 5},
		{"killed", [2]v1.TaskState{v1.TaskState_TASK_FINISHED, v1.TaskState_TASK_KILLED}, [2]int{0, 137}, 137},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t)
			c.set(master.Call_GET_AGENTS, oneAgent)
			c.play = func(s *stage) {
				s.offer("small", 1, 1024)
				s.next(wire.Call_DECLINE)
				g := s.launchGroup()
				if g == nil {
					return
				}
				if x := g.GetExecutor(); x.GetType() != v1.ExecutorInfo_DEFAULT || !strings.HasPrefix(x.GetExecutorId().GetValue(), "pod-") {
					t.Errorf("executor %v", x)
				}
				tasks := g.GetTaskGroup().GetTasks()
				for i, want := range []string{
					`{"name":"web","agent_id":{"value":"a1"},"command":{"value":"serve"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{"name":"mem","type":"SCALAR","scalar":{"value":32}}]}`,
					`{"name":"log-1","agent_id":{"value":"a1"},"command":{"value":"log"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},{"name":"mem","type":"SCALAR","scalar":{"value":32}}]}`,
				} {
					w := &v1.TaskInfo{}
					if err := mesosjson.Unmarshal([]byte(strings.Replace(want, `{`, `{"task_id":{"value":""},`, 1)), w); err != nil {
						t.Fatal(err)
					}
					w.TaskId = tasks[i].TaskId
					if !proto.Equal(tasks[i], w) {
						t.Errorf("task\n%v\nwant\n%v", tasks[i], w)
					}
				}
				if !strings.HasPrefix(tasks[0].GetTaskId().GetValue(), "web-") || tasks[1].GetTaskId().GetValue() != "log-1" {
					t.Errorf("ids %v and %v", tasks[0].TaskId, tasks[1].TaskId)
				}
				for i, task := range tasks {
					s.update(task.GetTaskId(), v1.TaskState_TASK_RUNNING, nil)
					s.next(wire.Call_ACKNOWLEDGE)
					c.write("/pod/tasks/"+task.GetTaskId().GetValue()+"/stdout", "out\nof "+[]string{"a", "b"}[i])
				}
				for i, task := range tasks {
					s.update(task.GetTaskId(), tc.states[i], exited(tc.codes[i]))
					s.next(wire.Call_ACKNOWLEDGE)
				}
				s.next(wire.Call_TEARDOWN)
			}
			r := c.run("run", "--group="+writeGroup(t, pod))
			if r.code != tc.want {
				t.Errorf("exit code %d, want %d: %v\n%s", r.code, tc.want, r.err, r.stderr)
			}
			for _, line := range []string{"web | out\n", "web | of a\n", "log-1 | out\n", "log-1 | of b\n"} {
				if !strings.Contains(r.stdout, line) {
					t.Errorf("stdout lacks %q:\n%s", line, r.stdout)
				}
			}
		})
	}
}

func TestRunGroupDetached(t *testing.T) {
	c := newCluster(t)
	c.play = func(s *stage) {
		g := s.launchGroup()
		if g == nil {
			return
		}
		tasks := g.GetTaskGroup().GetTasks()
		s.update(tasks[1].GetTaskId(), v1.TaskState_TASK_RUNNING, nil)
		s.next(wire.Call_ACKNOWLEDGE)
		s.update(tasks[0].GetTaskId(), v1.TaskState_TASK_RUNNING, nil)
		s.next(wire.Call_ACKNOWLEDGE)
		if call := s.any(); call != nil && call.GetType() != wire.Call_SUPPRESS {
			t.Errorf("call %v", call)
		}
	}
	c.set(master.Call_GET_STATE, `{"type":"GET_STATE","get_state":{}}`)
	r := c.run("run", "-d", "--group="+writeGroup(t, pod))
	if ids := strings.Fields(r.stdout); r.code != 0 || len(ids) != 2 || !strings.HasPrefix(ids[0], "web-") || ids[1] != "log-1" {
		t.Errorf("code %d, stdout %q, %v\n%s", r.code, r.stdout, r.err, r.stderr)
	}
}

func TestRunGroupRefused(t *testing.T) {
	c := newCluster(t)
	for text, says := range map[string]string{
		``:                          "want a task group",
		`[]`:                        "want a task group",
		`{}`:                        "it has no tasks",
		`{"tasks":[]}`:              "it has no tasks",
		`{"tasks":[7]}`:             "want a task group",
		`{"tasks":[{"command":7}]}`: "task 1: read mesos.v1.TaskInfo: command",
		`{"tasks":[{"name":"a"},{"name":"a b"}]}`:                                                               `task 2: name "a b"`,
		`{"tasks":[{"task_id":{"value":"a"}},{"task_id":{"value":"a"}}]}`:                                       `task 2: another has the id "a"`,
		`{"tasks":[{"resources":[{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}]}]}`: "resource ports: only scalars",
		`{"tasks":[{"resources":[{"name":"mem","type":"SCALAR","scalar":{"value":-1}}]}]}`:                      "resource mem: -1 is not",
	} {
		if r := c.run("run", "--group="+writeGroup(t, text)); r.code != 125 || r.err == nil || !strings.Contains(r.err.Error(), says) {
			t.Errorf("%s: code %d, %v, want one that says %q", text, r.code, r.err, says)
		}
	}
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"--group=/none"}, "/none: no such file"},
		{[]string{"--group=" + writeGroup(t, pod), "--cpus=1"}, "--cpus says nothing of a group"},
		{[]string{"--group=" + writeGroup(t, pod), "--", "true"}, `"true": a group's commands are in`},
	} {
		if r := c.run(append([]string{"run"}, tc.args...)...); r.code != 125 || r.err == nil || !strings.Contains(r.err.Error(), tc.says) {
			t.Errorf("%v: code %d, %v", tc.args, r.code, r.err)
		}
	}
}
