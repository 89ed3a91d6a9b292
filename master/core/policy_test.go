package core_test

// Goal and method as in script_test.go: the commands of operators, and what
// frameworks say of what they want.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"mezzo/allocator"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/mesosjson"
	"mezzo/master/core"
	"mezzo/resources"
)

func init() {
	maps.Copy(commands, map[string]func(*world, *datadriven.TestData){
		"quota":      quotaCommand,
		"weights":    weightsCommand,
		"policy":     policyCommand,
		"request":    requestCommand,
		"explain":    explainCommand,
		"whitelist":  whitelistCommand,
		"deactivate": func(w *world, d *datadriven.TestData) { w.deactivate(first(d), true) },
		"reactivate": func(w *world, d *datadriven.TestData) { w.deactivate(first(d), false) },
	})
}

// quota [force] [only=with|without] with a line "role guarantee=cpus:1 limit=cpus:2"
// for each role; a role alone loses its quota.
func quotaCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	ev := core.SetQuotas{Quotas: map[string]allocator.Quota{}, Force: a.has("force")}
	switch a.text("only", "") {
	case "with":
		ev.Only = core.OnlyWith
	case "without":
		ev.Only = core.OnlyWithout
	}
	for _, l := range lines(d) {
		var q allocator.Quota
		for _, word := range l[1:] {
			name, text, _ := strings.Cut(word, "=")
			if name == "guarantee" {
				q.Guarantee = mustQuantities(w.t, text)
			} else {
				q.Limit = limits(w.t, text)
			}
		}
		ev.Quotas[l[0]] = q
	}
	w.step(ev)
}

func mustQuantities(t tester, text string) resources.Quantities {
	t.Helper()
	q, err := resources.ParseQuantities(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// limits are quantities in which 0 counts.
func limits(t tester, text string) resources.Quantities {
	t.Helper()
	var out resources.Quantities
	for word := range strings.SplitSeq(text, ";") {
		name, amount, _ := strings.Cut(word, ":")
		s, err := resources.ParseScalar(amount)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, resources.Quantity{Name: name, Amount: s})
	}
	return out
}

// weights with a line "role 2500" for each role, in 1/1000.
func weightsCommand(w *world, d *datadriven.TestData) {
	weights := map[string]core.Weight{}
	for _, l := range lines(d) {
		var n core.Weight
		if _, err := fmt.Sscan(l[1], &n); err != nil {
			w.t.Fatal(err)
		}
		weights[l[0]] = n
	}
	w.step(core.SetWeights{Weights: weights})
}

// policy prints what a Snapshot shows of roles.
func policyCommand(w *world, _ *datadriven.TestData) {
	s := w.core.Snapshot().Sort()
	for _, q := range s.Quotas {
		fmt.Fprintf(w.out, "quota %s guarantee=[%v] limit=[%v] consumed=[%v]\n", q.Role, q.Guarantee, q.Limit, q.Consumed)
	}
	for _, role := range slices.Sorted(maps.Keys(s.Weights)) {
		fmt.Fprintf(w.out, "weight %s %v\n", role, s.Weights[role].Float())
	}
	for _, share := range s.Shares {
		fmt.Fprintf(w.out, "share %s %v of %v\n", share.Role, share.Used, share.Total)
	}
	for _, f := range s.Frameworks {
		for _, r := range f.Requests {
			fmt.Fprintf(w.out, "%s asks for %v\n", f.ID, r)
		}
	}
	for _, c := range []struct {
		name string
		id   core.Counter
	}{{"satisfied", core.RequestsSatisfied}, {"refused", core.RequestsRefused}} {
		if n := s.Counts[c.id]; n > 0 {
			fmt.Fprintf(w.out, "requests %s: %d\n", c.name, n)
		}
	}
}

// request s1 with a line "cpus:2;mem:1024 [a1]" for each request.
func requestCommand(w *world, d *datadriven.TestData) {
	call := &scheduler.Call_Request{}
	for _, l := range lines(d) {
		r := &v1.Request{Resources: mustResources(w.t, l[0])}
		if len(l) > 1 {
			r.AgentId = w.agentID(l[1])
		}
		call.Requests = append(call.Requests, r)
	}
	w.call(d, &scheduler.Call{Type: scheduler.Call_REQUEST.Enum(), FrameworkId: w.framework(first(d)), Request: call})
}

// explain s1 [role=r] [agent=a1] prints what the core says of a framework.
func explainCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	id := first(d)
	if f, ok := w.frames[id]; ok {
		id = f
	}
	ev := core.Explain{Framework: ids.FrameworkID(id), Role: a.text("role", "")}
	if name := a.text("agent", ""); name != "" {
		ev.Agent = ids.AgentID(w.agentID(name).GetValue())
	}
	for _, e := range w.step(ev) {
		if r, ok := e.(core.Reply); ok && r.Err == nil {
			w.printExplanation(r.Explanation)
		}
	}
}

