package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

// chunkBytes is what one request brings of a file at most.
const chunkBytes = 1 << 20

// sandbox is a task's directory, read through its agent.
type sandbox struct {
	http  *http.Client
	agent string // "host:port"
	dir   string
}

// findSandbox asks the agent where a task's sandbox is.
func findSandbox(ctx context.Context, hc *http.Client, a *master.Response_GetAgents_Agent, framework *v1.FrameworkID, task *v1.TaskID) (*sandbox, error) {
	s := &sandbox{http: hc, agent: agentAddress(a)}
	if s.agent == "" {
		return nil, fmt.Errorf("agent %s: the master knows no address", agentID(a))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("no answer within %v", answerTimeout))
	defer cancel()
	body, _, err := s.get(ctx, "/state", nil, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("ask agent %s at %s: %w", a.GetAgentInfo().GetHostname(), s.agent, err)
	}
	var state agentReport
	if err := json.Unmarshal(body, &state); err != nil {
		return nil, fmt.Errorf("state of agent at %s: %w", s.agent, err)
	}
	if s.dir = state.directory(framework.GetValue(), task.GetValue()); s.dir == "" {
		return nil, fmt.Errorf("agent %s has no sandbox of task %s (any more)", a.GetAgentInfo().GetHostname(), task.GetValue())
	}
	return s, nil
}

// agentReport is what we need of an agent's /state.
type agentReport struct {
	Frameworks          []agentFramework `json:"frameworks"`
	CompletedFrameworks []agentFramework `json:"completed_frameworks"`
}

type agentFramework struct {
	ID                 string          `json:"id"`
	Executors          []agentExecutor `json:"executors"`
	CompletedExecutors []agentExecutor `json:"completed_executors"`
}

type agentExecutor struct {
	ID        string `json:"id"`
	Directory string `json:"directory"`
	Type      string `json:"type"` // DEFAULT: each task has a sandbox below

	Tasks, Completed []struct {
		ID string `json:"id"`
	}
}

// UnmarshalJSON has the names that Go's don't fit.
func (e *agentExecutor) UnmarshalJSON(b []byte) error {
	type plain agentExecutor
	var more struct {
		Completed []struct {
			ID string `json:"id"`
		} `json:"completed_tasks"`
	}
	if err := errors.Join(json.Unmarshal(b, (*plain)(e)), json.Unmarshal(b, &more)); err != nil {
		return err
	}
	e.Completed = more.Completed
	return nil
}

// has tells whether the executor has or had a task.
func (e *agentExecutor) has(task string) bool {
	for _, t := range slices.Concat(e.Tasks, e.Completed) {
		if t.ID == task {
			return true
		}
	}
	return false
}

// directory is the newest sandbox of a task: a command task's own, whose
// executor's id is its own, or what an executor has for it; "" if there is none.
func (s agentReport) directory(framework, task string) string {
	dir := ""
	for _, f := range slices.Concat(s.CompletedFrameworks, s.Frameworks) {
		if f.ID != framework {
			continue
		}
		for _, e := range slices.Concat(f.CompletedExecutors, f.Executors) {
			switch {
			case e.Type == "DEFAULT" && e.has(task):
				dir = e.Directory + "/tasks/" + task
			case e.ID == task || e.has(task):
				dir = e.Directory
			}
		}
	}
	return dir
}

// fileHeader names the file that an answer is of, whatever its name is by now.
const fileHeader = "Mezzo-File"

// read returns what a file holds from offset on, up to a length, and which file it
// is, "" of an agent that doesn't tell; nothing at its end.
func (s *sandbox) read(ctx context.Context, name string, offset, length int64) (data []byte, file string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("no answer within %v", answerTimeout))
	defer cancel()
	b, h, err := s.get(ctx, "/files/download", url.Values{"path": {s.dir + "/" + name}}, offset, length)
	if code := (*statusError)(nil); errors.As(err, &code) && code.status == http.StatusRequestedRangeNotSatisfiable {
		return nil, h.Get(fileHeader), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read %s of sandbox: %w", name, err)
	}
	return b, h.Get(fileHeader), nil
}

// get asks the agent; for a query it wants so many bytes from offset on.
func (s *sandbox) get(ctx context.Context, path string, query url.Values, offset, length int64) ([]byte, http.Header, error) {
	u := url.URL{Scheme: "http", Host: s.agent, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	if query != nil {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	}
	return exchange(s.http, req)
}
