package cli_test

// Goal: what operators see and say of machines in maintenance and of agents that
// are drained. Method: as in policy_test.go.

import (
	"strings"
	"testing"

	"mezzo/api/mesos/v1/master"
)

const (
	// host1 is scheduled by its name alone, with an agent and a task; down1 is in
	// maintenance; nothing is known of the third but its address.
	window1 = `machine_ids { hostname: "host1" } unavailability { start { nanoseconds: 1800007200000000000 } duration { nanoseconds: 5400000000000 } }`
	window2 = `machine_ids { hostname: "down1" ip: "10.0.0.7" } machine_ids { ip: "10.0.0.9" } unavailability { start { nanoseconds: 1799999940000000000 } }`
	windows = `{"type":"GET_MAINTENANCE_SCHEDULE","get_maintenance_schedule":{"schedule":{"windows":[
 {"machine_ids":[{"hostname":"host1"}],"unavailability":{"start":{"nanoseconds":1800007200000000000},"duration":{"nanoseconds":5400000000000}}},
 {"machine_ids":[{"hostname":"down1","ip":"10.0.0.7"},{"ip":"10.0.0.9"}],"unavailability":{"start":{"nanoseconds":1799999940000000000}}}]}}}`
	standing = `{"type":"GET_MAINTENANCE_STATUS","get_maintenance_status":{"status":{
 "draining_machines":[{"id":{"hostname":"host1"},"statuses":[
   {"status":"ACCEPT","framework_id":{"value":"m-0001"},"timestamp":{"nanoseconds":1}},
   {"status":"UNKNOWN","framework_id":{"value":"m-0005"},"timestamp":{"nanoseconds":1}}]},
  {"id":{"ip":"10.0.0.9"}}],
 "down_machines":[{"hostname":"down1","ip":"10.0.0.7"}]}}}`
)

func maintained(t *testing.T) *cluster {
	t.Helper()
	c := operated(t)
	c.set(master.Call_GET_MAINTENANCE_SCHEDULE, windows)
	c.set(master.Call_GET_MAINTENANCE_STATUS, standing)
	c.set(master.Call_GET_STATE, drainState("DRAINED"))
	return c
}

// drainState is a state with the agent of host1; without a state of its draining
// if that is empty.
func drainState(drain string) string {
	if drain != "" {
		drain = `"drain_info":{"state":"` + drain + `","config":{}},`
	}
	return `{"type":"GET_STATE","get_state":{
 "get_agents":{"agents":[{` + drain + `"agent_info":{"hostname":"host1","id":{"value":"m-S0"}},"active":true,"version":"1","pid":"slave(1)@10.0.0.1:5051"}]},
 "get_frameworks":{"frameworks":[{"framework_info":{"user":"","name":"spark","id":{"value":"m-0001"}},"active":true,"connected":true,"recovered":false}]},
 "get_tasks":{"tasks":[{"name":"web","task_id":{"value":"web-1"},"framework_id":{"value":"m-0001"},"agent_id":{"value":"m-S0"},"state":"TASK_RUNNING"}]}}}`
}

