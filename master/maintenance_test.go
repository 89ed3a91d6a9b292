package master_test

// Goal: what operators say of machines and agents, over the wire: every call and
// endpoint, in JSON and in protobuf, with its status, and what frameworks and
// agents see of it. Method: one history as a table, each row a request; then
// stories with a framework and an agent.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/allocator"
	"mezzo/api/mesos/v1/maintenance"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master"
)

// row is a request and what is answered.
type row struct {
	method, path, body string
	status             int
	says               string
}

// asks makes requests one after the other.
func asks(t *testing.T, m *master.Master, rows []row) {
	t.Helper()
	for i, r := range rows {
		resp, body := do(t, r.method, "http://"+m.Addr()+r.path, map[string]string{"Content-Type": jsonType}, []byte(r.body))
		if resp.StatusCode != r.status || !strings.Contains(body, r.says) || r.says == "" && body != "" {
			t.Errorf("row %d, %s %s %s: %d %q, want %d with %q", i, r.method, r.path, r.body, resp.StatusCode, body, r.status, r.says)
		}
	}
}

// callText is a call in JSON.
func callText(kind, payload string) string {
	return fmt.Sprintf(`{"type":%q,%q:%s}`, kind, strings.ToLower(kind), payload)
}

func TestMaintenanceHistory(t *testing.T) {
	m, _ := joined(t)
	const (
		window = `{"machine_ids":[%s],"unavailability":{"start":{"nanoseconds":1900000000000000000},"duration":{"nanoseconds":3600000000000}}}`
		a1     = `{"hostname":"a1"}`
		b1     = `{"hostname":"B1","ip":"10.0.0.2"}`
	)
	schedule := func(windows ...string) string { return `{"windows":[` + strings.Join(windows, ",") + `]}` }
	of := func(machines ...string) string { return fmt.Sprintf(window, strings.Join(machines, ",")) }
	update := func(s string) string { return callText("UPDATE_MAINTENANCE_SCHEDULE", `{"schedule":`+s+`}`) }
	list := func(kind string, machines ...string) string {
		return callText(kind, `{"machines":[`+strings.Join(machines, ",")+`]}`)
	}
	asks(t, m, []row{
		{"GET", "/maintenance/schedule", "", 200, `{}`},
		{"GET", "/maintenance/status", "", 200, `{}`},
		{"POST", "/api/v1", `{"type":"GET_MAINTENANCE_SCHEDULE"}`, 200, `"get_maintenance_schedule":{"schedule":{}}`},
		{"POST", "/api/v1", `{"type":"GET_MAINTENANCE_STATUS"}`, 200, `"get_maintenance_status":{"status":{}}`},

		{"POST", "/api/v1", `{"type":"UPDATE_MAINTENANCE_SCHEDULE"}`, 400, "update_maintenance_schedule is missing"},
		{"POST", "/api/v1", callText("UPDATE_MAINTENANCE_SCHEDULE", `{}`), 400, "schedule"},
		{"POST", "/api/v1", update(`[]`), 400, "schedule"},
		{"POST", "/api/v1", update(`{"windows":[{"machine_ids":[` + a1 + `]}]}`), 400, "unavailability"},
		{"POST", "/api/v1", update(`{"windows":[{"machine_ids":[` + a1 + `],"unavailability":{}}]}`), 400, "start"},
		{"POST", "/api/v1", update(schedule(of())), 400, "window 0 has no machines"},
		{"POST", "/api/v1", update(schedule(of(`{}`))), 400, "neither hostname nor ip"},
		{"POST", "/api/v1", update(schedule(of(`{"hostname":"c","ip":"10.0.0"}`))), 400, `"10.0.0" is not an address`},
		{"POST", "/api/v1", update(schedule(of(a1), of(`{"hostname":"A1"}`))), 400, "machine a1 is in the schedule twice"},
		{"POST", "/api/v1", update(schedule(of(a1, `{"ip":"127.0.0.1"}`))), 400, "are the same: agent "},
		{"POST", "/api/v1", update(strings.Replace(schedule(of(a1)), "36", "-36", 1)), 400, "negative duration"},
		{"POST", "/api/v1", update(strings.Replace(schedule(of(a1)), "19000", "99999", 1)), 400, "nanoseconds"},
		{"POST", "/maintenance/schedule", `{`, 400, "Schedule"},
		{"POST", "/maintenance/schedule", ``, 400, "Schedule"},
		{"POST", "/maintenance/schedule", `null`, 400, "Schedule"},
		{"POST", "/maintenance/schedule", schedule(of()), 400, "window 0 has no machines"},
		{"PUT", "/maintenance/schedule", schedule(), 405, "GET or POST"},
		{"POST", "/maintenance/status", ``, 405, "GET"},
		{"GET", "/maintenance/status", "", 200, `{}`},

		{"POST", "/maintenance/schedule", schedule(of(a1, b1)), 200, ""},
		{"GET", "/maintenance/schedule", "", 200, schedule(of(a1, b1))},
		{"GET", "/master/maintenance/status", "", 200, `{"draining_machines":[{"id":{"hostname":"a1"}},{"id":{"hostname":"B1","ip":"10.0.0.2"}}]}`},
		{"GET", "/slaves", "", 200, `"unavailability":{"start":{"nanoseconds":1900000000000000000}`},
		{"GET", "/state", "", 200, `"unavailability":{"start":{"nanoseconds":1900000000000000000}`},
		{"POST", "/api/v1", `{"type":"GET_AGENTS"}`, 200, `"unavailability":{"start":{"nanoseconds":1900000000000000000}`},
		{"POST", "/api/v1", update(schedule(of(b1), of(a1))), 200, ""},
		{"POST", "/api/v1", `{"type":"GET_MAINTENANCE_SCHEDULE"}`, 200, schedule(of(b1), of(a1))},

		{"POST", "/machine/down", `{}`, 400, "read machines"},
		{"POST", "/machine/down", ``, 400, "read machines"},
		{"POST", "/machine/down", `[]`, 400, "no machine is named"},
		{"POST", "/machine/down", `["a1"]`, 400, "MachineID"},
		{"POST", "/machine/down", `[{"hostname":"c1"}]`, 400, "machine c1 is not in the schedule"},
		{"POST", "/machine/down", `[` + a1 + `,{"hostname":"c1"}]`, 400, "c1"},
		{"POST", "/machine/down", `[` + a1 + `,` + a1 + `]`, 400, "named twice"},
		{"POST", "/machine/up", `[` + a1 + `]`, 400, "machine a1 is draining, not down"},
		{"GET", "/machine/up", "", 405, "POST"},
		{"GET", "/machine/down", "", 405, "POST"},
		{"POST", "/api/v1", `{"type":"START_MAINTENANCE"}`, 400, "start_maintenance is missing"},
		{"POST", "/api/v1", `{"type":"STOP_MAINTENANCE"}`, 400, "stop_maintenance is missing"},
		{"POST", "/api/v1", list("START_MAINTENANCE"), 400, "no machine is named"},
		{"POST", "/api/v1", list("STOP_MAINTENANCE", a1), 400, "draining, not down"},
		{"GET", "/metrics/snapshot", "", 200, `"master/machines_draining":2`},

		{"POST", "/machine/down", `[` + a1 + `]`, 200, ""},
		{"GET", "/slaves", "", 200, `"slaves":[]`},
		{"GET", "/maintenance/status", "", 200, `"down_machines":[{"hostname":"a1"}]`},
		{"GET", "/metrics/snapshot", "", 200, `"master/machines_down":1`},
		{"GET", "/logging/toggle", "", 200, "0\n"},
		{"POST", "/logging/toggle?level=1&duration=1mins", "", 501, "cannot be changed"},
		{"POST", "/logging/toggle?level=x&duration=1mins", "", 400, "not a number"},
		{"POST", "/logging/toggle?level=1", "", 400, "duration"},
		{"PUT", "/logging/toggle", "", 405, "GET or POST"},
		{"POST", "/api/v1", `{"type":"GET_LOGGING_LEVEL"}`, 200, `"level":0`},
		{"POST", "/api/v1", `{"type":"SET_LOGGING_LEVEL"}`, 400, "set_logging_level is missing"},
		{"POST", "/api/v1", callText("SET_LOGGING_LEVEL", `{"level":1,"duration":{"nanoseconds":1000}}`), 501, "cannot be changed"},
		{"GET", "/system/stats.json", "", 200, `"avg_load_15min":`},
		{"GET", "/help", "", 200, "\n/state-summary\n"},
		{"GET", "/master/state-summary.json", "", 200, `"slaves":[]`},
		{"GET", "/metrics", "", 200, "\n# TYPE mezzo_master_machines_down gauge"},
		{"GET", "/metrics/snapshot", "", 200, `"master/slave_removals/reason_operator":1`},
		{"POST", "/machine/down", `[` + a1 + `]`, 400, "down already"},
		{"POST", "/maintenance/schedule", schedule(of(b1)), 400, "machine a1 is down and cannot be left out"},
		{"POST", "/api/v1", list("START_MAINTENANCE", `{"hostname":"b1","ip":"::ffff:10.0.0.2"}`), 200, ""},
		{"POST", "/api/v1", list("STOP_MAINTENANCE", a1, b1, `{"hostname":"x"}`), 400, "x is not in the schedule"},
		{"POST", "/api/v1", list("STOP_MAINTENANCE", b1), 200, ""},
		{"GET", "/maintenance/schedule", "", 200, schedule(of(a1))},
		{"POST", "/machine/up", `[` + a1 + `]`, 200, ""},
		{"GET", "/maintenance/schedule", "", 200, `{}`},
		{"GET", "/maintenance/status", "", 200, `{}`},
	})
}

