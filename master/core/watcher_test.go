package core_test

import (
	"fmt"
	"maps"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
)

// watcher knows what one snapshot showed and what was told since: the naive model
// of somebody who watches.
type watcher struct {
	agents     map[ids.AgentID]bool
	frameworks map[ids.FrameworkID]string // how it is
	tasks      map[watchedTask]v1.TaskState
}

type watchedTask struct {
	framework ids.FrameworkID
	task      ids.TaskID
}

// watch starts with s.
func watch(s *core.Snapshot) *watcher {
	w := &watcher{map[ids.AgentID]bool{}, map[ids.FrameworkID]string{}, map[watchedTask]v1.TaskState{}}
	for i := range s.Agents {
		w.agents[s.Agents[i].ID] = true
	}
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		w.frameworks[f.ID] = howItIs(f)
		for _, t := range f.Tasks {
			w.task(t)
		}
	}
	return w
}

func howItIs(f *core.FrameworkView) string {
	return fmt.Sprint(f.Connected, f.Recovered, f.Info.GetFailoverTimeout(), len(f.Info.GetCapabilities()))
}

// task keeps those that run or may come to.
func (w *watcher) task(t *core.Task) {
	switch key := (watchedTask{t.Framework, t.ID}); t.State {
	case v1.TaskState_TASK_STAGING, v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_KILLING:
		w.tasks[key] = t.State
	default:
		delete(w.tasks, key)
	}
}

func (w *watcher) hear(e core.Effect) {
	switch e := e.(type) {
	case core.TaskAdded:
		w.task(e.Task)
	case core.TaskUpdated:
		w.task(e.Task)
	case core.AgentAdded:
		w.agents[e.Agent.ID] = true
	case core.AgentRemoved:
		delete(w.agents, e.Agent.ID)
	case core.FrameworkAdded:
		w.frameworks[e.Framework.ID] = howItIs(&e.Framework)
	case core.FrameworkUpdated:
		w.frameworks[e.Framework.ID] = howItIs(&e.Framework)
	case core.FrameworkRemoved:
		delete(w.frameworks, ids.FrameworkID(e.Info.GetId().GetValue()))
	}
}

// differs says where w parts from what who starts to watch now knows; empty if
// nowhere.
func (w *watcher) differs(now *watcher) string {
	switch {
	case !maps.Equal(w.agents, now.agents):
		return fmt.Sprintf("agents %v, of whom is known %v", now.agents, w.agents)
	case !maps.Equal(w.frameworks, now.frameworks):
		return fmt.Sprintf("frameworks %v, of which is known %v", now.frameworks, w.frameworks)
	case !maps.Equal(w.tasks, now.tasks):
		return fmt.Sprintf("tasks %v, of which is known %v", now.tasks, w.tasks)
	}
	return ""
}
