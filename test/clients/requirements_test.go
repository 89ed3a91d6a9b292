package clients

// Goal: what real clients were seen to need of a server, each by itself: by the bytes,
// for their libraries would hide them. Requirement 14, records in ZooKeeper as pymesos
// and mesos-dns read them, is package election's; the redirects of masters that do not
// lead, of 12, are test/failover's.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mezzo/api/recordio"
	"mezzo/test/native"
)

// object is JSON, found its way in by get.
type object map[string]any

// get follows a path of keys and indices; nil if there is nothing.
func (o object) get(path ...any) any {
	var at any = map[string]any(o)
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := at.(map[string]any)
			at = m[s]
		case int:
			l, _ := at.([]any)
			if s >= len(l) {
				return nil
			}
			at = l[s]
		}
	}
	return at
}

func (o object) text(path ...any) string { s, _ := o.get(path...).(string); return s }

// raw is a client that knows JSON and HTTP.
type raw struct {
	t      *testing.T
	url    string
	header http.Header // of what opened the stream
	events *recordio.Reader
	id     string // framework's
}

// open subscribes by a body.
func open(t *testing.T, url, body string) *raw {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s %s", body, resp.Status, text)
	}
	late := time.AfterFunc(2*time.Minute, cancel)
	t.Cleanup(func() { late.Stop() })
	return &raw{t: t, url: url, header: resp.Header, events: recordio.NewReader(resp.Body, 1<<20)}
}

// next is the next event of a type.
func (r *raw) next(kind string) object {
	r.t.Helper()
	for {
		data, err := r.events.Next()
		if err != nil {
			r.t.Fatalf("waiting for %s: %v", kind, err)
		}
		var ev object
		if err := json.Unmarshal(data, &ev); err != nil {
			r.t.Fatal(err)
		}
		if ev.text("type") == kind {
			return ev
		}
		if ev.text("type") == "ERROR" {
			r.t.Fatalf("%v", ev)
		}
	}
}

// call sends a body, with the stream's id under a header's name.
func (r *raw) call(header, body string) (*http.Response, string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), 30*time.Second) // cleaning up, too
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header["Content-Type"] = []string{"application/json"}
	if header != "" {
		req.Header[header] = []string{r.header.Get("Mesos-Stream-Id")}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(text)
}

// must is call for what has to be accepted.
func (r *raw) must(body string) {
	r.t.Helper()
	if resp, text := r.call("Mesos-Stream-Id", strings.ReplaceAll(body, "FRAMEWORK", r.id)); resp.StatusCode != http.StatusAccepted || text != "" || resp.Header.Get("Content-Type") != "" {
		r.t.Fatalf("%s: %s %q %v", body, resp.Status, text, resp.Header)
	}
}

// scheduler subscribes a framework, of which more may be said.
func scheduler(t *testing.T, c *native.Cluster, more string) (*raw, object) {
	t.Helper()
	r := open(t, "http://"+c.Master+"/api/v1/scheduler", `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"raw"`+more+`}}}`)
	ev := r.next("SUBSCRIBED")
	r.id = ev.text("subscribed", "framework_id", "value")
	t.Cleanup(func() {
		r.t = t
		if resp, _ := r.call("Mesos-Stream-Id", `{"type":"TEARDOWN","framework_id":{"value":"`+r.id+`"}}`); resp.StatusCode != http.StatusAccepted {
			t.Errorf("teardown: %s", resp.Status)
		}
	})
	return r, ev
}

const some = `"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},{"name":"mem","type":"SCALAR","scalar":{"value":32}}]`

// launch accepts an offer with one task.
func (r *raw) launch(offer object, id, rest string) {
	r.t.Helper()
	r.must(fmt.Sprintf(`{"type":"ACCEPT","framework_id":{"value":"FRAMEWORK"},"accept":{"offer_ids":[{"value":%q}],"filters":{"refuse_seconds":0},
		"operations":[{"type":"LAUNCH","launch":{"task_infos":[{"name":"x","task_id":{"value":%q},"agent_id":{"value":%q},%s,%s}]}}]}}`,
		offer.text("offers", "offers", 0, "id", "value"), id, offer.text("offers", "offers", 0, "agent_id", "value"), some, rest))
}