func TestDrainHistory(t *testing.T) {
	m, agent := joined(t)
	this := fmt.Sprintf(`"agent_id":{"value":%q}`, agent.GetValue())
	const nobody = `"agent_id":{"value":"nobody"}`
	asks(t, m, []row{
		{"POST", "/api/v1", `{"type":"DRAIN_AGENT"}`, 400, "drain_agent is missing"},
		{"POST", "/api/v1", callText("DRAIN_AGENT", `{}`), 400, "agent_id"},
		{"POST", "/api/v1", callText("DRAIN_AGENT", `{`+nobody+`}`), 400, `agent "nobody" is not registered`},
		{"POST", "/api/v1", callText("DRAIN_AGENT", `{`+this+`,"max_grace_period":{"seconds":-1}}`), 400, "-1s is negative"},
		{"POST", "/api/v1", callText("DRAIN_AGENT", `{`+this+`,"max_grace_period":{"seconds":1,"nanos":-1}}`), 400, "max_grace_period"},
		{"POST", "/api/v1", callText("DRAIN_AGENT", `{`+this+`,"max_grace_period":{"seconds":9999999999999}}`), 400, "max_grace_period"},
		{"GET", "/slaves", "", 200, `"active":true,"deactivated":false`},
		{"POST", "/api/v1", callText("DRAIN_AGENT", `{`+this+`,"max_grace_period":{"seconds":60}}`), 200, ""},
		{"GET", "/slaves", "", 200, `"active":false,"deactivated":true`},
		{"GET", "/slaves", "", 200, `"drain_info":{"state":"DRAINED","config":{"max_grace_period":{"nanoseconds":60000000000},"mark_gone":false}},"estimated_drain_start_time_seconds":`},
		{"GET", "/state", "", 200, `"drain_info":{"state":"DRAINED"`},
		{"POST", "/api/v1", `{"type":"GET_AGENTS"}`, 200, `"drain_info":{"state":"DRAINED"`},
		{"POST", "/api/v1", `{"type":"GET_AGENTS"}`, 200, `"estimated_drain_start_time":{"nanoseconds":`},
		{"GET", "/metrics/snapshot", "", 200, `"master/slaves_drained":1`},
		{"POST", "/api/v1", callText("REACTIVATE_AGENT", `{`+this+`}`), 200, ""},
		{"GET", "/slaves", "", 200, `"active":true,"deactivated":false`},

		{"POST", "/api/v1", `{"type":"MARK_AGENT_GONE"}`, 400, "mark_agent_gone is missing"},
		{"POST", "/api/v1", callText("MARK_AGENT_GONE", `{`+nobody+`}`), 404, `agent "nobody"`},
		{"POST", "/api/v1", callText("MARK_AGENT_GONE", `{`+this+`}`), 200, ""},
		{"POST", "/api/v1", callText("MARK_AGENT_GONE", `{`+this+`}`), 200, ""},
		{"POST", "/api/v1", callText("DRAIN_AGENT", `{`+this+`}`), 400, "is not registered"},
		{"POST", "/api/v1", callText("REACTIVATE_AGENT", `{`+this+`}`), 400, "is not registered"},
		{"GET", "/slaves", "", 200, `"slaves":[]`},
	})
}

