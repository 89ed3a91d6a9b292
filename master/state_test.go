package master_test

// Goal: what tools read is there, under the names they look for. Method: the
// lists of names are data; the state has one of everything.

import (
	"encoding/json"
	"math"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/master"
)

// busy is a master with an agent, a framework with an offer, a task that runs
// and one that is over, and a framework that is gone.
func busy(t *testing.T) (*master.Master, *testScheduler) {
	t.Helper()
	m := start(t, func(c *master.Config) { c.Cluster = "test" })
	hello := helloOf(t, "a1", "cpus:4;mem:4096;ports:[31000-31009];cpus(eng):1;tags:{x,y}")
	hello.Agent.Attributes = []*v1.Attribute{
		{Name: proto.String("rack"), Type: v1.Value_TEXT.Enum(), Text: &v1.Value_Text{Value: proto.String("r1")}},
		{Name: proto.String("weight"), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(math.Inf(1))}},
	}
	hello.Capabilities = []*v1.AgentInfo_Capability{{Type: v1.AgentInfo_Capability_MULTI_ROLE.Enum()}}
	a := attach(t, m, hello)
	a.id = a.next().GetWelcome().GetAgentId()
	gone := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{})
	disconnectAndForget(t, m, gone)
	s := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{
		User: proto.String("u\xff"), Name: proto.String("web/1"), Principal: proto.String("p"), WebuiUrl: proto.String("http://x"),
		Capabilities: []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()}},
		Labels:       &v1.Labels{Labels: []*v1.Label{{Key: proto.String("k"), Value: proto.String("v")}}},
	})
	s.accept(s.offer(), nil, "cpus:1;mem:64", "done", "running")
	a.next()
	a.next()
	a.update(s.id, "done", v1.TaskState_TASK_FINISHED)
	s.acknowledge(s.awaitState("done", v1.TaskState_TASK_FINISHED))
	a.update(s.id, "running", v1.TaskState_TASK_RUNNING)
	s.acknowledge(s.awaitState("running", v1.TaskState_TASK_RUNNING))
	wait(t, "an offer of what is free", func() bool {
		all := state(t, m).GetGetFrameworks().GetFrameworks() // of some moment: it may be from before
		return len(all) == 1 && len(all[0].GetOffers()) == 1
	})
	return m, s
}

func disconnectAndForget(t *testing.T, m *master.Master, s *testScheduler) {
	t.Helper()
	_ = s.resp.Body.Close()
	wait(t, "the framework to be removed", func() bool { return len(state(t, m).GetGetFrameworks().GetCompletedFrameworks()) == 1 })
}

func TestStateKeys(t *testing.T) {
	m, _ := busy(t)
	var top map[string]any
	_, body := fetch(t, m, "/state")
	if err := json.Unmarshal([]byte(body), &top); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, "state", top, `version git_sha build_date build_time build_user start_time elected_time id pid hostname
		capabilities cluster leader leader_info flags activated_slaves deactivated_slaves unreachable_slaves slaves
		recovered_slaves frameworks completed_frameworks orphan_tasks unregistered_frameworks`)
	if top["activated_slaves"] != 1.0 || len(top["completed_frameworks"].([]any)) != 1 {
		t.Errorf("state is %s", body)
	}
	agent := top["slaves"].([]any)[0].(map[string]any)
	wantKeys(t, "slave", agent, `id pid hostname port registered_time resources used_resources offered_resources reserved_resources
		reserved_resources_full reserved_resources_allocated unreserved_resources unreserved_resources_full
		unreserved_resources_allocated attributes active deactivated version capabilities`)
	if agent["pid"] != "slave(1)@a1:5051" || agent["attributes"].(map[string]any)["weight"] != "Infinity" {
		t.Errorf("slave is %v", agent)
	}
	res := agent["resources"].(map[string]any)
	if res["cpus"] != 5.0 || res["ports"] != "[31000-31009]" || res["tags"] != "{x, y}" || res["gpus"] != 0.0 {
		t.Errorf("resources are %v", res)
	}
	if got := agent["reserved_resources"].(map[string]any)["eng"].(map[string]any)["cpus"]; got != 1.0 {
		t.Errorf("reserved are %v", agent["reserved_resources"])
	}
	f := top["frameworks"].([]any)[0].(map[string]any)
	wantKeys(t, "framework", f, `id name used_resources offered_resources capabilities hostname webui_url active connected recovered
		user failover_timeout checkpoint registered_time unregistered_time principal resources role tasks
		unreachable_tasks completed_tasks offers executors labels`)
	if f["used_resources"].(map[string]any)["mem"] != 64.0 || len(f["offers"].([]any)) != 1 || len(f["completed_tasks"].([]any)) != 1 {
		t.Errorf("framework is %v", f)
	}
	task := f["tasks"].([]any)[0].(map[string]any)
	wantKeys(t, "task", task, "id name framework_id executor_id slave_id state resources role statuses")
	if task["state"] != "TASK_RUNNING" || task["statuses"].([]any)[0].(map[string]any)["state"] != "TASK_RUNNING" || task["role"] != "*" {
		t.Errorf("task is %v", task)
	}
}

