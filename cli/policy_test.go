package cli_test

// Goal: what operators see and say of roles, quota, weights, held agents and
// frameworks that get nothing. Method: as in read_test.go; of what changes
// something, the call that was made.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"mezzo/api/mesos/v1/master"
)

const (
	roleList = `{"roles":[
 {"name":"*","weight":1,"frameworks":[],"resources":{},"allocated":{},"offered":{},"reserved":{}},
 {"name":"eng","weight":2.5,"frameworks":["m-0001","m-0002"],"allocated":{"cpus":2,"mem":512},"offered":{"cpus":0.125},"reserved":{"disk":10000},
  "quota":{"role":"eng","guarantee":{"cpus":2},"limit":{"cpus":4,"gpus":0,"mem":2048},"consumed":{"cpus":2.125,"mem":512}},
  "share":{"resource":"cpus","used":2.125,"total":8}},
 {"name":"ops","weight":1,"frameworks":[],"quota":{"role":"ops","guarantee":{},"limit":{"mem":0},"consumed":{}}}]}`
	agentList = `{"type":"GET_AGENTS","get_agents":{"agents":[
 {"agent_info":{"hostname":"host1","id":{"value":"m-S0"}},"active":true,"version":"1","pid":"slave(1)@10.0.0.1:5051"},
 {"agent_info":{"hostname":"host2","id":{"value":"m-S1"}},"active":true,"deactivated":true,"version":"1","pid":"slave(1)@10.0.0.2:5051"},
 {"agent_info":{"hostname":"twin","id":{"value":"n-S2"}},"active":true,"version":"1"},
 {"agent_info":{"hostname":"twin","id":{"value":"n-S3"}},"active":true,"version":"1"}]}}`
	frameworkList = `{"type":"GET_FRAMEWORKS","get_frameworks":{"frameworks":[
 {"framework_info":{"user":"","name":"spark","id":{"value":"m-0001"},"roles":["eng","ops"]},"active":true,"connected":true,"recovered":false,
  "offers":[{"id":{"value":"o1"},"framework_id":{"value":"m-0001"},"agent_id":{"value":"m-S0"},"hostname":"host1"}],
  "offered_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":2}},{"name":"mem","type":"SCALAR","scalar":{"value":1536}},{"name":"ports","type":"RANGES"}],
  "oldest_offer_time":{"nanoseconds":1799999940000000000}},
 {"framework_info":{"user":"","name":"mezzo run web","id":{"value":"m-0002"}},"active":true,"connected":true,"recovered":false}],
 "completed_frameworks":[{"framework_info":{"user":"","name":"batch","id":{"value":"m-0009"}},"active":false,"connected":false,"recovered":false}]}}`
)

func operated(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t)
	c.roles = roleList
	c.set(master.Call_GET_AGENTS, agentList)
	c.set(master.Call_GET_FRAMEWORKS, frameworkList)
	return c
}

// calls compares those that the command made and that are no questions.
func (c *cluster) calls(want ...string) {
	c.t.Helper()
	var got []*master.Call
	for _, call := range c.got {
		if !strings.HasPrefix(call.GetType().String(), "GET_") {
			got = append(got, call)
		}
	}
	c.got = nil
	var expected []*master.Call
	for _, text := range want {
		call := &master.Call{}
		if err := prototext.Unmarshal([]byte(text), call); err != nil {
			c.t.Fatal(err)
		}
		expected = append(expected, call)
	}
	if d := cmp.Diff(expected, got, protocmp.Transform()); d != "" {
		c.t.Errorf("calls (-want +got):\n%s", d)
	}
}

// refuses runs commands that must end with an error that says something.
func (c *cluster) refuses(rows [][2]string) {
	c.t.Helper()
	for _, row := range rows {
		if r := c.run(strings.Split(row[0], "|")...); r.code != 1 || !strings.Contains(r.err.Error(), row[1]) {
			c.t.Errorf("%s: code %d, %v, want one that says %q", row[0], r.code, r.err, row[1])
		}
	}
}

