package cli_test

// Goal: what the commands print of a cluster is right, aligned and complete.
// Method: canned answers of the API, tables compared as a whole.

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/cli"
)

const state = `{"type":"GET_STATE","get_state":{
 "get_frameworks":{"frameworks":[{"framework_info":{"user":"","name":"mezzo run web","id":{"value":"fw"}},"active":true,"connected":true,"recovered":false}],
   "completed_frameworks":[{"framework_info":{"user":"","name":"batch","id":{"value":"old"}},"active":false,"connected":false,"recovered":false}]},
 "get_agents":{"agents":[{"agent_info":{"hostname":"host1","id":{"value":"a1"}},"active":true,"version":"0.1.0","pid":"slave(1)@AGENT"}]},
 "get_tasks":{
  "tasks":[
   {"name":"web","task_id":{"value":"web-2222"},"framework_id":{"value":"fw"},"agent_id":{"value":"a1"},"state":"TASK_RUNNING",
    "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"mem","type":"SCALAR","scalar":{"value":64}}],
    "statuses":[{"task_id":{"value":"web-2222"},"state":"TASK_STARTING","timestamp":1799999900.5},{"task_id":{"value":"web-2222"},"state":"TASK_RUNNING","timestamp":1799999901}]},
   {"name":"web","task_id":{"value":"web-1111"},"framework_id":{"value":"fw"},"agent_id":{"value":"gone"},"state":"TASK_STAGING",
    "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},{"name":"cpus","type":"SCALAR","scalar":{"value":0.2}},{"name":"mem","type":"SCALAR","scalar":{"value":1536}}]},
   {"name":"done","task_id":{"value":"done-3333"},"framework_id":{"value":"fw"},"agent_id":{"value":"a1"},"state":"TASK_FINISHED",
    "statuses":[{"task_id":{"value":"done-3333"},"state":"TASK_FINISHED","timestamp":1799992800}]}],
  "completed_tasks":[
   {"name":"greedy","task_id":{"value":"greedy-4444"},"framework_id":{"value":"old"},"agent_id":{"value":"a1"},"state":"TASK_FAILED",
    "statuses":[{"task_id":{"value":"greedy-4444"},"state":"TASK_FAILED","timestamp":1799740800,"message":"Memory limit exceeded:\n limit 32 MiB"}]}]}}}`

func check(t *testing.T, r result, want string) {
	t.Helper()
	if r.err != nil {
		t.Fatalf("error: %v", r.err)
	}
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), r.stdout); d != "" {
		t.Errorf("output (-want +got):\n%s", d)
	}
}

func TestPs(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_STATE, state)
	check(t, c.run("ps"), `
TASK      STATE    AGE  CPUS  MEM     AGENT  FRAMEWORK
web-1111  STAGING  -    0.3   1.5GiB  gone   mezzo run web
web-2222  RUNNING  99s  0.5   64MiB   host1  mezzo run web
`)
	check(t, c.run("ps", "-a"), `
TASK         STATE     AGE   CPUS  MEM     AGENT  FRAMEWORK      MESSAGE
web-1111     STAGING   -     0.3   1.5GiB  gone   mezzo run web  -
web-2222     RUNNING   99s   0.5   64MiB   host1  mezzo run web  -
greedy-4444  FAILED    3d    0     0B      host1  batch          Memory limit exceeded: limit 32 MiB
done-3333    FINISHED  2h0m  0     0B      host1  mezzo run web  -
`)
	if r := c.run("ps", "-o", "json"); !strings.Contains(r.stdout, `"value": "web-2222"`) || strings.Contains(r.stdout, "get_agents") {
		t.Errorf("json is no GetTasks: %v\n%s", r.err, r.stdout)
	}
}

