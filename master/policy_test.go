package master_test

// Goal: what operators say of roles, and what frameworks ask for, over the wire:
// every call and endpoint, in JSON and in protobuf, with its status. Method: one
// history as a table, each row a request; then what frameworks see of it.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/quota"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master"
)

// joined is a master with an agent of 4 CPUs and 4096 MiB, and its id.
func joined(t *testing.T) (*master.Master, *v1.AgentID) {
	t.Helper()
	m := start(t, nil)
	a := attach(t, m, helloOf(t, "a1", "cpus:4;mem:4096;disk(eng):100"))
	return m, a.next().GetWelcome().GetAgentId()
}

func TestPolicyHistory(t *testing.T) {
	m, agent := joined(t)
	call := func(kind, payload string) string {
		return fmt.Sprintf(`{"type":%q,%q:%s}`, kind, strings.ToLower(kind), payload)
	}
	eng := func(force, guarantees, limits string) string {
		return call("UPDATE_QUOTA", fmt.Sprintf(`{"force":%s,"quota_configs":[{"role":"eng","guarantees":{%s},"limits":{%s}}]}`, force, guarantees, limits))
	}
	const oldCPUs = `{"role":"ops","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}`
	for i, row := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/api/v1", `{"type":"UPDATE_QUOTA"}`, 400, "update_quota is missing"},
		{"POST", "/api/v1", call("UPDATE_QUOTA", `{}`), 400, "no role is named"},
		{"POST", "/api/v1", eng("false", `"cpus":{"value":9}`, ``), 409, "the agents have 4"},
		{"POST", "/api/v1", eng("false", `"cpus":{"value":2}`, `"cpus":{"value":1}`), 400, "above its limit of 1"},
		{"POST", "/api/v1", eng("false", `"cpus":{"value":-2}`, ``), 400, "negative"},
		{"POST", "/api/v1", eng("false", ``, `"cpus":{"value":"NaN"}`), 400, "not a finite number"},
		{"POST", "/api/v1", call("UPDATE_QUOTA", `{"quota_configs":[{"role":"a"},{"role":"a"}]}`), 400, "named twice"},
		{"POST", "/api/v1", call("UPDATE_QUOTA", `{"quota_configs":[{"role":"/a","limits":{"cpus":{"value":1}}}]}`), 400, "slash"},
		{"POST", "/api/v1", `{"type":"GET_QUOTA"}`, 200, `"status":{}`},
		{"POST", "/api/v1", eng("false", `"cpus":{"value":1}`, `"cpus":{"value":2},"mem":{"value":0}`), 200, ""},
		{"POST", "/api/v1", `{"type":"GET_QUOTA"}`, 200, `"configs":[{"role":"eng","guarantees":{"cpus":{"value":1.0}},"limits":{"cpus":{"value":2.0},"mem":{"value":0.0}}}]`},
		{"GET", "/quota", "", 200, `"infos":[{"role":"eng","guarantee":[{"name":"cpus"`},

		{"POST", "/quota", oldCPUs, 200, ""},
		{"POST", "/quota", oldCPUs, 400, "UPDATE_QUOTA"},
		{"POST", "/quota", `{`, 400, "QuotaRequest"},
		{"POST", "/quota", `{"role":"x","guarantee":[]}`, 400, "not plain amounts"},
		{"POST", "/quota", `{"role":"x","guarantee":[{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}]}`, 400, "not plain amounts"},
		{"POST", "/quota", `{"role":"x","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}`, 400, "twice"},
		{"POST", "/quota", `{"role":"x","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":10}}]}`, 409, "would be guaranteed"},
		{"POST", "/quota", `{"role":"x","force":true,"guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":10}}]}`, 200, ""},
		{"GET", "/roles", "", 200, `"quota":{"role":"ops","guarantee":{"cpus":1},"limit":{"cpus":1},"consumed":{}}`},
		{"DELETE", "/quota/x", "", 200, ""},
		{"DELETE", "/master/quota/ops", "", 200, ""},
		{"DELETE", "/quota/ops", "", 400, "it has none"},
		{"DELETE", "/quota", "", 400, "role"},
		{"PUT", "/quota", oldCPUs, 405, "DELETE or GET or POST"},
		{"POST", "/api/v1", call("SET_QUOTA", `{"quota_request":{"role":"a/b","guarantee":[{"name":"mem","type":"SCALAR","scalar":{"value":64}}]}}`), 200, ""},
		{"POST", "/api/v1", call("REMOVE_QUOTA", `{"role":"a"}`), 400, "it has none"},
		{"DELETE", "/quota/a/b", "", 200, ""},
		{"POST", "/api/v1", call("REMOVE_QUOTA", `{"role":"eng"}`), 200, ""},
		{"GET", "/quota", "", 200, `{}`},

		{"POST", "/api/v1", `{"type":"UPDATE_WEIGHTS"}`, 400, "update_weights is missing"},
		{"POST", "/api/v1", call("UPDATE_WEIGHTS", `{"weight_infos":[{"role":"a","weight":2},{"role":"b","weight":0}]}`), 400, `"b"`},
		{"POST", "/api/v1", call("UPDATE_WEIGHTS", `{"weight_infos":[{"role":"a","weight":"Infinity"}]}`), 400, "from 0.001"},
		{"POST", "/api/v1", call("UPDATE_WEIGHTS", `{"weight_infos":[{"role":"a b","weight":2}]}`), 400, "a b"},
		{"GET", "/weights", "", 200, `[]`},
		{"POST", "/api/v1", call("UPDATE_WEIGHTS", `{"weight_infos":[{"role":"a","weight":2.5}]}`), 200, ""},
		{"POST", "/api/v1", `{"type":"GET_WEIGHTS"}`, 200, `{"weight":2.5,"role":"a"}`},
		{"PUT", "/weights", `[{"role":"b","weight":0.5},{"role":"a","weight":1}]`, 200, ""},
		{"PUT", "/weights", `{"role":"b"}`, 400, "read weights"},
		{"PUT", "/weights", `[{"role":"b"}]`, 400, "weight"},
		{"GET", "/weights", "", 200, `[{"weight":0.5,"role":"b"}]`},
		{"POST", "/api/v1", `{"type":"GET_ROLES"}`, 200, `{"name":"b","weight":0.5}`},
		{"GET", "/roles", "", 200, `"reserved":{"disk":100}`},

		{"POST", "/api/v1", `{"type":"EXPLAIN"}`, 400, "explain is missing"},
		{"POST", "/api/v1", call("EXPLAIN", `{"framework_id":{"value":"nobody"}}`), 404, "nobody"},
		{"POST", "/api/v1", `{"type":"DEACTIVATE_AGENT"}`, 400, "deactivate_agent is missing"},
		{"POST", "/api/v1", call("DEACTIVATE_AGENT", `{"agent_id":{"value":"nobody"}}`), 400, "nobody"},
		{"POST", "/api/v1", call("DEACTIVATE_AGENT", fmt.Sprintf(`{"agent_id":{"value":%q}}`, agent.GetValue())), 200, ""},
		{"GET", "/slaves", "", 200, `"active":false,"deactivated":true`},
		{"POST", "/api/v1", call("REACTIVATE_AGENT", fmt.Sprintf(`{"agent_id":{"value":%q}}`, agent.GetValue())), 200, ""},
		{"GET", "/slaves", "", 200, `"active":true,"deactivated":false`},
	} {
		resp, body := do(t, row.method, "http://"+m.Addr()+row.path, map[string]string{"Content-Type": jsonType}, []byte(row.body))
		if resp.StatusCode != row.status || !strings.Contains(body, row.says) {
			t.Errorf("row %d, %s %s %s: %d %q, want %d with %q", i, row.method, row.path, row.body, resp.StatusCode, body, row.status, row.says)
		}
	}
}