// reaches waits for a state of a task, acknowledging.
func (r *raw) reaches(task, state string) object {
	r.t.Helper()
	for {
		ev := r.next("UPDATE")
		s := object(ev.get("update", "status").(map[string]any))
		if uuid := s.text("uuid"); uuid != "" {
			r.must(fmt.Sprintf(`{"type":"ACKNOWLEDGE","framework_id":{"value":"FRAMEWORK"},"acknowledge":{"agent_id":{"value":%q},"task_id":{"value":%q},"uuid":%q}}`,
				s.text("agent_id", "value"), s.text("task_id", "value"), uuid))
		}
		if s.text("task_id", "value") == task && s.text("state") == state {
			return s
		}
	}
}

// TestRequirements goes through them by their numbers.
func TestRequirements(t *testing.T) {
	// No round of offers but those that something sets off.
	c := native.Start(t, "--allocation_interval=1hrs")
	for _, tt := range []struct {
		name string
		try  func(*testing.T, *native.Cluster)
	}{
		{"2 content types are exact", contentTypes},
		{"3 the stream's id", streamID},
		{"4 nulls and unknown fields", nulls},
		{"5 allocation_info and reservations in the form subscribed for", forms},
		{"6 nothing to decline, nothing to launch", nothing},
		{"7 what SUBSCRIBED tells", subscribedTells},
		{"8 an id of the framework's own", ownID},
		{"9 and 10 the executor's environment and updates", executorAPI},
		{"11 a fetched program, and argv without a shell", fetched},
		{"12 routes of all ages", routes},
		{"13 what is left is offered again", leftovers},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.try(t, c) })
	}
}

func contentTypes(t *testing.T, c *native.Cluster) {
	for accept, want := range map[string]string{"": "application/json", "*/*": "application/json", "application/x-protobuf": "application/x-protobuf"} {
		for _, addr := range []string{c.Master, c.Agents[0]} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/api/v1", strings.NewReader(`{"type":"GET_VERSION"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if accept != "" {
				req.Header.Set("Accept", accept)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if got := resp.Header["Content-Type"]; len(got) != 1 || got[0] != want {
				t.Errorf("Accept %q: %q", accept, got)
			}
		}
	}
}

func streamID(t *testing.T, c *native.Cluster) {
	r, _ := scheduler(t, c, "")
	body := `{"type":"REVIVE","framework_id":{"value":"` + r.id + `"}}`
	for _, name := range []string{"Mesos-Stream-Id", "mesos-stream-id", "MESOS-STREAM-ID"} {
		if resp, text := r.call(name, body); resp.StatusCode != http.StatusAccepted || text != "" || len(resp.Header["Content-Type"]) != 0 {
			t.Errorf("%s: %s %q %v", name, resp.Status, text, resp.Header)
		}
	}
	if resp, _ := r.call("", body); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("without: %s", resp.Status)
	}
}

func nulls(t *testing.T, c *native.Cluster) {
	r, _ := scheduler(t, c, `,"role":null,"roles":null,"capabilities":null,"failover_timeout":null,"labels":null,"of_tomorrow":{"a":[1]}`)
	r.must(`{"type":"DECLINE","framework_id":{"value":"FRAMEWORK"},"subscribe":null,"accept":null,"decline":{"offer_ids":null,"filters":null},"x":null}`)
	// A body in chunks has no length.
	piped, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, `{"type":"REVIVE",`)
		_, _ = io.WriteString(w, `"framework_id":{"value":"`+r.id+`"}}`)
		_ = w.Close()
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, piped)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Mesos-Stream-Id", r.header.Get("Mesos-Stream-Id"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("in chunks: %s", resp.Status)
	}
}