func TestAgents(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_AGENTS, `{"type":"GET_AGENTS","get_agents":{"agents":[
	 {"agent_info":{"hostname":"host2","id":{"value":"m-S1"}},"active":false,"version":"0.1.0","pid":"slave(1)@10.0.0.2:5051"},
	 {"agent_info":{"hostname":"host1","id":{"value":"m-S0"}},"active":true,"version":"0.1.0","pid":"slave(1)@10.0.0.1:5051",
	  "registered_time":{"nanoseconds":1799999000000000000},
	  "total_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":4}},{"name":"mem","type":"SCALAR","scalar":{"value":2048}},{"name":"disk","type":"SCALAR","scalar":{"value":10240}}],
	  "allocated_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"mem","type":"SCALAR","scalar":{"value":64}}],
	  "offered_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]},
	 {"agent_info":{"hostname":"host3","id":{"value":"m-S2"}},"active":true,"deactivated":true,"version":"0.1.0","pid":"slave(1)@10.0.0.3:5051","drain_info":{"state":"DRAINING","config":{}}}]}}`)
	check(t, c.run("agents"), `
HOST   ADDRESS        STATE         CPUS   MEM         DISK      AGE  AGENT
host1  10.0.0.1:5051  ACTIVE        1.5/4  64MiB/2GiB  0B/10GiB  16m  m-S0
host2  10.0.0.2:5051  DISCONNECTED  0/0    0B/0B       0B/0B     -    m-S1
host3  10.0.0.3:5051  DRAINING      0/0    0B/0B       0B/0B     -    m-S2
`)
}

func TestFrameworks(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_FRAMEWORKS, `{"type":"GET_FRAMEWORKS","get_frameworks":{
	 "frameworks":[{"framework_info":{"user":"","name":"web","id":{"value":"m-0001"},"roles":["a","b/c"]},"active":true,"connected":true,"recovered":false,"registered_time":{"nanoseconds":1799999000000000000},
	   "allocated_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"mem","type":"SCALAR","scalar":{"value":64}}]},
	  {"framework_info":{"user":"","name":"lost","id":{"value":"m-0000"}},"active":false,"connected":false,"recovered":false},
	  {"framework_info":{"user":"","name":"left","id":{"value":"m-0003"},"labels":{"labels":[{"key":"mezzo.detached"}]}},"active":false,"connected":false,"recovered":false}],
	 "completed_frameworks":[{"framework_info":{"user":"","name":"old","id":{"value":"m-0002"}},"active":false,"connected":false,"recovered":false}]}}`)
	check(t, c.run("frameworks", "--all"), `
NAME  STATE         ROLES  CPUS  MEM    OFFERS  OFFERED  OLDEST  AGE  FRAMEWORK
lost  DISCONNECTED  *      0     0B     0       -        -       -    m-0000
web   ACTIVE        a,b/c  0.5   64MiB  0       -        -       16m  m-0001
left  DETACHED      *      0     0B     0       -        -       -    m-0003
old   ENDED         *      0     0B     0       -        -       -    m-0002
`)
	if r := c.run("frameworks"); strings.Contains(r.stdout, "m-0002") {
		t.Errorf("ended framework without --all:\n%s", r.stdout)
	}
}

const clusterUsage = `{"type":"GET_USAGE","get_usage":{
 "agents":[{"agent_id":{"value":"a1"},"hostname":"host1",
  "total":[{"name":"cpus","type":"SCALAR","scalar":{"value":2}},{"name":"mem","type":"SCALAR","scalar":{"value":2048}}],
  "allocated":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"mem","type":"SCALAR","scalar":{"value":64}}],
  "used":{"cpu":{"rate_cpus":0.731,"pressure":{"some_avg10":12.34}},"memory":{"working_set_bytes":1181116006}}},
  {"agent_id":{"value":"a2"},"hostname":"host2"}],
 "tasks":[
  {"task_id":{"value":"greedy-1"},"agent_id":{"value":"a1"},"name":"greedy","state":"TASK_FAILED",
   "allocated":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.2}},{"name":"mem","type":"SCALAR","scalar":{"value":32}}],
   "used":{"cpu":{"limit_cpus":0.2,"rate_cpus":0.1},"memory":{"limit_bytes":33554432,"working_set_bytes":30000000,"peak_bytes":33554432,"oom_kills":1}}},
  {"task_id":{"value":"new-1"},"agent_id":{"value":"a2"},"name":"new","state":"TASK_STAGING","allocated":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]},
  {"task_id":{"value":"spin-1"},"agent_id":{"value":"a1"},"name":"spin","state":"TASK_RUNNING",
   "allocated":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"mem","type":"SCALAR","scalar":{"value":64}}],
   "used":{"cpu":{"limit_cpus":0.5,"rate_cpus":0.5004,"throttled_share":0.987},"memory":{"working_set_bytes":1258291,"peak_bytes":2097152}}}]}}`