// mustChange makes a change in protobuf.
func mustChange(t *testing.T, m *master.Master, call *masterapi.Call) {
	t.Helper()
	if _, status := operator(t, m, call); status != http.StatusOK {
		t.Fatalf("%v: status %d", call.GetType(), status)
	}
}

func limitOf(role string, cpus float64) *masterapi.Call {
	return &masterapi.Call{Type: masterapi.Call_UPDATE_QUOTA.Enum(), UpdateQuota: &masterapi.Call_UpdateQuota{
		Force:        proto.Bool(true),
		QuotaConfigs: []*quota.QuotaConfig{{Role: &role, Limits: map[string]*v1.Value_Scalar{"cpus": {Value: &cpus}}}},
	}}
}

// TestQuotaReachesOffers: the next offers show a limit; what is above it is
// taken back, and EXPLAIN tells why nothing comes.
func TestQuotaReachesOffers(t *testing.T) {
	m, agent := joined(t)
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{
		User: proto.String("u"), Name: proto.String("n"), Roles: []string{"eng"},
		Capabilities: []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
	})
	first := s.offer()
	mustChange(t, m, limitOf("eng", 1))
	if id := s.await(scheduler.Event_RESCIND).GetRescind().GetOfferId().GetValue(); id != first.GetId().GetValue() {
		t.Errorf("offer %s is rescinded, not %s", id, first.GetId().GetValue())
	}
	second := s.offer()
	if cpus := second.GetResources(); cpus[0].GetName() != "cpus" || cpus[0].GetScalar().GetValue() != 1 {
		t.Errorf("offered %v", second.GetResources())
	}
	explained, status := operator(t, m, &masterapi.Call{Type: masterapi.Call_EXPLAIN.Enum(), Explain: &masterapi.Call_Explain{FrameworkId: s.id, AgentId: agent}})
	e := explained.GetExplain()
	if status != http.StatusOK || len(e.GetStandings()) != 1 || e.GetOffersHeld() != 1 || e.GetOldestOffer() == nil {
		t.Fatalf("explain: %d %v", status, e)
	}
	standing := e.GetStandings()[0]
	if r := standing.GetReasons(); standing.GetRole() != "eng" || len(r) != 1 || r[0].GetWhy() != "quota limit" ||
		!strings.Contains(r[0].GetDetail(), "1 of 1") || r[0].GetAgents() != 1 || r[0].GetExample().GetValue() != agent.GetValue() {
		t.Errorf("standing is %v", standing)
	}
	if standing.GetDominant() != "disk" || standing.GetUsed() != 100 || standing.GetTotal() != 100 {
		t.Errorf("share is that of %s, %v of %v", standing.GetDominant(), standing.GetUsed(), standing.GetTotal())
	}
	if _, body := fetch(t, m, "/roles"); !strings.Contains(body, `"share":{"resource":"disk","used":100,"total":100}`) {
		t.Errorf("roles are %s", body)
	}
	if roles, _ := operator(t, m, &masterapi.Call{Type: masterapi.Call_GET_ROLES.Enum()}); len(roles.GetGetRoles().GetRoles()) != 2 {
		t.Errorf("roles are %v", roles.GetGetRoles())
	}
	_, body := fetch(t, m, "/metrics/snapshot")
	var have map[string]float64
	if err := json.Unmarshal([]byte(body), &have); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"allocator/mesos/quota/roles/eng/resources/cpus/limit": 1, "allocator/mesos/quota/roles/eng/resources/cpus/consumed": 1,
		"allocator/mesos/roles/eng/shares/dominant":               1,
		"master/frameworks/n/" + s.id.GetValue() + "/offers/held": 1,
	} {
		if have[name] != want {
			t.Errorf("%s is %v, want %v", name, have[name], want)
		}
	}
	if have["allocator/mesos/allocation_run_ms/count"] < 2 || have["allocator/mesos/allocation_run_ms/max"] <= 0 || have["master/oldest_offer_secs"] <= 0 {
		t.Errorf("metrics are %s", body)
	}
}