func TestRoles(t *testing.T) {
	c := operated(t)
	check(t, c.run("roles"), `
ROLE  WEIGHT  FRAMEWORKS  SHARE       GUARANTEE  LIMIT                   CONSUMED               ALLOCATED          OFFERED     RESERVED
*     1       0           -           -          -                       -                      -                  -           -
eng   2.5     2           26.6% cpus  cpus:2     cpus:4 gpus:0 mem:2GiB  cpus:2.125 mem:512MiB  cpus:2 mem:512MiB  cpus:0.125  disk:10000MiB
ops   1       0           -           -          mem:0                   -                      -                  -           -
`)
	if r := c.run("roles", "-o", "json"); !strings.Contains(r.stdout, `"resource": "cpus"`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	c.roles = "<html>"
	c.refuses([][2]string{{"roles", "what listens there is no master"}})
}

func TestQuota(t *testing.T) {
	c := operated(t)
	const eng = `
ROLE  GUARANTEE  LIMIT                   CONSUMED
eng   cpus:2     cpus:4 gpus:0 mem:2GiB  cpus:2.125 mem:512MiB
`
	check(t, c.run("quota", "ls"), eng+`ops   -          mem:0                   -
`)
	check(t, c.run("quota", "get", "eng"), eng)
	check(t, c.run("quota", "get", "ops", "-o", "json"), `
{
  "role": "ops",
  "guarantee": {},
  "limit": {
    "mem": 0
  },
  "consumed": {}
}
`)
	if r := c.run("quota", "ls", "-o", "json"); !strings.HasPrefix(r.stdout, "[\n") {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	if r := c.run("quota"); r.err != nil || !strings.Contains(r.stdout, "mezzo quota set eng --limit=") {
		t.Errorf("alone: %v\n%s", r.err, r.stdout)
	}
	c.calls()

	// One that is not given stays, an empty one goes.
	check(t, c.run("quota", "set", "eng", "--limit=cpus:20; mem:1.5GiB,gpus:0"), eng)
	c.calls(`type: UPDATE_QUOTA update_quota { force: false quota_configs { role: "eng"
		guarantees { key: "cpus" value { value: 2 } }
		limits { key: "cpus" value { value: 20 } } limits { key: "mem" value { value: 1536 } } limits { key: "gpus" value { value: 0 } } } }`)
	check(t, c.run("quota", "set", "eng", "--guarantee=", "--force"), eng)
	c.calls(`type: UPDATE_QUOTA update_quota { force: true quota_configs { role: "eng"
		limits { key: "cpus" value { value: 4 } } limits { key: "mem" value { value: 2048 } } limits { key: "gpus" value { value: 0 } } } }`)
	check(t, c.run("quota", "set", "new", "--guarantee=cpus:1", "--limit="), `
ROLE  GUARANTEE  LIMIT  CONSUMED
new   -          -      -
`)
	c.calls(`type: UPDATE_QUOTA update_quota { force: false quota_configs { role: "new" guarantees { key: "cpus" value { value: 1 } } } }`)
	check(t, c.run("quota", "rm", "eng", "ops"), "eng\tREMOVED\nops\tREMOVED\n")
	c.calls(`type: UPDATE_QUOTA update_quota { force: false quota_configs { role: "eng" } quota_configs { role: "ops" } }`)
	if r := c.run("quota", "rm", "eng", "-o", "json"); !strings.Contains(r.stdout, `"limit": {}`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	c.calls(`type: UPDATE_QUOTA update_quota { force: false quota_configs { role: "eng" } }`)

	c.refuses([][2]string{
		{"quota|set|eng", "give --guarantee, --limit or both; see `mezzo quota set --help`"},
		{"quota|set|--limit=cpus:1", "no ROLE is given: `mezzo roles` lists them"},
		{"quota|set|eng|ops|--limit=cpus:1", `argument "ops" is too much`},
		{"quota|set|eng|--limit=20", `--limit: "20": want NAME:AMOUNT, as in 'cpus:10;mem:1GiB'`},
		{"quota|set|eng|--limit=cpus:many", `--limit: cpus: "many" is not an amount`},
		{"quota|set|eng|--limit=cpus:1GiB", `--limit: cpus: "1GiB" is not an amount`},
		{"quota|set|eng|--limit=cpus:-1", "--limit: cpus: value -1 is negative"},
		{"quota|set|eng|--guarantee=mem:NaN", "--guarantee: mem: value NaN is not a finite number"},
		{"quota|set|eng|--guarantee=cpus:1;cpus:2", "--guarantee: cpus is named twice"},
		{"quota|get|egn", `role "egn": has no quota; did you mean eng? ` + "`mezzo quota ls` lists all"},
		{"quota|get|*", "`mezzo quota set` gives it"},
		{"quota|rm|eng|web", `role "web": has no quota`},
		{"quota|rm", "no ROLE is given"},
		{"quota|sett", "no command `mezzo quota sett`; did you mean `mezzo quota set`?"},
		{"quota|x", "no command `mezzo quota x`; there are get, ls, rm, set: see `mezzo quota --help`"},
	})
	c.calls()
	c.refuse[master.Call_UPDATE_QUOTA] = "409 9 cpus would be guaranteed in all, the agents have 4"
	c.refuses([][2]string{
		{"quota|set|eng|--guarantee=cpus:9", "409 Conflict: 9 cpus would be guaranteed in all, the agents have 4; --force does it all the same"},
	})
	c.refuse[master.Call_UPDATE_QUOTA] = "no such role"
	if r := c.run("quota", "set", "a b", "--limit=cpus:1"); r.code != 1 ||
		r.err.Error() != `set quota of role "a b": call UPDATE_QUOTA at `+c.addr()+": 404 Not Found: no such role" {
		t.Errorf("refused: %v", r.err)
	}
}

func TestWeights(t *testing.T) {
	c := operated(t)
	c.set(master.Call_GET_WEIGHTS, `{"type":"GET_WEIGHTS","get_weights":{"weight_infos":[{"role":"eng","weight":2.5},{"role":"a=b","weight":0.001}]}}`)
	const set = `
ROLE  WEIGHT
a=b   0.001
eng   2.5
`
	check(t, c.run("weights", "ls"), set)
	check(t, c.run("weights", "set", "eng=2.5", "ops=1", "a=b=0.001"), set+"ops   1\n")
	c.calls(`type: UPDATE_WEIGHTS update_weights {
		weight_infos { role: "eng" weight: 2.5 } weight_infos { role: "ops" weight: 1 } weight_infos { role: "a=b" weight: 0.001 } }`)
	if r := c.run("weights", "ls", "-o", "json"); !strings.Contains(r.stdout, `"weight": 2.5`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	c.refuse[master.Call_UPDATE_WEIGHTS] = "it is 0"
	c.refuses([][2]string{
		{"weights|set", "no ROLE=WEIGHT is given: `mezzo weights ls` lists them"},
		{"weights|set|eng", `set weight: "eng": want ROLE=WEIGHT, as in eng=2.5`},
		{"weights|set|eng=much", `set weight: "eng=much": want ROLE=WEIGHT`},
		{"weights|set|eng=0|ops=1", "set weight of eng, ops: call UPDATE_WEIGHTS at " + c.addr() + ": 404 Not Found: it is 0"},
	})
}

func TestHoldAgents(t *testing.T) {
	c := operated(t)
	check(t, c.run("agents", "deactivate", "host2", "m-S0"), "m-S1\tDEACTIVATED\nm-S0\tACTIVE\n")
	c.calls(`type: DEACTIVATE_AGENT deactivate_agent { agent_id { value: "m-S1" } }`, `type: DEACTIVATE_AGENT deactivate_agent { agent_id { value: "m-S0" } }`)
	check(t, c.run("agents", "reactivate", "host1"), "m-S0\tACTIVE\n")
	c.calls(`type: REACTIVATE_AGENT reactivate_agent { agent_id { value: "m-S0" } }`)
	if r := c.run("agents", "reactivate", "host1", "-o", "json"); !strings.Contains(r.stdout, `"hostname": "host1"`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	c.calls(`type: REACTIVATE_AGENT reactivate_agent { agent_id { value: "m-S0" } }`)
	c.refuses([][2]string{
		{"agents|deactivate", "no AGENT is given: `mezzo agents` lists them"},
		{"agents|deactivate|host1|host4", `agent "host4": no such agent; did you mean host1? ` + "`mezzo agents` lists all"},
		{"agents|deactivate|twin", `agent "twin": may be any of n-S2, n-S3`},
		{"agents|deactivate|m-", `agent "m-": may be any of m-S0, m-S1`},
		{"agents|deactivate|", `agent "": no such agent`},
		{"agents|drop", "no command `mezzo agents drop`; there are deactivate, reactivate"},
	})
	c.calls() // all are found before any is changed
	c.refuse[master.Call_DEACTIVATE_AGENT] = "gone"
	c.refuses([][2]string{{"agents|deactivate|host1", "deactivate agent m-S0: call DEACTIVATE_AGENT at " + c.addr() + ": 404 Not Found: gone"}})
}

// TestHoarding: what is held in offers is seen.
func TestHoarding(t *testing.T) {
	check(t, operated(t).run("frameworks"), `
NAME           STATE   ROLES    CPUS  MEM  OFFERS  OFFERED             OLDEST  AGE  FRAMEWORK
spark          ACTIVE  eng,ops  0     0B   1       cpus:2 mem:1536MiB  60s     -    m-0001
mezzo run web  ACTIVE  *        0     0B   0       -                   -       -    m-0002
`)
}

func TestExplain(t *testing.T) {
	c := operated(t)
	reason := func(why, detail string, agents int, example, more string) string {
		return fmt.Sprintf(`{"why":%q,"detail":%q,"agents":%d,"example":{"value":%q}%s}`, why, detail, agents, example, more)
	}
	c.set(master.Call_EXPLAIN, `{"type":"EXPLAIN","explain":{"framework_id":{"value":"m-0001"},"name":"spark","offers_held":1,
	 "oldest_offer":{"nanoseconds":1799999940000000000},
	 "standings":[{"role":"eng","used":512,"total":2048,"dominant":"mem","before":["ops","web"],
	   "requests":[{"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":8}},{"name":"mem","type":"SCALAR","scalar":{"value":1024}}]},
	    {"agent_id":{"value":"m-S1"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}],
	   "reasons":[`+strings.Join([]string{
		reason("quota limit", `role "eng" has reached its limit of cpus: 2 of 2`, 4, "m-S0", ""),
		reason("offer constraints", "rack is a", 3, "m-S0", ""),
		reason("offer constraints", "rack is b", 2, "m-S1", ""),
		reason("refused", "the framework refused it", 2, "m-S1", `,"until":{"nanoseconds":1800000004400000000}`),
		reason("offer constraints", "rack is c", 1, "m-S1", ""),
		reason("offer constraints", "rack is d", 1, "m-S0", ""),
		reason("offer constraints", "rack is e", 1, "m-S9", ""),
	}, ",")+`]},
	  {"role":"ops","used":0,"total":0,"reasons":[`+reason("nothing left", "all is used or offered", 1, "m-S0", "")+`,`+reason("new kind", "who knows", 1, "m-S1", "")+`]}],
	 "holders":[{"framework_id":{"value":"m-0007"},"name":"hog","agents":3,"offers_held":3,"tasks":0,"oldest_offer":{"nanoseconds":1799999000000000000}},
	  {"framework_id":{"value":"m-0001"},"name":"spark","agents":1,"offers_held":0,"tasks":2}]}}`)
	check(t, c.run("explain", "spark"), `
spark (m-0001) is ACTIVE and holds 1 offer, the oldest for 60s: cpus:2 mem:1536MiB.

Role eng has 512MiB of 2GiB mem (25%), offers included; due before it: ops, web.
It asks for cpus:8 mem:1GiB of any agent.
It asks for cpus:1 of host2.
AGENTS  REASON             DETAIL                                                  FOR EXAMPLE
3       offer constraints  rack is a                                               host1
2       offer constraints  rack is b                                               host2
1       offer constraints  rack is c                                               host2
2       offer constraints  other details: -o json has them                         host1, m-S9
4       quota limit        role "eng" has reached its limit of cpus: 2 of 2        host1
2       refused            the framework refused it; the first refusal ends in 4s  host2

Role ops has nothing; no role is due before it.
AGENTS  REASON        DETAIL                  FOR EXAMPLE
1       nothing left  all is used or offered  host1
1       new kind      who knows               host2

What nothing is left of is held by:
NAME            AGENTS  OFFERS  OLDEST  TASKS  FRAMEWORK
hog             3       3       16m     0      m-0007
spark (itself)  1       0       -       2      m-0001

What to do:
  quota limit: `+"`mezzo quota set ROLE --limit=…` raises it, `mezzo quota ls` shows all"+`
  offer constraints: they are the framework's own
  refused: it comes again when the refusal ends, or at once if the framework sends REVIVE
  nothing left: add agents, end tasks, or see above who holds offers: the master's --offer_timeout takes them back
`)
	c.calls(`type: EXPLAIN explain { framework_id { value: "m-0001" } }`)
	if r := c.run("explain", "m-0001", "--role=ops", "--agent=host2", "-o", "json"); !strings.Contains(r.stdout, `"dominant": "mem"`) {
		t.Errorf("json: %v\n%s", r.err, r.stdout)
	}
	c.calls(`type: EXPLAIN explain { framework_id { value: "m-0001" } role: "ops" agent_id { value: "m-S1" } }`)

	c.refuses([][2]string{
		{"explain", "no FRAMEWORK is given: `mezzo frameworks` lists them"},
		{"explain|sprak", `framework "sprak": no such framework; did you mean spark? ` + "`mezzo frameworks` lists all"},
		{"explain|web", `framework "web": no such framework; did you mean "mezzo run web"?`},
		{"explain|nobody", `framework "nobody": no such framework; ` + "`mezzo frameworks` lists them"},
		{"explain|m-", `framework "m-": may be any of m-0001, m-0002`},
		{"explain|batch", `framework "batch": has ended`},
		{"explain|spark|--role=egn", `framework "spark": is not subscribed in role "egn"; did you mean eng? it is in eng, ops`},
		{"explain|spark|--role=web", `framework "spark": is not subscribed in role "web"; it is in eng, ops`},
		{"explain|spark|--agent=host3", `agent "host3": no such agent; did you mean host1?`},
	})
	c.calls()
	c.refuse[master.Call_EXPLAIN] = "gone"
	c.refuses([][2]string{{"explain|spark", "explain framework m-0001: call EXPLAIN at " + c.addr() + ": 404 Not Found: gone"}})
}

// TestExplainEmpty: a cluster without agents, a framework that holds nothing.
func TestExplainEmpty(t *testing.T) {
	c := operated(t)
	c.set(master.Call_EXPLAIN, `{"type":"EXPLAIN","explain":{"framework_id":{"value":"m-0002"},"name":"mezzo run web","offers_held":0,"standings":[{"role":"*"}]}}`)
	check(t, c.run("explain", "m-0002"), `
mezzo run web (m-0002) is ACTIVE and holds no offers.

Role * has nothing; no role is due before it.
It gets nothing, for no agent is registered: start one with `+"`mezzo agent --master=… --work_dir=…`"+`
`)
}

func TestCompletionOfNames(t *testing.T) {
	c := operated(t)
	for _, tc := range []struct{ typed, want string }{
		{"explain|HERE|", "m-0001\tspark\nm-0002\tmezzo run web\n:4\n"},
		{"explain|HERE|m-0001|", ":4\n"},
		{"explain|HERE|eng|--role|", "*\neng\nops\n:4\n"},
		{"explain|HERE|spark|--agent|", "m-S0\thost1 ACTIVE\nm-S1\thost2 DEACTIVATED\nn-S2\ttwin ACTIVE\nn-S3\ttwin ACTIVE\n:4\n"},
		{"agents|deactivate|HERE|m-S0|", "m-S1\thost2 DEACTIVATED\nn-S2\ttwin ACTIVE\nn-S3\ttwin ACTIVE\n:4\n"},
		{"agents|de", "deactivate\tOffer nothing more of agents, and take their offers back; tasks go on\n:4\n"},
		{"quota|set|HERE|", "*\neng\nops\n:4\n"},
		{"quota|set|eng|--limit|", ":4\n"},
		{"quota|get|HERE|", "eng\nops\n:4\n"},
		{"quota|rm|HERE|eng|", "ops\n:4\n"},
		{"weights|set|HERE|", "*=\neng=\nops=\n:6\n"},
		{"weights|set|HERE|eng=2|", "*=\nops=\n:6\n"},
		{"run|HERE|--role|", "*\neng\nops\n:4\n"},
	} {
		args := append([]string{"__complete"}, strings.Split(strings.ReplaceAll(tc.typed, "HERE", "--master="+c.addr()), "|")...)
		if r := execute(t, nil, args...); r.stdout != tc.want {
			t.Errorf("%s offers\n%swant\n%s", tc.typed, r.stdout, tc.want)
		}
	}
}