func TestTop(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_USAGE, clusterUsage)
	check(t, c.run("top", "--once", "--all"), `
NODE   CPUS  ALLOCATED  USED  MEM   ALLOCATED  USED    CPU PRESSURE  MEM PRESSURE
host1  2     0.5        0.73  2GiB  64MiB      1.1GiB  12.3%         -
host2  0     0          -     0B    0B         -       -             -

TASK      STATE    CPUS  LIMIT  USED  THROTTLED  MEM    LIMIT  USED    PEAK   OOM  NODE
new-1     STAGING  1     -      -     -          0B     -      -       -      -    host2
spin-1    RUNNING  0.5   0.5    0.5   98.7%      64MiB  none   1.2MiB  2MiB   0    host1
greedy-1  FAILED   0.2   0.2    -     -          32MiB  32MiB  -       32MiB  1    host1
`)
	withExecutor := strings.Replace(clusterUsage, `"get_usage":{`, `"get_usage":{"executors":[{"executor_id":{"value":"own"},"agent_id":{"value":"a1"},
  "allocated":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.7}},{"name":"mem","type":"SCALAR","scalar":{"value":96}}],
  "used":{"cpu":{"limit_cpus":0.7,"rate_cpus":0.4},"memory":{"limit_bytes":100663296,"working_set_bytes":1258291,"peak_bytes":2097152}}}],`, 1)
	c.set(master.Call_GET_USAGE, withExecutor)
	if r := c.run("top", "--once"); !strings.HasSuffix(r.stdout, `
EXECUTOR, WITH ITS TASKS  CPUS  LIMIT  USED  MEM    LIMIT  USED    PEAK  OOM  NODE
own                       0.7   0.7    0.4   96MiB  96MiB  1.2MiB  2MiB  0    host1
`) {
		t.Errorf("with an executor: %s", r.stdout)
	}
	c.set(master.Call_GET_USAGE, clusterUsage)
	if r := c.run("top"); strings.Contains(r.stdout, "greedy") || strings.Contains(r.stdout, "\x1b") {
		t.Errorf("not a terminal, not --all:\n%q", r.stdout)
	}
	if r := c.run("top", "-o", "json"); !strings.Contains(r.stdout, `"throttled_share": 0.987`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
}

// screen is a terminal of the tests.
type screen struct{ keys chan byte }

func (screen) Size() (columns, rows int)      { return 30, 6 }
func (s screen) Watch() (<-chan byte, func()) { return s.keys, func() { close(s.keys) } }

// TestTopInTerminal: what is shown fits, is shown anew, and ends with q.
func TestTopInTerminal(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_USAGE, clusterUsage)
	s := screen{make(chan byte, 2)}
	s.keys <- 0
	s.keys <- 'q'
	r := executeWith(t, cli.Deps{Terminal: s}, "top", "--all", "--interval=1h", "--master="+c.addr())
	const once = "\x1b[H" +
		"NODE   CPUS  ALLOCATED  USED  \x1b[K\n" +
		"host1  2     0.5        0.73  \x1b[K\n" +
		"host2  0     0          -     \x1b[K\n" +
		"\x1b[K\n" +
		"and 4 more; mezzo top --once s\x1b[K\n\x1b[J"
	check(t, r, once+once)
	if _, open := <-s.keys; open {
		t.Error("the terminal is still watched")
	}
}