func TestMaintenanceShown(t *testing.T) {
	c := maintained(t)
	const schedule = `
START                 BEGINS   LASTS    MACHINES
2027-01-15T07:59:00Z  60s ago  -        down1/10.0.0.7, 10.0.0.9
2027-01-15T10:00:00Z  in 2h0m  1h30m0s  host1
`
	check(t, c.run("maintenance", "schedule"), schedule)
	check(t, c.run("maintenance", "status"), `
MACHINE         STATE     START                 BEGINS   LASTS    AGENTS  TASKS  ANSWERS
host1           DRAINING  2027-01-15T10:00:00Z  in 2h0m  1h30m0s  1       1      spark: ACCEPT, m-0005: none
down1/10.0.0.7  DOWN      2027-01-15T07:59:00Z  60s ago  -        0       0      -
10.0.0.9        DRAINING  2027-01-15T07:59:00Z  60s ago  -        0       0      -
`)
	if r := c.run("maintenance", "schedule", "-o", "json"); !strings.HasPrefix(r.stdout, "{\n  \"windows\": [") {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	if r := c.run("maintenance", "status", "-o", "json"); !strings.HasPrefix(r.stdout, "{\n  \"draining_machines\": [") {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	if r := c.run("maintenance"); r.err != nil || !strings.Contains(r.stdout, "mezzo maintenance start host1") {
		t.Errorf("alone: %v\n%s", r.err, r.stdout)
	}
	c.calls()
}

func TestSchedule(t *testing.T) {
	c := maintained(t)
	schedules := func(windows ...string) {
		t.Helper()
		text := "type: UPDATE_MAINTENANCE_SCHEDULE update_maintenance_schedule { schedule { "
		for _, w := range windows {
			text += "windows { " + w + " } "
		}
		c.calls(text + "} }")
	}
	for _, row := range []struct {
		typed string
		want  []string
	}{
		// What is planned of others stays; a machine keeps the name that it has.
		{"host2|--start=90m|--duration=30m", []string{window1, window2,
			`machine_ids { hostname: "host2" ip: "10.0.0.2" } unavailability { start { nanoseconds: 1800005400000000000 } duration { nanoseconds: 1800000000000 } }`}},
		{"m-S0|HOST1|10.0.0.1", []string{window2, `machine_ids { hostname: "host1" } unavailability { start { nanoseconds: 1800000000000000000 } }`}},
		{"twin|10.0.0.9|--start=2027-01-15T08:00:01Z", []string{window1,
			`machine_ids { hostname: "down1" ip: "10.0.0.7" } unavailability { start { nanoseconds: 1799999940000000000 } }`,
			`machine_ids { hostname: "twin" } machine_ids { ip: "10.0.0.9" } unavailability { start { nanoseconds: 1800000001000000000 } }`}},
		{"new1|10.0.0.8|new2/::1|--force", []string{window1, window2,
			`machine_ids { hostname: "new1" } machine_ids { ip: "10.0.0.8" } machine_ids { hostname: "new2" ip: "::1" } unavailability { start { nanoseconds: 1800000000000000000 } }`}},
	} {
		r := c.run(append([]string{"maintenance", "schedule"}, strings.Split(row.typed, "|")...)...)
		if r.err != nil || !strings.HasPrefix(r.stdout, "START ") {
			t.Errorf("%s: %v\n%s", row.typed, r.err, r.stdout)
		}
		schedules(row.want...)
	}
	check(t, c.run("maintenance", "clear", "host1"), "host1\tCLEARED\n")
	schedules(window2)
	check(t, c.run("maintenance", "clear", "--all"), "host1\tCLEARED\n10.0.0.9\tCLEARED\n")
	schedules(`machine_ids { hostname: "down1" ip: "10.0.0.7" } unavailability { start { nanoseconds: 1799999940000000000 } }`)

	c.refuses([][2]string{
		{"maintenance|schedule|--start=2h", "no MACHINE is given: `mezzo agents` lists where agents run"},
		{"maintenance|schedule|host1|--start=soon", `--start "soon": want a time, as in '2026-01-31 22:00'`},
		{"maintenance|schedule|host1|--start=2300-01-01", `--start "2300-01-01": year 2300: want one from 1970 to 2261`},
		{"maintenance|schedule|host1|--start=1900-01-01", "want one from 1970 to 2261"},
		{"maintenance|schedule|host1|--start=2500000h", "want one from 1970 to 2261"},
		{"maintenance|schedule|host1|--start=-2500000h", "want one from 1970 to 2261"},
		{"maintenance|schedule|host1|--duration=0s", "--duration 0s: want a positive time"},
		{"maintenance|schedule|host1|--duration=-1h", "--duration -1h0m0s: want a positive time"},
		{"maintenance|schedule|host1|hots2", `machine "hots2": no agent runs there and it is not scheduled; did you mean host2? --force schedules it all the same`},
		{"maintenance|schedule|", `machine "": no agent runs there`},
		{"maintenance|schedule||--force", `machine "": want HOST, IP or HOST/IP`},
		{"maintenance|schedule|/|--force", `"" is not an address`},
		{"maintenance|schedule|a/b|--force", `machine "a/b": "b" is not an address`},
		{"maintenance|schedule|m-", `machine "m-": may be any of `},
		{"maintenance|clear", "no MACHINE is given: `mezzo maintenance status` lists them, or --all clears all"},
		{"maintenance|clear|host1|--all", "give MACHINE or --all, not both"},
		{"maintenance|clear|down1", "machine down1/10.0.0.7: is down; `mezzo maintenance stop` brings it back"},
		{"maintenance|clear|host2", "machine host2/10.0.0.2: is not scheduled; `mezzo maintenance schedule host2` does it"},
		{"maintenance|x", "no command `mezzo maintenance x`; there are clear, schedule, start, status, stop"},
	})
	c.calls()
	c.refuse[master.Call_UPDATE_MAINTENANCE_SCHEDULE] = "no"
	c.refuses([][2]string{
		{"maintenance|schedule|host2", "schedule maintenance of host2/10.0.0.2: call UPDATE_MAINTENANCE_SCHEDULE at " + c.addr() + ": 404 Not Found: no"},
		{"maintenance|clear|host1", "clear maintenance of host1: call UPDATE_MAINTENANCE_SCHEDULE"},
	})
}

func TestStartStop(t *testing.T) {
	c := maintained(t)
	check(t, c.run("maintenance", "start", "host1", "10.0.0.9", "m-S0"), "host1\tDOWN\n10.0.0.9\tDOWN\n")
	c.calls(`type: START_MAINTENANCE start_maintenance { machines { hostname: "host1" } machines { ip: "10.0.0.9" } }`)
	for _, name := range []string{"down1", "DOWN1/10.0.0.7", "::ffff:10.0.0.7"} {
		check(t, c.run("maintenance", "stop", name), "down1/10.0.0.7\tUP\n")
		c.calls(`type: STOP_MAINTENANCE stop_maintenance { machines { hostname: "down1" ip: "10.0.0.7" } }`)
	}
	if r := c.run("maintenance", "stop", "down1", "-o", "json"); !strings.Contains(r.stdout, `"down_machines": [`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	c.got = nil
	c.refuses([][2]string{
		{"maintenance|start", "no MACHINE is given: `mezzo maintenance status` lists them"},
		{"maintenance|start|host1|host2", "machine host2/10.0.0.2: is not scheduled; `mezzo maintenance schedule host2` does it"},
		{"maintenance|start|down1", "machine down1/10.0.0.7: is down already; `mezzo maintenance stop` ends it"},
		{"maintenance|stop|host1", "machine host1: is not down; `mezzo maintenance clear` takes it out of the schedule"},
		{"maintenance|stop|donw1", `machine "donw1": no agent runs there and it is not scheduled; did you mean down1?`},
		{"maintenance|stop|zebra", "`mezzo agents` and `mezzo maintenance status` list what there is"},
	})
	c.calls()
	c.refuse[master.Call_START_MAINTENANCE] = "no"
	c.refuses([][2]string{{"maintenance|start|host1", "start maintenance of host1: call START_MAINTENANCE at " + c.addr() + ": 404 Not Found: no"}})
}

func TestDrain(t *testing.T) {
	c := maintained(t)
	check(t, c.run("drain", "host1", "m-S0"), "m-S0\tDRAINED\n")
	c.calls(`type: DRAIN_AGENT drain_agent { agent_id { value: "m-S0" } mark_gone: false }`)
	if r := c.run("drain", "host1", "-o", "json"); !strings.Contains(r.stdout, `"state": "DRAINED"`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	c.got = nil
	c.set(master.Call_GET_STATE, drainState("DRAINING"))
	check(t, c.run("drain", "host1", "--detach", "--grace=1500ms", "--mark-gone"), "m-S0\tDRAINING\n")
	c.calls(`type: DRAIN_AGENT drain_agent { agent_id { value: "m-S0" } max_grace_period { seconds: 1 nanos: 500000000 } mark_gone: true }`)
	c.set(master.Call_GET_STATE, `{"type":"GET_STATE"}`)
	check(t, c.run("drain", "host1", "--mark-gone"), "m-S0\tGONE\n")
	if r := c.run("drain", "host1", "--mark-gone", "-o", "json"); !strings.Contains(r.stdout, `"value": "m-S0"`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	c.refuses([][2]string{{"drain|host1", "agent m-S0: became unreachable; its draining goes on when it is back"}})
	c.set(master.Call_GET_STATE, drainState(""))
	c.refuses([][2]string{{"drain|host1", "agent m-S0: was reactivated meanwhile"}})
	c.got = nil
	c.refuses([][2]string{
		{"drain", "no AGENT is given: `mezzo agents` lists them"},
		{"drain|host1|hots2", `agent "hots2": no such agent; did you mean host2?`},
		{"drain|twin", `agent "twin": may be any of n-S2, n-S3`},
		{"drain|host1|--grace=-1s", "--grace -1s: want no negative time"},
		{"drain|host1|--grace=1", `invalid argument "1" for "--grace"`},
	})
	c.calls()
	c.refuse[master.Call_DRAIN_AGENT] = "no"
	c.refuses([][2]string{{"drain|host1", "drain agent m-S0: call DRAIN_AGENT at " + c.addr() + ": 404 Not Found: no"}})
}

func TestMachineCompletion(t *testing.T) {
	c := maintained(t)
	for typed, want := range map[string]string{
		"maintenance|schedule|HERE|":           "host2/10.0.0.2\tagent m-S1\ntwin\tagent n-S2\nhost1\tDRAINING\ndown1/10.0.0.7\tDOWN\n10.0.0.9\tDRAINING\n:4\n",
		"maintenance|start|HERE|host1|":        "10.0.0.9\tDRAINING\n:4\n",
		"maintenance|stop|HERE|":               "down1/10.0.0.7\tDOWN\n:4\n",
		"maintenance|clear|HERE|":              "host1\tDRAINING\n10.0.0.9\tDRAINING\n:4\n",
		"maintenance|schedule|HERE|a|--start|": ":4\n",
		"maintenance|st":                       "start\tTake machines down: shut their agents down with all tasks, and refuse them\nstatus\tShow which machines are scheduled or down, what runs there, and what frameworks answered\nstop\tBring machines back: admit their agents again, and take them out of the schedule\n:4\n",
		"drain|HERE|m-S1|":                     "m-S0\thost1 ACTIVE\nn-S2\ttwin ACTIVE\nn-S3\ttwin ACTIVE\n:4\n",
		"drain|HERE|m-S1|--grace|":             ":4\n",
	} {
		args := append([]string{"__complete"}, strings.Split(strings.ReplaceAll(typed, "HERE", "--master="+c.addr()), "|")...)
		if r := execute(t, nil, args...); r.stdout != want {
			t.Errorf("%s offers\n%swant\n%s", typed, r.stdout, want)
		}
	}
}