func forms(t *testing.T, c *native.Cluster) {
	t.Run("of old", func(t *testing.T) {
		r, _ := scheduler(t, c, "")
		o := r.next("OFFERS")
		if o.get("offers", "offers", 0, "allocation_info") != nil || o.get("offers", "offers", 0, "resources", 0, "allocation_info") != nil || o.text("offers", "offers", 0, "resources", 0, "role") != "*" {
			t.Errorf("without MULTI_ROLE: %v", o)
		}
	})
	t.Run("of today", func(t *testing.T) {
		r, _ := scheduler(t, c, `,"roles":["*"],"capabilities":[{"type":"MULTI_ROLE"},{"type":"RESERVATION_REFINEMENT"}]`)
		o := r.next("OFFERS")
		if o.text("offers", "offers", 0, "allocation_info", "role") != "*" || o.text("offers", "offers", 0, "resources", 0, "allocation_info", "role") != "*" || o.get("offers", "offers", 0, "resources", 0, "role") != nil {
			t.Errorf("with MULTI_ROLE and RESERVATION_REFINEMENT: %v", o)
		}
	})
}

func nothing(t *testing.T, c *native.Cluster) {
	r, _ := scheduler(t, c, "")
	r.must(`{"type":"DECLINE","framework_id":{"value":"FRAMEWORK"},"decline":{"offer_ids":[]}}`)
	o := r.next("OFFERS")
	r.must(`{"type":"ACCEPT","framework_id":{"value":"FRAMEWORK"},"accept":{"offer_ids":[{"value":"` + o.text("offers", "offers", 0, "id", "value") + `"}],"operations":[{"type":"LAUNCH","launch":{"task_infos":[]}}]}}`)
}

func subscribedTells(t *testing.T, c *native.Cluster) {
	_, ev := scheduler(t, c, "")
	host, port, _ := strings.Cut(c.Master, ":")
	for _, path := range [][]any{
		{"framework_id", "value"}, {"master_info", "id"}, {"master_info", "hostname"}, {"master_info", "version"},
	} {
		if ev.text(append([]any{"subscribed"}, path...)...) == "" {
			t.Errorf("no %v: %v", path, ev)
		}
	}
	if ev.get("subscribed", "heartbeat_interval_seconds") != 15.0 || ev.text("subscribed", "master_info", "address", "ip") != host ||
		fmt.Sprint(ev.get("subscribed", "master_info", "address", "port")) != port || fmt.Sprint(ev.get("subscribed", "master_info", "port")) != port {
		t.Errorf("%v", ev)
	}
}

func ownID(t *testing.T, c *native.Cluster) {
	r := open(t, "http://"+c.Master+"/api/v1/scheduler", `{"type":"SUBSCRIBE","framework_id":{"value":"sleepy-1"},"subscribe":{"framework_info":{"user":"root","name":"own","id":{"value":"sleepy-1"}}}}`)
	r.id = "sleepy-1"
	if got := r.next("SUBSCRIBED").text("subscribed", "framework_id", "value"); got != r.id {
		t.Errorf("it is %q", got)
	}
	r.must(`{"type":"TEARDOWN","framework_id":{"value":"FRAMEWORK"}}`)
}