// TestRequest: what can never be is said at once, what can is shown until it is
// offered.
func TestRequest(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON, codec.Protobuf} {
		m, agent := joined(t)
		mustChange(t, m, &masterapi.Call{Type: masterapi.Call_DEACTIVATE_AGENT.Enum(), DeactivateAgent: &masterapi.Call_DeactivateAgent{AgentId: agent}})
		s := subscribe(t, m, c, &v1.FrameworkInfo{})
		ask := func(res string, on *v1.AgentID) int {
			return s.call(&scheduler.Call{Type: scheduler.Call_REQUEST.Enum(), Request: &scheduler.Call_Request{
				Requests: []*v1.Request{{AgentId: on, Resources: parse(t, res)}},
			}})
		}
		for res, want := range map[string]int{"cpus:5": 400, "ports:[1-2]": 400, "cpus:2;mem:1024": 202} {
			if status := ask(res, nil); status != want {
				t.Errorf("request %s: status %d, want %d", res, status, want)
			}
		}
		if status := ask("cpus:1", &v1.AgentID{Value: proto.String("nobody")}); status != 400 {
			t.Errorf("request of an unknown agent: status %d", status)
		}
		wait(t, "the request to be shown", func() bool {
			list := state(t, m).GetGetFrameworks().GetFrameworks()[0].GetRequests()
			return len(list) == 1 && list[0].GetResources()[0].GetScalar().GetValue() == 2
		})
		if _, body := fetch(t, m, "/frameworks"); !strings.Contains(body, `"requests":[{"resources":{"cpus":2,"mem":1024}}]`) {
			t.Errorf("frameworks are %s", body)
		}
		mustChange(t, m, &masterapi.Call{Type: masterapi.Call_REACTIVATE_AGENT.Enum(), ReactivateAgent: &masterapi.Call_ReactivateAgent{AgentId: agent}})
		s.offer()
		wait(t, "the request to be answered", func() bool {
			f := state(t, m).GetGetFrameworks().GetFrameworks()[0]
			return len(f.GetRequests()) == 0 && f.GetOldestOfferTime() != nil
		})
	}
}