func (w *world) printExplanation(e *core.Explanation) {
	fmt.Fprintf(w.out, "%s %q holds %d offers%s\n", e.Framework, e.Name, e.OffersHeld, since(e.OldestOffer))
	for _, s := range e.Standings {
		fmt.Fprintf(w.out, "role %s has %v of %v", s.Role, s.Share.Used, s.Share.Total)
		if len(s.Before) > 0 {
			fmt.Fprintf(w.out, ", after %v", s.Before)
		}
		fmt.Fprintln(w.out)
		for _, r := range s.Requests {
			fmt.Fprintf(w.out, "  asks for %v\n", r)
		}
		for _, r := range s.Reasons {
			fmt.Fprintf(w.out, "  %d agents (%s): %s: %s", r.Agents, r.Example, r.Why, r.Detail)
			if !r.Until.IsZero() {
				fmt.Fprintf(w.out, ", until %v s", r.Until.Sub(w.now).Seconds())
			}
			fmt.Fprintln(w.out)
		}
	}
	for _, h := range e.Holders {
		fmt.Fprintf(w.out, "held by %s %q: %d agents, %d offers%s, %d tasks\n", h.Framework, h.Name, h.Agents, h.OffersHeld, since(h.OldestOffer), h.Tasks)
	}
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf(" since %v s", t.Sub(time.Unix(1000, 0)).Seconds())
}

// whitelist all | whitelist [hosts=(a1,a2)]
func whitelistCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	w.step(core.SetWhitelist{Hosts: a.list("hosts"), All: a.has("all")})
}

func (w *world) deactivate(name string, on bool) {
	w.step(core.SetDeactivated{Agent: ids.AgentID(w.agentID(name).GetValue()), On: on})
}

// place gives an agent attributes=rack:a;… , a region and a zone.
func (a args) place(info *v1.AgentInfo) {
	for word := range strings.SplitSeq(a.text("attributes", ""), ";") {
		if name, value, ok := strings.Cut(word, ":"); ok {
			info.Attributes = append(info.Attributes, &v1.Attribute{Name: &name, Type: v1.Value_TEXT.Enum(), Text: &v1.Value_Text{Value: &value}})
		}
	}
	if region := a.text("region", ""); region != "" {
		info.Domain = domain(region, a.text("zone", "z"))
	}
}

func domain(region, zone string) *v1.DomainInfo {
	return &v1.DomainInfo{FaultDomain: &v1.DomainInfo_FaultDomain{
		Region: &v1.DomainInfo_FaultDomain_RegionInfo{Name: proto.String(region)},
		Zone:   &v1.DomainInfo_FaultDomain_ZoneInfo{Name: proto.String(zone)},
	}}
}

// constraints are the offer constraints in a command's input.
func constraints(w *world, d *datadriven.TestData) *scheduler.OfferConstraints {
	if strings.TrimSpace(d.Input) == "" {
		return nil
	}
	c := &scheduler.OfferConstraints{}
	if err := mesosjson.Unmarshal([]byte(d.Input), c); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// policy draws an operator's change of quota or weights.
func (m *machine) policy(t *rapid.T) {
	role := rapid.SampledFrom([]string{"*", "a", "a/b"}).Draw(t, "role")
	amounts := []string{"", "cpus:1", "cpus:3;mem:100", "cpus:100"}
	var q allocator.Quota
	q.Guarantee = mustQuantities(m.t, rapid.SampledFrom(amounts).Draw(t, "guarantee"))
	q.Limit = mustQuantities(m.t, rapid.SampledFrom(amounts).Draw(t, "limit"))
	m.step(core.SetQuotas{Quotas: map[string]allocator.Quota{role: q}, Force: rapid.Bool().Draw(t, "force")})
	m.step(core.SetWeights{Weights: map[string]core.Weight{role: core.Weight(rapid.IntRange(0, 3000).Draw(t, "weight"))}})
}

// explain asks about anybody; nothing changes by it.
func (m *machine) explain(t *rapid.T) {
	id := ids.FrameworkID(fmt.Sprintf("M-%04d", rapid.IntRange(0, someFrameworks).Draw(t, "framework")))
	m.step(core.Explain{Framework: id, Agent: ids.AgentID(rapid.SampledFrom([]string{"", "M-S0", "M-S1"}).Draw(t, "agent"))})
}

// hold draws what keeps agents from being offered.
func (m *machine) hold(t *rapid.T) {
	m.step(core.SetDeactivated{Agent: ids.AgentID(agentName(rapid.IntRange(0, someAgents).Draw(t, "agent")).GetValue()), On: rapid.Bool().Draw(t, "on")})
	m.step(core.SetWhitelist{Hosts: []string{"h0", "h1"}, All: rapid.IntRange(0, 2).Draw(t, "all") > 0})
}