func wantKeys(t *testing.T, what string, have map[string]any, want string) {
	t.Helper()
	for key := range strings.FieldsSeq(want) {
		if _, ok := have[key]; !ok {
			t.Errorf("%s has no %q", what, key)
		}
	}
}

func TestQueries(t *testing.T) {
	m, s := busy(t)
	for path, want := range map[string]int{
		"/tasks": 2, "/tasks?limit=1": 1, "/tasks?offset=1": 1, "/tasks?offset=9": 0, "/tasks?task_id=done": 1, "/tasks?framework_id=nobody": 0,
		"/tasks?framework_id=" + s.id.GetValue(): 2,
	} {
		if got := list(t, m, path, "tasks"); len(got) != want {
			t.Errorf("%s has %d", path, len(got))
		}
	}
	newest, oldest := list(t, m, "/tasks", "tasks")[0], list(t, m, "/tasks?order=asc", "tasks")[0]
	if newest["id"] != "running" || oldest["id"] != "done" {
		t.Errorf("newest is %v, oldest %v", newest["id"], oldest["id"])
	}
	if got := list(t, m, "/frameworks?framework_id="+s.id.GetValue(), "frameworks"); len(got) != 1 {
		t.Errorf("frameworks: %v", got)
	}
	if got := list(t, m, "/slaves?slave_id=nobody", "slaves"); len(got) != 0 {
		t.Errorf("slaves: %v", got)
	}
}

func list(t *testing.T, m *master.Master, path, key string) []map[string]any {
	t.Helper()
	code, body := fetch(t, m, path)
	var out map[string][]map[string]any
	if err := json.Unmarshal([]byte(body), &out); err != nil || code != http.StatusOK {
		t.Fatalf("%s: %d %v", path, code, err)
	}
	return out[key]
}

// TestOperatorCalls has every supported call answer in both encodings, although
// a framework's user is no UTF-8.
func TestOperatorCalls(t *testing.T) {
	m, _ := busy(t)
	for _, call := range []masterapi.Call_Type{
		masterapi.Call_GET_HEALTH, masterapi.Call_GET_FLAGS, masterapi.Call_GET_VERSION, masterapi.Call_GET_METRICS, masterapi.Call_GET_STATE,
		masterapi.Call_GET_AGENTS, masterapi.Call_GET_FRAMEWORKS, masterapi.Call_GET_TASKS, masterapi.Call_GET_MASTER, masterapi.Call_GET_USAGE,
	} {
		out, code := operator(t, m, &masterapi.Call{Type: call.Enum()})
		if code != http.StatusOK || out.GetType().String() != call.String() {
			t.Errorf("%v: %d %v", call, code, out.GetType())
		}
		resp, body := post(t, "http://"+m.Addr()+"/api/v1", map[string]string{"Content-Type": jsonType}, []byte(`{"type":"`+call.String()+`"}`))
		fromJSON := &masterapi.Response{}
		if err := codec.JSON.Unmarshal([]byte(body), fromJSON); err != nil || resp.StatusCode != http.StatusOK || fromJSON.GetType() != out.GetType() {
			t.Errorf("%v in JSON: %d %v", call, resp.StatusCode, err)
		}
	}
}