// TestConstraints: what makes no sense is refused in both ways there are; what
// does decides about offers.
func TestConstraints(t *testing.T) {
	m, _ := joined(t)
	constraints := func(pattern string) *scheduler.OfferConstraints {
		return &scheduler.OfferConstraints{RoleConstraints: map[string]*scheduler.OfferConstraints_RoleConstraints{"*": {
			Groups: []*scheduler.OfferConstraints_RoleConstraints_Group{{AttributeConstraints: []*scheduler.AttributeConstraint{{
				Selector: &scheduler.AttributeConstraint_Selector{Selector: &scheduler.AttributeConstraint_Selector_PseudoattributeType_{
					PseudoattributeType: scheduler.AttributeConstraint_Selector_HOSTNAME,
				}},
				Predicate: &scheduler.AttributeConstraint_Predicate{Predicate: &scheduler.AttributeConstraint_Predicate_TextMatches_{
					TextMatches: &scheduler.AttributeConstraint_Predicate_TextMatches{Regex: &pattern},
				}},
			}}}},
		}}}
	}
	s := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{Roles: []string{"*"}, User: proto.String("u"), Name: proto.String("n"),
		Capabilities: []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}})
	offer := s.offer()
	update := func(pattern string) int {
		return s.call(&scheduler.Call{Type: scheduler.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &scheduler.Call_UpdateFramework{
			FrameworkInfo: &v1.FrameworkInfo{Id: s.id, Roles: []string{"*"}, User: proto.String("u"), Name: proto.String("n"),
				Capabilities: []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}},
			OfferConstraints: constraints(pattern),
		}})
	}
	if status := update("b("); status != http.StatusBadRequest {
		t.Errorf("a wrong pattern: status %d", status)
	}
	if status := update("b.*"); status != http.StatusOK {
		t.Errorf("a pattern: status %d", status)
	}
	s.mustCall(&scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{
		OfferIds: []*v1.OfferID{offer.GetId()}, Filters: &v1.Filters{RefuseSeconds: proto.Float64(0)},
	}})
	explained, _ := operator(t, m, &masterapi.Call{Type: masterapi.Call_EXPLAIN.Enum(), Explain: &masterapi.Call_Explain{FrameworkId: s.id}})
	if r := explained.GetExplain().GetStandings()[0].GetReasons(); len(r) != 1 || r[0].GetWhy() != "offer constraints" ||
		r[0].GetDetail() != `hostname is another, which "b.*" does not match` {
		t.Errorf("reasons are %v", r)
	}
	attach(t, m, helloOf(t, "b1", "cpus:1;mem:64"))
	if host := s.offer().GetHostname(); host != "b1" {
		t.Errorf("offered %s", host)
	}
}