// TestNoMaster: what answers like a master of other calls is none.
func TestNoMaster(t *testing.T) {
	c := newCluster(t)
	c.other = master.Response_GET_HEALTH
	if r := c.run("agents"); r.err == nil || !strings.Contains(r.err.Error(), "what listens there is no master") {
		t.Errorf("error %v", r.err)
	}
}

func TestLogs(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_STATE, state)
	c.state = `{"frameworks":[{"id":"fw","executors":[{"id":"web-2222","directory":"/box"}]}],
	 "completed_frameworks":[{"id":"old","completed_executors":[{"id":"greedy-4444","directory":"/oldbox"}]}]}`
	c.write("/box/stdout", "bytes \xff\x00 as they are\n")
	c.write("/box/stderr", "careful\n")
	c.write("/oldbox/stdout", "eating\n")
	c.write("/oldbox/stderr", "")
	for _, ref := range []string{"web-2222", "web-2"} {
		if r := c.run("logs", ref); r.stdout != "bytes \xff\x00 as they are\n" || r.stderr != "careful\n" || r.err != nil {
			t.Errorf("logs %s = %+v", ref, r)
		}
	}
	check(t, c.run("logs", "-f", "greedy"), "eating\n")
	check(t, c.run("logs", "-o", "json", "greedy"), `{"stream":"stdout","line":"eating"}`+"\n")
	for ref, says := range map[string]string{
		"web":      `task "web": may be any of web-1111, web-2222`,
		"nobody":   `task "nobody": no such task; ` + "`mezzo ps -a` lists them",
		"greeedy":  "did you mean greedy?",
		"":         `task "": no such task`,
		"web-1111": "task web-1111: its agent gone is not registered",
		"done":     "agent host1 has no sandbox of task done-3333",
	} {
		if r := c.run("logs", ref); r.err == nil || !strings.Contains(r.err.Error(), says) {
			t.Errorf("logs %q: error %v, want one that says %q", ref, r.err, says)
		}
	}
}

func TestKill(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_STATE, state)
	r := c.run("kill", "-d", "--grace=1.5s", "web-2", "web-1111")
	check(t, r, "web-2222\tRUNNING\nweb-1111\tSTAGING\n")
	var kills []*master.Call_KillTask
	for _, call := range c.got {
		if call.GetType() == master.Call_KILL_TASK {
			kills = append(kills, call.GetKillTask())
		}
	}
	slices.SortFunc(kills, func(a, b *master.Call_KillTask) int {
		return -strings.Compare(a.GetTaskId().GetValue(), b.GetTaskId().GetValue())
	})
	if len(kills) != 2 || kills[0].GetTaskId().GetValue() != "web-2222" || kills[0].GetFrameworkId().GetValue() != "fw" ||
		kills[0].GetKillPolicy().GetGracePeriod().GetNanoseconds() != 1.5e9 {
		t.Errorf("calls %v", kills)
	}
	for ref, says := range map[string]string{"done": "has ended", "greedy-4444": "has ended", "": "no such task", "wbe": "did you mean web? `mezzo ps` lists all", "greed": "has ended"} {
		if r := c.run("kill", ref); r.code != 1 || !strings.Contains(r.err.Error(), says) {
			t.Errorf("kill %s: %v", ref, r.err)
		}
	}
	c.refuse[master.Call_KILL_TASK] = "framework fw has no task web-2222"
	if r := c.run("kill", "web-2222"); r.err == nil || r.err.Error() != "kill task web-2222: call KILL_TASK at "+c.addr()+": 404 Not Found: framework fw has no task web-2222" {
		t.Errorf("refused kill: %v", r.err)
	}
}

