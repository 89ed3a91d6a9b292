package agent

// Goal: tools read what they read from Mesos, and nothing they ask disturbs the
// agent. Method: a server on the snapshot of a core that went through a few
// events; the names expected are those that tools look for.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"mezzo/agent/core"
	"mezzo/agent/task"
	"mezzo/api/codec"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/images"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

const testAgent = `hostname: "h" port: 5051 id { value: "a1" }
	resources { name: "cpus" type: SCALAR scalar { value: 4 } }
	resources { name: "cpus" type: SCALAR scalar { value: 2 } revocable { } }
	resources { name: "mem" type: SCALAR scalar { value: 1024 } reservations { role: "web" type: STATIC } }
	resources { name: "ports" type: RANGES ranges { range { begin: 31000 end: 32000 } } }
	resources { name: "os" type: SET set { item: "b" item: "a" } }
	attributes { name: "rack" type: TEXT text { value: "r1" } }
	attributes { name: "size" type: SCALAR scalar { value: 4 } }
	attributes { name: "range" type: RANGES ranges { range { begin: 1 end: 2 } } }
	attributes { name: "set" type: SET set { item: "x" } }`

const testTask = `name: "web" agent_id { value: "a1" } command { value: "sleep 1" user: "bob" }
	resources { name: "cpus" type: SCALAR scalar { value: 0.5 } allocation_info { role: "web" } }
	resources { name: "mem" type: SCALAR scalar { value: 64 } allocation_info { role: "web" } }
	limits { key: "cpus" value { value: inf } }
	labels { labels { key: "k" value: "v" } }
	discovery { visibility: CLUSTER name: "d" ports { ports { number: 80 } } }
	container { type: MESOS }`

func text[M proto.Message](t testing.TB, s string, m M) M {
	t.Helper()
	if err := (prototext.UnmarshalOptions{AllowPartial: true}).Unmarshal([]byte(s), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// newTestServer has one running task, one that ended unacknowledged, and one
// that is completed.
func newTestServer(t testing.TB) *server {
	t.Helper()
	n := byte(0)
	c := core.New(core.Config{
		Agent: text(t, testAgent, &v1.AgentInfo{}), IP: "10.0.0.1", NewID: func() [16]byte { n++; return [16]byte{15: n} },
		MaxCompletedFrameworks: 2, MaxCompletedTasksPerFramework: 2,
	})
	now := time.Unix(1700000000, 0)
	c.Step(now, core.Attached{Welcome: &link.Welcome{AgentId: ids.AgentID("a1").Proto(), Master: &v1.MasterInfo{Hostname: proto.String("m")}}})
	framework := text(t, `id { value: "f1" } name: "fw" user: "root" roles: "web" principal: "p" failover_timeout: 5`, &v1.FrameworkInfo{})
	var running ids.ContainerID
	for _, name := range []string{"done", "ended", "run"} {
		info := text(t, testTask, &v1.TaskInfo{})
		info.TaskId = ids.TaskID(name).Proto()
		for _, e := range c.Step(now, core.RunTask{Framework: framework, Task: info, Limits: isolator.Limits{CPURequestMilli: 500, CPULimitMilli: isolator.Unlimited, MemLimitBytes: 64 << 20}}) {
			if l, ok := e.(core.Launch); ok {
				running = l.Container
			}
		}
		c.Step(now, core.Launched{Container: running, PID: 7})
		if name == "run" {
			break
		}
		c.Step(now, core.Exited{Container: running, Exit: task.Exited{Code: 1}})
		c.Step(now, core.Destroyed{Container: running})
		for range 3 {
			if h := c.Hello(); name == "done" && len(h.GetTasks()) > 0 {
				c.Step(now, core.Message{Message: &link.FromMaster{Message: &link.FromMaster_Acknowledge{Acknowledge: &link.Acknowledge{
					FrameworkId: framework.GetId(), TaskId: info.GetTaskId(), Uuid: h.GetTasks()[0].GetStatusUpdateUuid(),
				}}}})
			}
		}
	}
	snap := &snapshot{View: c.View(), usage: map[ids.ContainerID]*isolator.Usage{running: {
		At: now, CPUUser: time.Second, MemAnonBytes: 100, Periods: 3,
	}}}
	return &server{
		snapshot: func(context.Context) (*snapshot, error) { return snap, nil }, workDir: "/work", endpoint: "10.0.0.1:5051",
		flags: map[string]string{"work_dir": "/work"}, version: &v1.VersionInfo{Version: proto.String("1.2.3")}, start: now,
	}
}

func do(h http.Handler, method, target string, header http.Header, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, bytes.NewReader(body))
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// decode reads a JSON answer.
func decode(t *testing.T, h http.Handler, target string) any {
	t.Helper()
	w := do(h, http.MethodGet, target, nil, nil)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %s %s", target, w.Code, w.Header(), w.Body)
	}
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return v
}

// at walks into decoded JSON: at(v, "frameworks", 0, "id").
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, ok := v.(map[string]any)
			if !ok || o[p] == nil {
				t.Fatalf("no %v in %v", path, v)
			}
			v = o[p]
		case int:
			l, ok := v.([]any)
			if !ok || len(l) <= p {
				t.Fatalf("no %v in %v", path, v)
			}
			v = l[p]
		}
	}
	return v
}