// telegraf is what telegraf 1.37.2 reads of a master, beside all that begins
// with allocator/ or master/frameworks/.
const telegraf = `
master/{cpus,disk,gpus,mem}_{percent,used,total,revocable_percent,revocable_total,revocable_used}
master/{elected,uptime_secs}
system/{cpus_total,load_15min,load_5min,load_1min,mem_free_bytes,mem_total_bytes}
master/{slave_registrations,slave_removals,slave_reregistrations,slave_shutdowns_scheduled,slave_shutdowns_canceled,slave_shutdowns_completed}
master/slaves_{active,connected,disconnected,inactive,unreachable}
master/slave_unreachable_{canceled,completed,scheduled}
master/frameworks_{active,connected,disconnected,inactive}
master/outstanding_offers
master/tasks_{error,failed,finished,killed,lost,running,staging,starting,dropped,gone,gone_by_operator,killing,unreachable}
master/invalid_{executor_to_framework_messages,framework_to_executor_messages,status_update_acknowledgements,status_updates,operation_status_update_acknowledgements}
master/dropped_messages
master/messages_{authenticate,deactivate_framework,decline_offers,executor_to_framework,exited_executor,framework_to_executor,kill_task,launch_tasks}
master/messages_{reconcile_tasks,register_framework,register_slave,reregister_framework,reregister_slave,resource_request,revive_offers,status_update}
master/messages_{status_update_acknowledgement,unregister_framework,unregister_slave,update_slave,operation_status_update_acknowledgement,reconcile_operations,suppress_offers}
master/recovery_slave_removals
master/slave_removals/reason_{registered,unhealthy,unregistered}
master/valid_{framework_to_executor_messages,status_update_acknowledgements,status_updates,executor_to_framework_messages,operation_status_update_acknowledgements}
master/task_lost/source_master/reason_{invalid_offers,slave_removed}
master/task_lost/source_slave/reason_executor_terminated
master/event_queue_{dispatches,http_requests,messages}
master/operator_event_stream_subscribers
registrar/{state_fetch_ms,state_store_ms,queued_operations,registry_size_bytes}
registrar/state_store_ms/{count,max,min,p50,p90,p95,p99,p999,p9999}
registrar/log/{ensemble_size,recovered}
`

var braces = regexp.MustCompile(`^(.*)\{(.*)\}(.*)$`)

// expand makes a{b,c}d abd and acd.
func expand(pattern string) []string {
	parts := braces.FindStringSubmatch(pattern)
	if parts == nil {
		return []string{pattern}
	}
	var out []string
	for choice := range strings.SplitSeq(parts[2], ",") {
		out = append(out, expand(parts[1]+choice+parts[3])...)
	}
	return out
}

func TestMetrics(t *testing.T) {
	m, s := busy(t)
	code, body := fetch(t, m, "/metrics/snapshot")
	var have map[string]float64
	if err := json.Unmarshal([]byte(body), &have); err != nil || code != http.StatusOK {
		t.Fatalf("%d %v", code, err)
	}
	for pattern := range strings.FieldsSeq(telegraf) {
		for _, name := range expand(pattern) {
			if _, ok := have[name]; !ok {
				t.Errorf("no metric %s", name)
			}
		}
	}
	base := "master/frameworks/web%2F1/" + s.id.GetValue() + "/"
	for name, want := range map[string]float64{
		"master/elected": 1, "master/cpus_total": 5, "master/cpus_used": 1, "master/cpus_percent": 0.2, "master/slaves_active": 1,
		"master/frameworks_active": 1, "master/tasks_running": 1, "master/tasks_finished": 1, "master/outstanding_offers": 1,
		"master/messages_launch_tasks": 1, "master/valid_status_updates": 2, base + "tasks/active/task_running": 1,
		base + "tasks/terminal/task_finished": 1, base + "subscribed": 1,
	} {
		if have[name] != want {
			t.Errorf("%s is %v, want %v", name, have[name], want)
		}
	}
}

// TestMetricsDocumented holds docs/monitoring.md against what is served.
func TestMetricsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	ours, _, _ := strings.Cut(string(doc), "\n## Agent\n")
	for line := range strings.Lines(ours) {
		if cells := strings.Split(line, "|"); len(cells) > 3 && strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			listed = append(listed, strings.Trim(strings.TrimSpace(cells[1]), "`"))
		}
	}
	for _, d := range master.DeclaredMetrics() {
		if i := slices.Index(listed, d); i < 0 {
			t.Errorf("%s is served, but not in docs/monitoring.md", d)
		} else {
			listed = slices.Delete(listed, i, i+1)
		}
	}
	for _, name := range listed {
		if !strings.Contains(name, "<") && !strings.HasPrefix(name, "system/") {
			t.Errorf("%s is in docs/monitoring.md, but not served", name)
		}
	}
}

func TestHTTP2(t *testing.T) {
	m := start(t, nil)
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://" + m.Addr() + "/version")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s", resp.Proto, resp.Status)
	}
}