// TestKillDetached: a task whose framework left is killed as that framework,
// which ends too.
func TestKillDetached(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_STATE, strings.Replace(state, `"active":true,"connected":true`,
		`"active":false,"connected":false`, 1))
	c.set(master.Call_GET_STATE, strings.Replace(c.answers[master.Call_GET_STATE], `"id":{"value":"fw"}`,
		`"id":{"value":"fw"},"labels":{"labels":[{"key":"mezzo.detached"}]}`, 1))
	c.play = func(s *stage) {
		k := s.next(wire.Call_KILL).GetKill()
		c.set(master.Call_GET_STATE, strings.Replace(c.answers[master.Call_GET_STATE], "TASK_RUNNING", "TASK_KILLED", 1))
		s.update(k.GetTaskId(), v1.TaskState_TASK_KILLED, nil)
	}
	check(t, c.run("kill", "web-2"), "web-2222\tKILLED\n")
	for _, want := range []wire.Call_Type{wire.Call_ACKNOWLEDGE, wire.Call_TEARDOWN} {
		if got := <-c.called; got.GetType() != want {
			t.Errorf("call %v, want %v", got, want)
		}
	}
}

func TestCompletion(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_STATE, state)
	master := "--master=" + c.addr()
	if r := execute(t, nil, "__complete", "kill", master, ""); !strings.Contains(r.stdout, "web-1111\tSTAGING\nweb-2222\tRUNNING\n") || strings.Contains(r.stdout, "done") {
		t.Errorf("kill offers:\n%s", r.stdout)
	}
	if r := execute(t, nil, "__complete", "kill", master, "web-1111", ""); strings.Contains(r.stdout, "web-1111") || !strings.Contains(r.stdout, "web-2222") {
		t.Errorf("kill offers after web-1111:\n%s", r.stdout)
	}
	if r := execute(t, nil, "__complete", "logs", master, "web-1111", ""); strings.Contains(r.stdout, "web") {
		t.Errorf("logs offers a second:\n%s", r.stdout)
	}
	if r := execute(t, nil, "__complete", "logs", master, ""); !strings.Contains(r.stdout, "done-3333\tFINISHED\n") {
		t.Errorf("logs offers:\n%s", r.stdout)
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	for _, args := range [][]string{{"ps"}, {"top", "--once"}, {"agents"}, {"frameworks"}, {"roles"}, {"quota", "ls"}, {"explain", "x"}, {"weights", "set", "a=1"}, {"logs", "x"}, {"kill", "x"}, {"run", "--image=x"}} {
		r := execute(t, nil, append(args, "--master="+addr)...)
		if r.err == nil || !strings.Contains(r.err.Error(), "no master answers at "+addr+" (connect: connection refused): start one with `mezzo local` or pass --master") {
			t.Errorf("%v: %v", args, r.err)
		}
		if want := map[bool]int{false: 1, true: 125}[args[0] == "run"]; r.code != want {
			t.Errorf("%v: exit code %d, want %d", args, r.code, want)
		}
	}
}

func TestBadFlags(t *testing.T) {
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"ps", "--master=:1"}, "bad host"},
		{[]string{"ps", "--master=zk://user:secret@h:x/mesos"}, `"zk://***@h:x/mesos": server 1: port must be`},
		{[]string{"ps", "-o", "yaml"}, "want table or json"},
		{[]string{"ps", "x"}, `argument "x" is too much; usage: mezzo ps`},
		{[]string{"top", "--interval=1ms"}, "at least 100ms"},
		{[]string{"logs"}, "no TASK is given: `mezzo ps` lists them"},
		{[]string{"logs", "a", "b"}, `argument "b" is too much`},
		{[]string{"kill"}, "no TASK is given"},
		{[]string{"run"}, "nothing to run"},
		{[]string{"run", "-o", "x", "--image=i"}, "want table or json"},
	} {
		if r := execute(t, nil, tc.args...); r.err == nil || !strings.Contains(r.err.Error(), tc.says) {
			t.Errorf("%v: %v, want one that says %q", tc.args, r.err, tc.says)
		}
	}
}
