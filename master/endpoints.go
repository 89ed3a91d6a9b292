package master

import (
	"maps"
	"net/http"

	"mezzo/api/mesosjson"
)

// health serves GET /health: who answers is alive.
func (m *Master) health(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

type versionModel struct {
	Version   string  `json:"version"`
	GitSHA    string  `json:"git_sha,omitempty"`
	GitBranch string  `json:"git_branch,omitempty"`
	GitTag    string  `json:"git_tag,omitempty"`
	BuildDate string  `json:"build_date"`
	BuildTime float64 `json:"build_time"`
	BuildUser string  `json:"build_user"`
}

func (m *Master) versionModel() versionModel {
	v := m.deps.Version
	return versionModel{
		Version:   v.GetVersion(),
		GitSHA:    v.GetGitSha(),
		GitBranch: v.GetGitBranch(),
		GitTag:    v.GetGitTag(),
		BuildDate: v.GetBuildDate(),
		BuildTime: v.GetBuildTime(),
		BuildUser: v.GetBuildUser(),
	}
}

// version serves GET /version.
func (m *Master) version(w http.ResponseWriter, r *http.Request) {
	respondJSON(w, r, m.versionModel())
}

// flags serves GET /flags.
func (m *Master) flags(w http.ResponseWriter, r *http.Request) {
	respondJSON(w, r, map[string]any{"flags": m.flagMap()})
}

func (m *Master) flagMap() map[string]string {
	flags := map[string]string{}
	maps.Copy(flags, m.deps.Flags)
	return flags
}

// usage serves GET /usage: what GET_USAGE answers, to who has but a browser.
func (m *Master) usage(w http.ResponseWriter, r *http.Request) {
	s, err := m.lead().loop.read()
	if err != nil {
		fail(w, err)
		return
	}
	body, err := mesosjson.Marshal(clusterUsage(s))
	if err != nil {
		fail(w, err)
		return
	}
	respond(w, r, "application/json", body)
}
