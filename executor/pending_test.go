package executor

// Goal: SUBSCRIBE carries exactly what the agent may lack, in order. Method:
// scripts of what happens to pending, and what the next SUBSCRIBE would hold; a
// fuzzer against the rule written the slow way.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

func task(id string) *v1.TaskInfo {
	return &v1.TaskInfo{
		Name: proto.String("n"), TaskId: ids.TaskID(id).Proto(), AgentId: ids.AgentID("a").Proto(),
	}
}

func status(id, state, uuid string) *v1.TaskStatus {
	s := v1.TaskState(v1.TaskState_value["TASK_"+state])
	return &v1.TaskStatus{TaskId: ids.TaskID(id).Proto(), State: &s, Uuid: []byte(uuid)}
}

// shown is what p would send: "tasks | updates by uuid".
func shown(p *pending) string {
	var tasks, updates []string
	sub := p.subscribe()
	for _, t := range sub.GetUnacknowledgedTasks() {
		tasks = append(tasks, t.GetTaskId().GetValue())
	}
	for _, u := range sub.GetUnacknowledgedUpdates() {
		updates = append(updates, string(u.GetStatus().GetUuid()))
	}
	return strings.Join(tasks, " ") + " | " + strings.Join(updates, " ")
}

// perform does one step of a script.
func perform(p *pending, step string) error {
	w := strings.Fields(step)
	switch w[0] {
	case "launch":
		var tasks []*v1.TaskInfo
		for _, id := range w[1:] {
			tasks = append(tasks, task(id))
		}
		return p.launch(tasks...)
	case "update":
		return p.update(status(w[1], w[2], w[3]))
	case "ack":
		if p.acknowledge(ids.TaskID(w[1]), []byte(w[2])) == nil {
			return errs.NotFound
		}
	case "withdraw":
		p.withdraw(status(w[1], w[2], w[3]))
	}
	return nil
}

func TestPending(t *testing.T) {
	for name, tc := range map[string]struct {
		steps []string
		want  string
		err   error // of the last step
	}{
		"nothing":                       {nil, " | ", nil},
		"tasks in order of launch":      {[]string{"launch b", "launch a c"}, "b a c | ", nil},
		"update does not free its task": {[]string{"launch a", "update a RUNNING 1"}, "a | 1", nil},
		"updates in order, tasks mixed": {[]string{"launch a b", "update b RUNNING 1", "update a RUNNING 2", "update b FINISHED 3"}, "a b | 1 2 3", nil},
		"first ack frees the task":      {[]string{"launch a b", "update a STARTING 1", "update a RUNNING 2", "ack a 1"}, "b | 2", nil},
		"acks out of order":             {[]string{"launch a", "update a STARTING 1", "update a RUNNING 2", "update a FAILED 3", "ack a 2"}, " | 1 3", nil},
		"all acked":                     {[]string{"launch a", "update a FINISHED 1", "ack a 1"}, " | ", nil},
		"ack twice":                     {[]string{"launch a", "update a RUNNING 1", "ack a 1", "ack a 1"}, " | ", errs.NotFound},
		"ack of another task's uuid":    {[]string{"launch a b", "update a RUNNING 1", "ack b 1"}, "a b | 1", errs.NotFound},
		"ack of nothing":                {[]string{"ack a 1"}, " | ", errs.NotFound},
		"launched twice":                {[]string{"launch a", "launch a"}, "a | ", errs.Exists},
		"launched twice, running":       {[]string{"launch a", "update a RUNNING 1", "ack a 1", "launch a"}, " | ", errs.Exists},
		"launched twice, ended":         {[]string{"launch a", "update a FAILED 1", "launch a"}, "a | 1", errs.Exists},
		"id used again":                 {[]string{"launch a", "update a FAILED 1", "ack a 1", "launch a"}, "a | ", nil},
		"group with one known":          {[]string{"launch b", "launch a b"}, "b | ", errs.Exists},
		"group with one twice":          {[]string{"launch a a"}, " | ", errs.Exists},
		"after the end":                 {[]string{"launch a", "update a KILLED 1", "update a RUNNING 2"}, "a | 1", errs.Conflict},
		"ended twice":                   {[]string{"launch a", "update a KILLED 1", "update a FAILED 2"}, "a | 1", errs.Conflict},
		"of a task not launched":        {[]string{"update x KILLED 1", "update x KILLED 2", "ack x 1"}, " | 2", nil},
		"withdrawn":                     {[]string{"launch a", "update a RUNNING 1", "withdraw a RUNNING 1"}, "a | ", nil},
		"withdrawn end is none":         {[]string{"launch a", "update a FAILED 1", "withdraw a FAILED 1", "update a KILLED 2"}, "a | 2", nil},
		"withdrawn after the ack":       {[]string{"launch a", "update a FAILED 1", "ack a 1", "withdraw a FAILED 1"}, " | ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var p pending
			for i, step := range tc.steps {
				err := perform(&p, step)
				if last := i == len(tc.steps)-1; last && !errors.Is(err, tc.err) || !last && err != nil {
					t.Fatalf("%s: error %v", step, err)
				}
			}
			if got := shown(&p); got != tc.want {
				t.Errorf("SUBSCRIBE would carry %q, want %q", got, tc.want)
			}
		})
	}
}

// TestPendingKeepsItsOwn: what a handler does to its task changes nothing.
func TestPendingKeepsItsOwn(t *testing.T) {
	var p pending
	given := task("a")
	if err := p.launch(given); err != nil {
		t.Fatal(err)
	}
	sub := p.subscribe()
	given.TaskId.Value = proto.String("b")
	p.acknowledge("a", nil)
	if got := sub.GetUnacknowledgedTasks()[0].GetTaskId().GetValue(); got != "a" {
		t.Errorf("task %q, want a", got)
	}
}

func FuzzPending(f *testing.F) {
	f.Add([]byte{0x00, 0x11, 0x21, 0x10, 0x30, 0x20})
	f.Fuzz(func(t *testing.T, script []byte) {
		var p pending
		var updates []string // not acknowledged
		for n, b := range script {
			id := string(rune('a' + b>>4&3))
			switch b & 3 {
			case 0:
				_ = p.launch(task(id))
			case 1, 2:
				state, uuid := "RUNNING", fmt.Sprint(n)
				if b&3 == 2 {
					state = "FAILED"
				}
				if p.update(status(id, state, uuid)) == nil {
					updates = append(updates, uuid)
				}
			case 3:
				uuid := ""
				if i := int(b >> 6); i < len(p.updates) {
					id, uuid = p.updates[i].GetTaskId().GetValue(), string(p.updates[i].GetUuid())
				}
				here := slices.Contains(updates, uuid)
				if got := p.acknowledge(ids.TaskID(id), []byte(uuid)) != nil; got != here {
					t.Fatalf("acknowledged %q: %v, want %v", uuid, got, here)
				}
				updates = slices.DeleteFunc(updates, func(u string) bool { return u == uuid })
			}
			if _, got, _ := strings.Cut(shown(&p), " | "); got != strings.Join(updates, " ") {
				t.Fatalf("updates %q, want %q", got, updates)
			}
			for _, task := range p.tasks {
				if _, here := p.ended[taskID(task)]; !here {
					t.Fatalf("task %q is to be told of and not here", taskID(task))
				}
			}
		}
	})
}