func TestState(t *testing.T) {
	s := newTestServer(t)
	v := decode(t, s, "/slave(1)/state.json")
	for _, tc := range []struct {
		want any
		path []any
	}{
		{"a1", []any{"id"}},
		{"slave(1)@10.0.0.1:5051", []any{"pid"}},
		{"h", []any{"hostname"}},
		{"1.2.3", []any{"version"}},
		{"m", []any{"master_hostname"}},
		{"MULTI_ROLE", []any{"capabilities", 0}},
		{4.0, []any{"resources", "cpus"}},
		{2.0, []any{"resources", "cpus_revocable"}},
		{0.0, []any{"resources", "gpus"}},
		{1024.0, []any{"resources", "mem"}},
		{"[31000-32000]", []any{"resources", "ports"}},
		{"{a, b}", []any{"resources", "os"}},
		{1024.0, []any{"reserved_resources", "web", "mem"}},
		{"mem", []any{"reserved_resources_full", "web", 0, "name"}},
		{0.0, []any{"unreserved_resources", "mem"}},
		{"cpus", []any{"unreserved_resources_full", 0, "name"}},
		{0.5, []any{"unreserved_resources_allocated", "cpus"}},
		{"r1", []any{"attributes", "rack"}},
		{4.0, []any{"attributes", "size"}},
		{"[1-2]", []any{"attributes", "range"}},
		{"{x}", []any{"attributes", "set"}},
		{"/work", []any{"flags", "work_dir"}},
		{"f1", []any{"frameworks", 0, "id"}},
		{"fw", []any{"frameworks", 0, "name"}},
		{"web", []any{"frameworks", 0, "roles", 0}},
		{"p", []any{"frameworks", 0, "principal"}},

		{"ended", []any{"frameworks", 0, "executors", 0, "id"}},
		{"ended", []any{"frameworks", 0, "executors", 0, "completed_tasks", 0, "id"}},
		{0.0, []any{"frameworks", 0, "executors", 0, "resources", "cpus"}},
		{"run", []any{"frameworks", 0, "executors", 1, "source"}},
		{"00000000-0000-0000-0000-000000000009", []any{"frameworks", 0, "executors", 1, "container"}},
		{"/work/slaves/a1/frameworks/f1/executors/run/runs/00000000-0000-0000-0000-000000000009", []any{"frameworks", 0, "executors", 1, "directory"}},
		{0.5, []any{"frameworks", 0, "executors", 1, "resources", "cpus"}},
		{"done", []any{"frameworks", 0, "completed_executors", 0, "id"}},

		{"run", []any{"frameworks", 0, "executors", 1, "tasks", 0, "id"}},
		{"web", []any{"frameworks", 0, "executors", 1, "tasks", 0, "name"}},
		{"f1", []any{"frameworks", 0, "executors", 1, "tasks", 0, "framework_id"}},
		{"run", []any{"frameworks", 0, "executors", 1, "tasks", 0, "executor_id"}},
		{"a1", []any{"frameworks", 0, "executors", 1, "tasks", 0, "slave_id"}},
		{"TASK_RUNNING", []any{"frameworks", 0, "executors", 1, "tasks", 0, "state"}},
		{64.0, []any{"frameworks", 0, "executors", 1, "tasks", 0, "resources", "mem"}},
		{"Infinity", []any{"frameworks", 0, "executors", 1, "tasks", 0, "limits", "cpus"}},
		{"web", []any{"frameworks", 0, "executors", 1, "tasks", 0, "role"}},
		{"bob", []any{"frameworks", 0, "executors", 1, "tasks", 0, "user"}},
		{"k", []any{"frameworks", 0, "executors", 1, "tasks", 0, "labels", 0, "key"}},
		{"d", []any{"frameworks", 0, "executors", 1, "tasks", 0, "discovery", "name"}},
		{"MESOS", []any{"frameworks", 0, "executors", 1, "tasks", 0, "container", "type"}},
		{"TASK_STARTING", []any{"frameworks", 0, "executors", 1, "tasks", 0, "statuses", 0, "state"}},
		{"TASK_RUNNING", []any{"frameworks", 0, "executors", 1, "tasks", 0, "statuses", 1, "state"}},
		{1.7e9, []any{"frameworks", 0, "executors", 1, "tasks", 0, "statuses", 1, "timestamp"}},
		{"10.0.0.1", []any{"frameworks", 0, "executors", 1, "tasks", 0, "statuses", 1, "container_status", "network_infos", 0, "ip_addresses", 0, "ip_address"}},
	} {
		if got := at(t, v, tc.path...); got != tc.want {
			t.Errorf("%v is %v, want %v", tc.path, got, tc.want)
		}
	}
	if l, ok := at(t, v, "completed_frameworks").([]any); !ok || len(l) > 0 {
		t.Errorf("completed frameworks %v", l)
	}
}

