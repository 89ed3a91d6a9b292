package core

import (
	"testing"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/resources"
)

// TestHeldByExecutors: an executor holds its own and what its live tasks have.
func TestHeldByExecutors(t *testing.T) {
	x := &Executor{ID: "x", Agent: "a1", Resources: resources.MustParse("cpus:1")}
	elsewhere := &Executor{ID: "x", Agent: "a2", Resources: resources.MustParse("cpus:2")}
	task := func(agent ids.AgentID, executor ids.ExecutorID, state v1.TaskState) *Task {
		info := &v1.Task{}
		if executor != "" {
			info.ExecutorId = executor.Proto()
		}
		return &Task{Agent: agent, Info: info, State: state, Resources: resources.MustParse("cpus:0.5")}
	}
	f := FrameworkView{Executors: []*Executor{x, elsewhere}, Tasks: []*Task{
		task("a1", "x", v1.TaskState_TASK_RUNNING), task("a1", "x", v1.TaskState_TASK_STAGING), task("a1", "x", v1.TaskState_TASK_FAILED),
		task("a1", "", v1.TaskState_TASK_RUNNING), task("a1", "y", v1.TaskState_TASK_RUNNING),
	}}
	held := f.HeldByExecutors()
	if got := held[x].String(); got != "cpus:2" {
		t.Errorf("it holds %s", got)
	}
	if got := held[elsewhere].String(); got != "cpus:2" {
		t.Errorf("its namesake holds %s", got)
	}
}