// executorAPI is the executor of a task that it launches: what the process that was
// started in its place found in its environment lets it be that.
func executorAPI(t *testing.T, c *native.Cluster) {
	r, _ := scheduler(t, c, `,"checkpoint":true,"failover_timeout":60`)
	r.launch(r.next("OFFERS"), "own", `"executor":{"type":"CUSTOM","executor_id":{"value":"mine"},"command":{"value":"env > found; exec sleep 1000"},`+some+`}`)
	env := map[string]string{}
	agent := "http://" + c.Agents[0]
	for deadline := time.Now().Add(time.Minute); env["MESOS_FRAMEWORK_ID"] == ""; {
		if time.Now().After(deadline) {
			t.Fatal("the executor was not started")
		}
		var part struct{ Data string }
		path := "/frameworks/" + r.id + "/executors/mine/runs/latest/found"
		if c.Get(t.Context(), agent+"/files/read?offset=0&path="+url.QueryEscape(path), &part) == nil {
			for line := range strings.Lines(part.Data) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				env[key] = value
			}
		}
	}
	for name, want := range map[string]string{
		"MESOS_FRAMEWORK_ID": r.id, "MESOS_EXECUTOR_ID": "mine", "MESOS_AGENT_ENDPOINT": c.Agents[0], "MESOS_SLAVE_PID": "slave(1)@" + c.Agents[0],
		"MESOS_AGENT_ID": env["MESOS_SLAVE_ID"], "MESOS_CHECKPOINT": "1", "MESOS_SANDBOX": env["MESOS_DIRECTORY"],
	} {
		if env[name] != want || want == "" {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	for _, name := range []string{"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX"} {
		if !strings.HasSuffix(env[name], "secs") && !strings.HasSuffix(env[name], "mins") {
			t.Errorf("%s is %q", name, env[name])
		}
	}
	who := fmt.Sprintf(`"framework_id":{"value":%q},"executor_id":{"value":"mine"}`, r.id)
	x := open(t, agent+"/api/v1/executor", `{"type":"SUBSCRIBE",`+who+`,"subscribe":{"unacknowledged_tasks":[],"unacknowledged_updates":[]}}`)
	// SUBSCRIBED, and then the task: no heartbeat between them.
	for _, want := range []string{"SUBSCRIBED", "LAUNCH"} {
		data, err := x.events.Next()
		if err != nil || !strings.Contains(string(data), `"type":"`+want+`"`) {
			t.Fatalf("%s, %v, want %s", data, err, want)
		}
	}
	uuid := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	resp, text := x.call("", `{"type":"UPDATE",`+who+`,"update":{"status":{"task_id":{"value":"own"},"state":"TASK_FINISHED","source":"SOURCE_EXECUTOR","executor_id":{"value":"mine"},"uuid":"`+uuid+`"}}}`)
	if resp.StatusCode != http.StatusAccepted || text != "" {
		t.Fatalf("update: %s %q", resp.Status, text)
	}
	s := r.reaches("own", "TASK_FINISHED")
	if at, _ := s.get("timestamp").(float64); s.text("agent_id", "value") != env["MESOS_AGENT_ID"] || at < 1e9 || s.text("uuid") != uuid {
		t.Errorf("the agent passed on %v", s)
	}
}

func fetched(t *testing.T, c *native.Cluster) {
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "#!/bin/sh\n[ \"$1\" = 'two words' ] && [ $# = 1 ]\n")
	}))
	defer files.Close()
	r, _ := scheduler(t, c, "")
	r.launch(r.next("OFFERS"), "fetched", `"command":{"shell":false,"value":"./program","arguments":["program","two words"],"uris":[{"value":"`+files.URL+`/program","executable":true,"extract":false}]}`)
	r.reaches("fetched", "TASK_FINISHED")
}

func routes(t *testing.T, c *native.Cluster) {
	for addr, paths := range map[string][]string{
		c.Master: {"/state", "/state.json", "/master/state", "/master/state.json", "/master/state/", "/state/below/it", "/metrics/snapshot", "/master/flags", "/version",
			"/slaves", "/frameworks", "/roles", "/tasks", "/state-summary", "/files/debug.json"},
		c.Agents[0]: {"/state", "/state.json", "/slave(1)/state", "/slave(1)/state.json", "/metrics/snapshot", "/monitor/statistics.json", "/slave(1)/monitor/statistics", "/flags", "/version"},
	} {
		for _, path := range paths {
			if err := c.Get(t.Context(), "http://"+addr+path, new(any)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get("http://" + c.Master + "/redirect")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect || resp.Header.Get("Location") != "//"+c.Master {
		t.Errorf("/redirect: %s to %q", resp.Status, resp.Header.Get("Location"))
	}
}

func leftovers(t *testing.T, c *native.Cluster) {
	r, _ := scheduler(t, c, "")
	for i := range 3 { // the next offer comes of what the last task left, or gave back
		id := fmt.Sprint("left-", i)
		r.launch(r.next("OFFERS"), id, `"command":{"value":"true"}`)
	}
	r.next("OFFERS")
}
