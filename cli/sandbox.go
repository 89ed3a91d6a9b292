package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

const (
	// What one request brings of a file at most.
	chunkBytes = 1 << 20
	// Between two looks at a file that grows.
	followInterval = 200 * time.Millisecond
)

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
	body, err := s.get(ctx, "/state", nil, 0)
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

// read returns what a file holds from offset on, up to a chunk; nothing at its
// end.
func (s *sandbox) read(ctx context.Context, name string, offset int64) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("no answer within %v", answerTimeout))
	defer cancel()
	b, err := s.get(ctx, "/files/download", url.Values{"path": {s.dir + "/" + name}}, offset)
	if code := (*statusError)(nil); errors.As(err, &code) && code.status == http.StatusRequestedRangeNotSatisfiable {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of sandbox: %w", name, err)
	}
	return b, nil
}

// get asks the agent; for a query it wants the bytes from offset on.
func (s *sandbox) get(ctx context.Context, path string, query url.Values, offset int64) ([]byte, error) {
	u := url.URL{Scheme: "http", Host: s.agent, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if query != nil {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+chunkBytes-1))
	}
	return fetch(s.http, req)
}

// tail copies a file of a sandbox as far as it goes, again and again.
type tail struct {
	s      *sandbox
	name   string
	w      io.Writer
	offset int64
}

// writeError is output that could not be passed on, which no retry cures.
type writeError struct{ err error }

func (e *writeError) Error() string { return "pass on output: " + e.err.Error() }

func (e *writeError) Unwrap() error { return e.err }

func (t *tail) drain(ctx context.Context) error {
	for {
		b, err := t.s.read(ctx, t.name, t.offset)
		if err != nil || len(b) == 0 {
			return err
		}
		t.offset += int64(len(b))
		if _, err := t.w.Write(b); err != nil {
			return &writeError{err}
		}
	}
}

// output is both of a task's streams.
type output []*tail

func (s *sandbox) output(stdout, stderr io.Writer) output {
	return output{{s: s, name: "stdout", w: stdout}, {s: s, name: "stderr", w: stderr}}
}

func (o output) drain(ctx context.Context) error {
	for _, t := range o {
		if err := t.drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// follow drains o until the task has ended and nothing is left. Errors of
// reading pass on the way: the agent may be starting anew.
func (o output) follow(ctx context.Context, ended <-chan struct{}) error {
	for {
		last := false
		select {
		case <-ended:
			last = true
		default:
		}
		err := o.drain(ctx)
		if unwritten := (*writeError)(nil); last || ctx.Err() != nil || errors.As(err, &unwritten) {
			return err
		}
		t := time.NewTimer(followInterval)
		select {
		case <-t.C:
		case <-ended:
		case <-ctx.Done():
		}
		t.Stop()
	}
}
