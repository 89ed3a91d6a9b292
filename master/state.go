package master

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"mezzo/master/core"
)

type masterModel struct {
	ID       string          `json:"id"`
	PID      string          `json:"pid"`
	Port     uint32          `json:"port"`
	Hostname string          `json:"hostname"`
	Domain   json.RawMessage `json:"domain,omitempty"`
}

type stateModel struct {
	versionModel
	StartTime         float64           `json:"start_time"`
	ElectedTime       float64           `json:"elected_time"`
	ID                string            `json:"id"`
	PID               string            `json:"pid"`
	Hostname          string            `json:"hostname"`
	Capabilities      []string          `json:"capabilities"`
	ActivatedAgents   int               `json:"activated_slaves"`
	DeactivatedAgents int               `json:"deactivated_slaves"`
	UnreachableAgents int               `json:"unreachable_slaves"`
	Domain            json.RawMessage   `json:"domain,omitempty"`
	Leader            string            `json:"leader"`
	LeaderInfo        masterModel       `json:"leader_info"`
	Cluster           string            `json:"cluster,omitempty"`
	LogDir            string            `json:"log_dir,omitempty"`
	ExternalLogFile   string            `json:"external_log_file,omitempty"`
	Flags             map[string]string `json:"flags"`
	agentsModel
	Frameworks             []frameworkModel `json:"frameworks"`
	CompletedFrameworks    []frameworkModel `json:"completed_frameworks"`
	OrphanTasks            []taskModel      `json:"orphan_tasks"`            // always empty since Mesos 1.2
	UnregisteredFrameworks []string         `json:"unregistered_frameworks"` // always empty since Mesos 1.2
}

type agentsModel struct {
	Agents          json.RawMessage `json:"slaves"`
	RecoveredAgents []agentModel    `json:"recovered_slaves"`
}

// state serves GET /state: everything at once.
func (m *Master) state(w http.ResponseWriter, r *http.Request) {
	m.respondDocument(w, r, "/state", func(s *core.Snapshot) (pieces, error) {
		return m.texts.legacy.assemble(s, func(a *assembly) any { return m.modelState(a, s) })
	})
}

func (m *Master) modelState(a *assembly, s *core.Snapshot) *stateModel {
	started := core.Seconds(m.started)
	out := stateModel{
		versionModel:           m.versionModel(),
		StartTime:              started,
		ElectedTime:            core.Seconds(m.lead().elected),
		ID:                     m.lead().info.GetId(),
		PID:                    m.lead().info.GetPid(),
		Hostname:               m.lead().info.GetHostname(),
		Capabilities:           []string{},
		UnreachableAgents:      len(s.Unreachable),
		Domain:                 raw(m.lead().info.GetDomain()),
		Leader:                 m.lead().info.GetPid(),
		LeaderInfo:             masterModel{ID: m.lead().info.GetId(), PID: m.lead().info.GetPid(), Port: m.lead().info.GetPort(), Hostname: m.lead().info.GetHostname(), Domain: raw(m.lead().info.GetDomain())},
		Cluster:                m.cfg.Cluster,
		LogDir:                 m.deps.Flags["log_dir"],
		ExternalLogFile:        m.deps.Flags["external_log_file"],
		Flags:                  m.flagMap(),
		agentsModel:            agentsModel{a.agentList(s.Agents, ""), modelRecovered(s.Recovered, "")},
		Frameworks:             a.modelFrameworks(s.Frameworks, ""),
		CompletedFrameworks:    a.modelFrameworks(s.Completed, ""),
		OrphanTasks:            []taskModel{},
		UnregisteredFrameworks: []string{},
	}
	for i := range s.Agents {
		if s.Agents[i].Active() {
			out.ActivatedAgents++
		} else {
			out.DeactivatedAgents++
		}
	}
	return &out
}

// named is the name of a document that all share, or none if only one thing is asked
// for: there are as many names as readers can think of.
func named(path, id string) string {
	if id != "" {
		return ""
	}
	return path
}

// slaves serves GET /slaves[?slave_id=ID].
func (m *Master) slaves(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("slave_id")
	m.respondDocument(w, r, named("/slaves", id), func(s *core.Snapshot) (pieces, error) {
		return m.texts.legacy.assemble(s, func(a *assembly) any { return agentsModel{a.agentList(s.Agents, id), modelRecovered(s.Recovered, id)} })
	})
}

// frameworks serves GET /frameworks[?framework_id=ID].
func (m *Master) frameworks(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("framework_id")
	m.respondDocument(w, r, named("/frameworks", id), func(s *core.Snapshot) (pieces, error) {
		return m.texts.legacy.assemble(s, func(a *assembly) any {
			return map[string]any{
				"frameworks":              a.modelFrameworks(s.Frameworks, id),
				"completed_frameworks":    a.modelFrameworks(s.Completed, id),
				"unregistered_frameworks": []string{},
			}
		})
	})
}

// tasks serves GET /tasks[?framework_id=ID][&task_id=ID][&limit=100][&offset=0]
// [&order=des|asc]: by the time of the first status, the newest first.
func (m *Master) tasks(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, offset := 100, 0
	for name, n := range map[string]*int{"limit": &limit, "offset": &offset} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		v, err := strconv.Atoi(text)
		if err != nil || v < 0 {
			refuse(w, http.StatusBadRequest, "%s %q is not a number", name, text)
			return
		}
		*n = v
	}
	s, err := m.lead().loop.read()
	if err != nil {
		fail(w, err)
		return
	}
	found := selectTasks(s, query.Get("framework_id"), query.Get("task_id"))
	slices.SortStableFunc(found, compareByStart)
	if query.Get("order") != "asc" {
		slices.Reverse(found)
	}
	found = found[min(offset, len(found)):]
	found = found[:min(limit, len(found))]
	respondJSON(w, r, map[string]any{"tasks": modelTasks(found)})
}

// selectTasks finds tasks in whatever state; empty ids mean any.
func selectTasks(s *core.Snapshot, framework, task string) []*core.Task {
	var found []*core.Task
	for _, list := range [][]core.FrameworkView{s.Frameworks, s.Completed} {
		for i := range list {
			if framework != "" && framework != string(list[i].ID) {
				continue
			}
			for _, t := range slices.Concat(list[i].Tasks, list[i].Unreachable, list[i].Finished) {
				if task == "" || task == string(t.ID) {
					found = append(found, t)
				}
			}
		}
	}
	return found
}

// compareByStart orders by the first status; what has none yet is the newest.
func compareByStart(a, b *core.Task) int {
	switch an, bn := len(a.Statuses) == 0, len(b.Statuses) == 0; {
	case an && bn:
		return 0
	case an:
		return 1
	case bn:
		return -1
	}
	return cmp.Compare(a.Statuses[0].GetTimestamp(), b.Statuses[0].GetTimestamp())
}
