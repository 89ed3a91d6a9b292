package master

import (
	"maps"
	"net/http"
	"slices"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
)

// taskCounts are how many tasks are in each state.
//
// Source: mesos master/http.cpp, TaskStateSummary.
type taskCounts struct {
	Staging        int `json:"TASK_STAGING"`
	Starting       int `json:"TASK_STARTING"`
	Running        int `json:"TASK_RUNNING"`
	Killing        int `json:"TASK_KILLING"`
	Finished       int `json:"TASK_FINISHED"`
	Killed         int `json:"TASK_KILLED"`
	Failed         int `json:"TASK_FAILED"`
	Lost           int `json:"TASK_LOST"`
	Error          int `json:"TASK_ERROR"`
	Dropped        int `json:"TASK_DROPPED"`
	Unreachable    int `json:"TASK_UNREACHABLE"`
	Gone           int `json:"TASK_GONE"`
	GoneByOperator int `json:"TASK_GONE_BY_OPERATOR"`
	Unknown        int `json:"TASK_UNKNOWN"`
}

func (c *taskCounts) add(s v1.TaskState) {
	n := map[v1.TaskState]*int{
		v1.TaskState_TASK_STAGING: &c.Staging, v1.TaskState_TASK_STARTING: &c.Starting, v1.TaskState_TASK_RUNNING: &c.Running,
		v1.TaskState_TASK_KILLING: &c.Killing, v1.TaskState_TASK_FINISHED: &c.Finished, v1.TaskState_TASK_KILLED: &c.Killed,
		v1.TaskState_TASK_FAILED: &c.Failed, v1.TaskState_TASK_LOST: &c.Lost, v1.TaskState_TASK_ERROR: &c.Error,
		v1.TaskState_TASK_DROPPED: &c.Dropped, v1.TaskState_TASK_UNREACHABLE: &c.Unreachable, v1.TaskState_TASK_GONE: &c.Gone,
		v1.TaskState_TASK_GONE_BY_OPERATOR: &c.GoneByOperator, v1.TaskState_TASK_UNKNOWN: &c.Unknown,
	}[s]
	if n != nil {
		*n++
	}
}

type agentSummary struct {
	agentModel
	taskCounts
	FrameworkIDs []string `json:"framework_ids"`
}

type frameworkSummary struct {
	ID               string         `json:"id"`
	Name             string         `json:"name"`
	UsedResources    map[string]any `json:"used_resources"`
	OfferedResources map[string]any `json:"offered_resources"`
	Capabilities     []string       `json:"capabilities"`
	Hostname         string         `json:"hostname"`
	WebUIURL         string         `json:"webui_url"`
	Active           bool           `json:"active"`
	Connected        bool           `json:"connected"`
	Recovered        bool           `json:"recovered"`
	taskCounts
	AgentIDs []string `json:"slave_ids"`
}

type summaryModel struct {
	Hostname   string             `json:"hostname"`
	Cluster    string             `json:"cluster,omitempty"`
	Agents     []agentSummary     `json:"slaves"`
	Frameworks []frameworkSummary `json:"frameworks"`
}

// stateSummary serves GET /state-summary: who is there, with numbers of tasks in
// place of tasks.
func (m *Master) stateSummary(w http.ResponseWriter, r *http.Request) {
	s, err := m.lead().loop.read()
	if err != nil {
		fail(w, err)
		return
	}
	respondJSON(w, r, summarize(s, m.lead().info.GetHostname(), m.cfg.Cluster))
}

func summarize(s *core.Snapshot, hostname, cluster string) summaryModel {
	out := summaryModel{Hostname: hostname, Cluster: cluster, Agents: make([]agentSummary, len(s.Agents)), Frameworks: make([]frameworkSummary, len(s.Frameworks))}
	at := make(map[ids.AgentID]*agentSummary, len(s.Agents))
	for i := range s.Agents {
		out.Agents[i] = agentSummary{agentModel: modelAgent(&s.Agents[i]), FrameworkIDs: []string{}}
		at[s.Agents[i].ID] = &out.Agents[i]
	}
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		sum := frameworkSummary{
			ID: string(f.ID), Name: f.Info.GetName(), UsedResources: amounts(f.Used()), OfferedResources: amounts(f.Offered()),
			Capabilities: []string{}, Hostname: f.Info.GetHostname(), WebUIURL: f.Info.GetWebuiUrl(),
			Active: f.Connected, Connected: f.Connected, Recovered: f.Recovered,
		}
		for _, c := range f.Info.GetCapabilities() {
			sum.Capabilities = append(sum.Capabilities, c.GetType().String())
		}
		on := make(map[string]bool)
		for _, list := range [][]*core.Task{f.Tasks, f.Unreachable, f.Finished} {
			for _, t := range list {
				sum.add(t.State)
				on[string(t.Agent)] = true
				if a := at[t.Agent]; a != nil {
					a.add(t.State)
					if n := len(a.FrameworkIDs); n == 0 || a.FrameworkIDs[n-1] != string(f.ID) {
						a.FrameworkIDs = append(a.FrameworkIDs, string(f.ID))
					}
				}
			}
		}
		if sum.AgentIDs = slices.Sorted(maps.Keys(on)); sum.AgentIDs == nil {
			sum.AgentIDs = []string{}
		}
		out.Frameworks[i] = sum
	}
	return out
}