func TestStatisticsAndContainers(t *testing.T) {
	s := newTestServer(t)
	for path, status := range map[string]bool{"/monitor/statistics": false, "/monitor/statistics.json": false, "/containers": true} {
		v := decode(t, s, path)
		for want, p := range map[any][]any{
			"run": {0, "executor_id"}, "web": {0, "executor_name"}, "f1": {0, "framework_id"},
			1.0: {0, "statistics", "cpus_user_time_secs"}, 100.0: {0, "statistics", "mem_rss_bytes"},
			float64(64 << 20): {0, "statistics", "mem_limit_bytes"}, 1.7e9: {0, "statistics", "timestamp"},
		} {
			if got := at(t, v, p...); got != want {
				t.Errorf("%s: %v is %v, want %v", path, p, got, want)
			}
		}
		if status && at(t, v, 0, "status", "executor_pid") != 7.0 {
			t.Errorf("%s: %v", path, v)
		}
	}
	for query, want := range map[string]int{
		"container_id=x": 0, "framework_id=f1&executor_id=run": 1, "executor_id=other": 0, "": 1,
	} {
		if l := decode(t, s, "/containers?"+query).([]any); len(l) != want {
			t.Errorf("%q finds %d containers, want %d", query, len(l), want)
		}
	}
}