// aware is a framework that knows all states of tasks.
func aware() *v1.FrameworkInfo {
	return &v1.FrameworkInfo{User: proto.String("u"), Name: proto.String("n"), Capabilities: []*v1.FrameworkInfo_Capability{
		{Type: v1.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
	}}
}

func a1Schedule() *masterapi.Call {
	return &masterapi.Call{Type: masterapi.Call_UPDATE_MAINTENANCE_SCHEDULE.Enum(), UpdateMaintenanceSchedule: &masterapi.Call_UpdateMaintenanceSchedule{
		Schedule: &maintenance.Schedule{Windows: []*maintenance.Window{{
			MachineIds:     []*v1.MachineID{{Hostname: proto.String("a1")}},
			Unavailability: &v1.Unavailability{Start: &v1.TimeInfo{Nanoseconds: proto.Int64(1900000000000000000)}},
		}}},
	}}
}

// answer is the one answer of the one draining machine; nil if there is none.
func answer(t *testing.T, m *master.Master) *allocator.InverseOfferStatus {
	t.Helper()
	resp, _ := operator(t, m, &masterapi.Call{Type: masterapi.Call_GET_MAINTENANCE_STATUS.Enum()})
	list := resp.GetGetMaintenanceStatus().GetStatus().GetDrainingMachines()
	if len(list) != 1 || len(list[0].GetStatuses()) != 1 {
		return nil
	}
	return list[0].GetStatuses()[0]
}

// TestMaintenanceReachesFrameworks: who runs something on a machine is asked to
// leave, the operator reads the answer, and the start ends all there is.
func TestMaintenanceReachesFrameworks(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON, codec.Protobuf} {
		t.Run(c.ContentType(), func(t *testing.T) {
			m := start(t, nil)
			a := register(t, m, "a1", "cpus:4;mem:4096")
			s := subscribe(t, m, c, aware())
			s.launch(s.offer(), "t1", "cpus:1;mem:64")
			a.next() // the task
			a.update(s.id, "t1", v1.TaskState_TASK_RUNNING)
			var offer *v1.Offer
			var asked *v1.InverseOffer
			hear := func(enough func(*scheduler.Event) bool) { // events of several series, in any order
				for ev := s.next(); ; ev = s.next() {
					switch ev.GetType() {
					case scheduler.Event_OFFERS:
						offer = ev.GetOffers().GetOffers()[0]
					case scheduler.Event_INVERSE_OFFERS:
						asked = ev.GetInverseOffers().GetInverseOffers()[0]
					case scheduler.Event_UPDATE:
						s.acknowledge(ev.GetUpdate().GetStatus())
					}
					if ev == nil || enough(ev) {
						return
					}
				}
			}
			running := false
			hear(func(ev *scheduler.Event) bool {
				running = running || ev.GetUpdate() != nil
				return running && offer != nil
			})
			mustChange(t, m, a1Schedule())
			hear(func(ev *scheduler.Event) bool { return ev.GetRescind() != nil })
			hear(func(*scheduler.Event) bool { return asked != nil && offer.GetUnavailability() != nil })
			for _, start := range []*v1.TimeInfo{asked.GetUnavailability().GetStart(), offer.GetUnavailability().GetStart()} {
				if start.GetNanoseconds() != 1900000000000000000 {
					t.Errorf("start is %v", start)
				}
			}
			if asked.GetAgentId().GetValue() != a.id.GetValue() || asked.GetFrameworkId().GetValue() != s.id.GetValue() || asked.GetUrl() == nil {
				t.Errorf("inverse offer is %v", asked)
			}
			if st := answer(t, m); st.GetStatus() != allocator.InverseOfferStatus_UNKNOWN || st.GetFrameworkId().GetValue() != s.id.GetValue() {
				t.Errorf("status is %v", st)
			}
			if f := state(t, m).GetGetFrameworks().GetFrameworks()[0]; len(f.GetInverseOffers()) != 1 {
				t.Errorf("framework is %v", f)
			}
			s.mustCall(&scheduler.Call{Type: scheduler.Call_DECLINE_INVERSE_OFFERS.Enum(), DeclineInverseOffers: &scheduler.Call_DeclineInverseOffers{
				InverseOfferIds: []*v1.OfferID{asked.GetId()}, Filters: &v1.Filters{RefuseSeconds: proto.Float64(0)},
			}})
			wait(t, "the answer to be shown", func() bool {
				st := answer(t, m)
				return st.GetStatus() == allocator.InverseOfferStatus_DECLINE && st.GetTimestamp() != nil
			})
			asked = s.await(scheduler.Event_INVERSE_OFFERS).GetInverseOffers().GetInverseOffers()[0]
			s.mustCall(&scheduler.Call{Type: scheduler.Call_ACCEPT_INVERSE_OFFERS.Enum(), AcceptInverseOffers: &scheduler.Call_AcceptInverseOffers{
				InverseOfferIds: []*v1.OfferID{asked.GetId()},
			}})
			wait(t, "the new answer", func() bool { return answer(t, m).GetStatus() == allocator.InverseOfferStatus_ACCEPT })
			if _, body := fetch(t, m, "/maintenance/status"); !strings.Contains(body, `"statuses":[{"status":"ACCEPT","framework_id":{"value":"`+s.id.GetValue()) {
				t.Errorf("status is %s", body)
			}
			counts(t, m, map[string]float64{
				"master/inverse_offers_sent": 2, "master/inverse_offers_declined": 1, "master/inverse_offers_accepted": 1,
				"master/inverse_offers_rescinded": 0, "master/outstanding_inverse_offers": 0,
			})

			machines := []*v1.MachineID{{Hostname: proto.String("a1")}}
			mustChange(t, m, &masterapi.Call{Type: masterapi.Call_START_MAINTENANCE.Enum(), StartMaintenance: &masterapi.Call_StartMaintenance{Machines: machines}})
			ended := s.awaitState("t1", v1.TaskState_TASK_GONE_BY_OPERATOR)
			if ended.GetReason() != v1.TaskStatus_REASON_AGENT_REMOVED_BY_OPERATOR {
				t.Errorf("ended by %v", ended)
			}
			if s.await(scheduler.Event_FAILURE).GetFailure().GetAgentId().GetValue() != a.id.GetValue() {
				t.Error("another agent failed")
			}
			for a.next().GetShutdown() == nil { // what else it was told
			}
			if again := attach(t, m, helloOf(t, "a1", "cpus:4;mem:4096")).next(); !strings.Contains(again.GetShutdown().GetMessage(), "down for maintenance") {
				t.Errorf("an agent on a machine that is down hears %v", again)
			}
			mustChange(t, m, &masterapi.Call{Type: masterapi.Call_STOP_MAINTENANCE.Enum(), StopMaintenance: &masterapi.Call_StopMaintenance{Machines: machines}})
			register(t, m, "a1", "cpus:4;mem:4096")
			if o := s.offer(); o.GetUnavailability() != nil {
				t.Errorf("offer is %v", o)
			}
		})
	}
}