// TestMetricsThatToolsRead: the names are those of telegraf's list for agents.
func TestMetricsThatToolsRead(t *testing.T) {
	s := newTestServer(t)
	v := decode(t, s, "/metrics/snapshot?timeout=100ms").(map[string]any)
	names := strings.Fields(`slave/registered slave/uptime_secs slave/frameworks_active slave/executors_registering slave/executors_running
		slave/executors_terminating slave/executors_terminated slave/executors_preempted slave/executor_directory_max_allowed_age_secs
		slave/tasks_staging slave/tasks_starting slave/tasks_running slave/tasks_finished slave/tasks_failed slave/tasks_killed slave/tasks_lost
		slave/valid_status_updates slave/invalid_status_updates slave/valid_framework_messages slave/invalid_framework_messages
		slave/container_launch_errors containerizer/mesos/container_destroy_errors slave/recovery_errors
		system/cpus_total system/load_1min system/load_5min system/load_15min system/mem_total_bytes system/mem_free_bytes`)
	for _, r := range []string{"cpus", "gpus", "mem", "disk"} {
		for _, kind := range []string{"", "revocable_"} {
			for _, n := range []string{"total", "used", "percent"} {
				names = append(names, "slave/"+r+"_"+kind+n)
			}
		}
	}
	for _, n := range names {
		if f, ok := v[n].(float64); !ok || math.IsNaN(f) || f < 0 {
			t.Errorf("%s is %v", n, v[n])
		}
	}
	for n, want := range map[string]float64{
		"slave/registered": 1, "slave/tasks_running": 1, "slave/tasks_failed": 2, "slave/frameworks_active": 1,
		"slave/cpus_total": 4, "slave/cpus_used": 0.5, "slave/cpus_percent": 0.125, "slave/cpus_revocable_total": 2, "slave/valid_status_updates": 3,
	} {
		if v[n] != want {
			t.Errorf("%s is %v, want %v", n, v[n], want)
		}
	}
	if w := do(s, http.MethodGet, "/metrics/snapshot?timeout=soon", nil, nil); w.Code != http.StatusBadRequest {
		t.Errorf("bad timeout: %d", w.Code)
	}
}

func TestSmallEndpoints(t *testing.T) {
	s := newTestServer(t)
	for target, want := range map[string]string{
		"/version": `{"version":"1.2.3"}`, "/flags": `{"flags":{"work_dir":"/work"}}`, "/slave(1)/flags/": `{"flags":{"work_dir":"/work"}}`,
	} {
		if w := do(s, http.MethodGet, target, nil, nil); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	for _, target := range []string{"/health", "/slave(1)/health", "/health/"} {
		if w := do(s, http.MethodGet, target, nil, nil); w.Code != http.StatusOK || w.Body.Len() > 0 {
			t.Errorf("%s: %d %q", target, w.Code, w.Body)
		}
	}
	for target, status := range map[string]int{"/": 404, "/nothing": 404, "/api/v2": 404, "/slave(2)/state": 404} {
		if w := do(s, http.MethodGet, target, nil, nil); w.Code != status {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	if w := do(s, http.MethodPost, "/state", nil, nil); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("POST /state: %d %v", w.Code, w.Header())
	}
	s.snapshot = func(context.Context) (*snapshot, error) { return nil, errEnded }
	if w := do(s, http.MethodGet, "/state", nil, nil); w.Code != http.StatusServiceUnavailable {
		t.Errorf("of an agent that ended: %d", w.Code)
	}
}

func TestOperatorCalls(t *testing.T) {
	s := newTestServer(t)
	call := func(c codec.Codec, m *agent.Call) *agent.Response {
		t.Helper()
		body := must(c.Marshal(m))
		w := do(s, http.MethodPost, "/api/v1", http.Header{"Content-Type": {c.ContentType()}, "Accept": {c.ContentType()}}, body)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != c.ContentType() {
			t.Fatalf("%v: %d %s", m, w.Code, w.Body)
		}
		r := &agent.Response{}
		if err := c.Unmarshal(w.Body.Bytes(), r); err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		if r.GetType().String() != m.GetType().String() {
			t.Errorf("%s answered by %s", m.GetType(), r.GetType())
		}
		return r
	}
	for _, c := range []codec.Codec{codec.JSON, codec.Protobuf} {
		get := func(k agent.Call_Type) *agent.Response { return call(c, &agent.Call{Type: k.Enum()}) }
		if !get(agent.Call_GET_HEALTH).GetGetHealth().GetHealthy() {
			t.Error("not healthy")
		}
		if v := get(agent.Call_GET_VERSION).GetGetVersion().GetVersionInfo().GetVersion(); v != "1.2.3" {
			t.Errorf("version %q", v)
		}
		if f := get(agent.Call_GET_FLAGS).GetGetFlags().GetFlags(); len(f) != 1 || f[0].GetValue() != "/work" {
			t.Errorf("flags %v", f)
		}
		state := get(agent.Call_GET_STATE).GetGetState()
		tasks := state.GetGetTasks()
		if len(tasks.GetLaunchedTasks()) != 1 || len(tasks.GetTerminatedTasks()) != 1 || len(tasks.GetCompletedTasks()) != 1 ||
			!proto.Equal(tasks, get(agent.Call_GET_TASKS).GetGetTasks()) {
			t.Errorf("tasks %v", tasks)
		}
		if e := state.GetGetExecutors(); len(e.GetExecutors()) != 2 || len(e.GetCompletedExecutors()) != 1 ||
			!proto.Equal(e, get(agent.Call_GET_EXECUTORS).GetGetExecutors()) {
			t.Errorf("executors %v", e)
		}
		if f := state.GetGetFrameworks(); len(f.GetFrameworks()) != 1 || !proto.Equal(f, get(agent.Call_GET_FRAMEWORKS).GetGetFrameworks()) {
			t.Errorf("frameworks %v", f)
		}
		if l := get(agent.Call_GET_CONTAINERS).GetGetContainers().GetContainers(); len(l) != 1 || l[0].GetResourceStatistics().GetMemRssBytes() != 100 {
			t.Errorf("containers %v", l)
		}
		if a := get(agent.Call_GET_AGENT).GetGetAgent().GetAgentInfo(); a.GetId().GetValue() != "a1" {
			t.Errorf("agent %v", a)
		}
		get(agent.Call_GET_OPERATIONS)
		get(agent.Call_GET_RESOURCE_PROVIDERS)
		m := call(c, &agent.Call{Type: agent.Call_GET_METRICS.Enum(), GetMetrics: &agent.Call_GetMetrics{}}).GetGetMetrics().GetMetrics()
		if !slices.ContainsFunc(m, func(m *v1.Metric) bool { return m.GetName() == "slave/registered" && m.GetValue() == 1 }) {
			t.Errorf("metrics %v", m)
		}
	}
}

func TestOperatorRefusals(t *testing.T) {
	s := newTestServer(t)
	for _, tc := range []struct {
		method, contentType, accept, body string
		status                            int
	}{
		{"GET", "application/json", "", `{"type":"GET_HEALTH"}`, 405},
		{"POST", "", "", `{"type":"GET_HEALTH"}`, 400},
		{"POST", "text/plain", "", `{"type":"GET_HEALTH"}`, 415},
		{"POST", "application/json", "text/html", `{"type":"GET_HEALTH"}`, 406},
		{"POST", "application/json", "", `{"type":`, 400},
		{"POST", "application/x-protobuf", "", "\xff\xff", 400},
		{"POST", "application/json", "", `{}`, 400},
		{"POST", "application/json", "", `{"type":"GET_METRICS"}`, 400},
		{"POST", "application/json", "", `{"type":"LIST_FILES"}`, 400},
		{"POST", "application/json", "", `{"type":"READ_FILE"}`, 400},
		{"POST", "application/json", "", `{"type":"UNKNOWN"}`, 501},
		{"POST", "application/json", "", `{"type":"PRUNE_IMAGES"}`, 501},
		{"POST", "application/json", "", `{"type":"ADD_RESOURCE_PROVIDER_CONFIG"}`, 501},
		{"POST", "application/json", "", `{"type":"LIST_FILES","list_files":{"path":"/etc"}}`, 404},
		{"POST", "application/json", "", `{"type":"READ_FILE","read_file":{"path":"/etc/passwd","offset":0}}`, 404},
		{"POST", "application/json", "", strings.Repeat(" ", maxCall+1), 413},
	} {
		h := http.Header{}
		if tc.contentType != "" {
			h.Set("Content-Type", tc.contentType)
		}
		if tc.accept != "" {
			h.Set("Accept", tc.accept)
		}
		if w := do(s, tc.method, "/api/v1", h, []byte(tc.body)); w.Code != tc.status {
			t.Errorf("%.60v: %d %s, want %d", tc, w.Code, w.Body, tc.status)
		}
	}
}

// FuzzRequest: whatever is asked, the answer has a status of HTTP and a server
// error is none of it.
func FuzzRequest(f *testing.F) {
	for _, s := range [][2]string{
		{"/files/read", "path=/work/slaves/a1/frameworks/f1/executors/run/runs/latest/x&offset=-1"},
		{"/files/browse.json", "path=/..//"}, {"/slave(1)/state/", "jsonp=a.b"}, {"/metrics/snapshot", "timeout=1e400secs"},
		{"/containers", "container_id=%00"}, {"/files/read", "path=%zz&offset=+1&length=0x1"}, {"/api/v1", ""}, {"//health", ";"},
	} {
		f.Add(s[0], s[1])
	}
	s := newTestServer(f)
	f.Fuzz(func(t *testing.T, path, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = &url.URL{Path: path, RawQuery: query}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		body, err := io.ReadAll(w.Result().Body)
		if err != nil || w.Code < 200 || w.Code >= 500 {
			t.Fatalf("%s?%s: %d %s", path, query, w.Code, body)
		}
	})
}

func TestPrometheus(t *testing.T) {
	s := newTestServer(t)
	if w := do(s, http.MethodGet, "/slave(1)/system/stats.json", nil, nil); w.Code != 200 || !strings.Contains(w.Body.String(), `"avg_load_15min":`) {
		t.Errorf("/system/stats.json: %d %s", w.Code, w.Body)
	}
	if w := do(s, http.MethodGet, "/help", nil, nil); w.Code != 200 || !strings.Contains(w.Body.String(), "\n/system/stats\n") {
		t.Errorf("/help: %d %s", w.Code, w.Body)
	}
	if w := do(s, http.MethodGet, "/metrics", nil, nil); w.Code != 200 || !strings.Contains(w.Body.String(), "\nmezzo_slave_registered ") {
		t.Errorf("/metrics: %d %s", w.Code, w.Body)
	}
	if w := do(s, http.MethodPost, "/metrics", nil, nil); w.Code != 405 {
		t.Errorf("POST /metrics: %d", w.Code)
	}
}

// fakeImages are some, of which all are removed that nobody wants to keep.
type fakeImages []string

func (f fakeImages) Prune(_ context.Context, keep func(images.Ref) bool) (removed []string, err error) {
	for _, name := range f {
		ref, err := images.ParseRef(name)
		if err != nil {
			return nil, err
		}
		if !keep(ref) {
			removed = append(removed, name)
		}
	}
	if len(removed) > 2 {
		return removed, fmt.Errorf("too many: %w", errs.Unavailable)
	}
	return removed, nil
}

func TestPruneImages(t *testing.T) {
	s := newTestServer(t)
	s.log = slog.New(slog.DiscardHandler)
	s.images = fakeImages{"busybox", "docker.io/library/nginx:1.27", "example.com/a"}
	h := http.Header{"Content-Type": {"application/json"}}
	for _, tc := range []struct {
		body   string
		status int
	}{
		{`{"type":"PRUNE_IMAGES"}`, 503},
		{`{"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[{"type":"DOCKER","docker":{"name":"nginx:1.27"}}]}}`, 200},
		{`{"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[{"type":"DOCKER","docker":{"name":"UPPER"}}]}}`, 400},
	} {
		if w := do(s, http.MethodPost, "/api/v1", h, []byte(tc.body)); w.Code != tc.status {
			t.Errorf("%s: %d %s, want %d", tc.body, w.Code, w.Body, tc.status)
		}
	}
}