// TestDrainReachesTasks: tasks of a drained agent are killed within the grace,
// then it is empty, and offered once it is reactivated.
func TestDrainReachesTasks(t *testing.T) {
	m := start(t, nil)
	a := register(t, m, "a1", "cpus:4;mem:4096")
	s := subscribe(t, m, codec.Protobuf, aware())
	s.launch(s.offer(), "t1", "cpus:1;mem:64")
	a.next()
	a.update(s.id, "t1", v1.TaskState_TASK_RUNNING)
	s.acknowledge(s.awaitState("t1", v1.TaskState_TASK_RUNNING))
	drain := func(gone bool) {
		mustChange(t, m, &masterapi.Call{Type: masterapi.Call_DRAIN_AGENT.Enum(), DrainAgent: &masterapi.Call_DrainAgent{
			AgentId: a.id, MaxGracePeriod: durationpb.New(1e9), MarkGone: &gone,
		}})
	}
	drained := func() *v1.DrainInfo { return state(t, m).GetGetAgents().GetAgents()[0].GetDrainInfo() }
	drain(false)
	if d := drained(); d.GetState() != v1.DrainState_DRAINING {
		t.Errorf("drain info is %v", d)
	}
	counts(t, m, map[string]float64{"master/slaves_draining": 1, "master/slaves_drained": 0})
	reactivate := &masterapi.Call{Type: masterapi.Call_REACTIVATE_AGENT.Enum(), ReactivateAgent: &masterapi.Call_ReactivateAgent{AgentId: a.id}}
	if _, status := operator(t, m, reactivate); status != http.StatusBadRequest {
		t.Errorf("reactivated while it drains: status %d", status)
	}
	kill := a.next().GetKillTask()
	for kill == nil {
		kill = a.next().GetKillTask()
	}
	if kill.GetTaskId().GetValue() != "t1" || kill.GetKillPolicy().GetGracePeriod().GetNanoseconds() != 1e9 {
		t.Errorf("the agent hears %v", kill)
	}
	a.update(s.id, "t1", v1.TaskState_TASK_KILLED)
	ended := s.awaitState("t1", v1.TaskState_TASK_KILLED)
	if d := drained(); d.GetState() != v1.DrainState_DRAINING {
		t.Errorf("before the acknowledgement, drain info is %v", d)
	}
	s.acknowledge(ended)
	wait(t, "the agent to be drained", func() bool { return drained().GetState() == v1.DrainState_DRAINED })
	counts(t, m, map[string]float64{"master/slaves_draining": 0, "master/slaves_drained": 1})
	mustChange(t, m, reactivate)
	s.offer()
	drain(true)
	for a.next().GetShutdown() == nil {
	}
	s.await(scheduler.Event_FAILURE)
	hello := helloOf(t, "a1", "cpus:4;mem:4096")
	hello.Agent.Id = a.id
	if again := attach(t, m, hello).next(); !strings.Contains(again.GetShutdown().GetMessage(), "was marked gone") {
		t.Errorf("an agent that is gone hears %v", again)
	}
}

// counts compares metrics.
func counts(t *testing.T, m *master.Master, want map[string]float64) {
	t.Helper()
	_, body := fetch(t, m, "/metrics/snapshot")
	var have map[string]float64
	if err := json.Unmarshal([]byte(body), &have); err != nil {
		t.Fatal(err)
	}
	for name, v := range want {
		if got, ok := have[name]; !ok || got != v {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, v)
		}
	}
}
