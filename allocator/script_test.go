package allocator

// Goal: whole histories of small clusters, readable from the outside.
// Method: data-driven scripts in testdata; each command is a call, its output
// what came of it, and Check runs after each. Rewrite with -rewrite, read the
// diff, keep only what can be explained.

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"mezzo/api/ids"
	"mezzo/resources"
)

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{now: time.Unix(0, 0)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			run := commands[d.Cmd]
			if run == nil {
				d.Fatalf(t, "no such command")
			}
			out := run(s, t, d)
			if s.a != nil {
				if err := s.a.Check(); err != nil {
					d.Fatalf(t, "%v", err)
				}
			}
			return out
		})
	})
}

// script is a run of one file. Offers are numbered from 1.
type script struct {
	a      *Allocator
	now    time.Time
	offers []Offer
}

var commands = map[string]func(*script, *testing.T, *datadriven.TestData) string{
	"new":        (*script).create,
	"agent":      (*script).agent,
	"agents":     (*script).listAgents,
	"framework":  (*script).framework,
	"remove":     (*script).remove,
	"activate":   (*script).activate,
	"deactivate": (*script).activate,
	"suppress":   (*script).suppress,
	"revive":     (*script).suppress,
	"weight":     (*script).weight,
	"allocate":   (*script).allocate,
	"decline":    (*script).decline,
	"release":    (*script).release,
	"shares":     (*script).shares,
	"wait":       (*script).wait,
	"hold":       (*script).hold,
	"quota":      (*script).quota,
	"quotas":     (*script).listQuotas,
	"request":    (*script).request,
	"explain":    (*script).explain,
}

// arg is the value of a key=value argument; empty if there is none.
func arg(d *datadriven.TestData, key string) string {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			return strings.Join(a.Vals, ",")
		}
	}
	return ""
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func errText(err error) string {
	if err != nil {
		return err.Error() + "\n"
	}
	return "ok\n"
}

func parse(t *testing.T, d *datadriven.TestData, text string) resources.Resources {
	r, err := resources.Parse(text, "*")
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return r
}

// new [min=cpus:1|mem:32] [unfair=x] [gpus-for-all] [split] [share=cpus:1] [region=here]
// [roles=random] [frameworks=random]
func (s *script) create(t *testing.T, d *datadriven.TestData) string {
	cfg := Config{WholeAgents: !d.HasArg("split"), GPUsForAll: d.HasArg("gpus-for-all"), UnfairNames: words(arg(d, "unfair")),
		Region: arg(d, "region"), RoleSorter: arg(d, "roles"), FrameworkSorter: arg(d, "frameworks")}
	if d.HasArg("share") {
		cfg.MinShare = quantities(arg(d, "share"))
	}
	if d.HasArg("min") {
		min, err := resources.ParseAlternatives(arg(d, "min"))
		if err != nil {
			return errText(err)
		}
		cfg.MinAllocatable = min
	}
	cfg.SetDefaults()
	a, err := New(cfg)
	s.a = a
	return errText(err)
}

// agent ID [update] [host=h] [region=r]
// total
// used by FRAMEWORK: resources
func (s *script) agent(t *testing.T, d *datadriven.TestData) string {
	g := Agent{ID: ids.AgentID(d.CmdArgs[0].Key), Hostname: arg(d, "host"), Region: arg(d, "region")}
	used := map[ids.FrameworkID]resources.Resources{}
	for i, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		if i == 0 {
			g.Total = parse(t, d, line)
			continue
		}
		f, r, _ := strings.Cut(strings.TrimPrefix(line, "used by "), ": ")
		used[ids.FrameworkID(f)] = parse(t, d, r)
	}
	if d.HasArg("update") {
		return errText(s.a.UpdateAgent(g))
	}
	return errText(s.a.AddAgent(g, used))
}

// agents: what is available and used of each
func (s *script) listAgents(*testing.T, *datadriven.TestData) string {
	var b strings.Builder
	for _, g := range slices.SortedFunc(slices.Values(s.a.order), func(x, y *agent) int { return strings.Compare(string(x.ID), string(y.ID)) }) {
		fmt.Fprintf(&b, "%s available %v\n", g.ID, g.available)
		for _, f := range slices.Sorted(maps.Keys(g.used)) {
			fmt.Fprintf(&b, "  %s uses %v\n", f, g.used[f])
		}
	}
	return b.String()
}

// framework ID roles=(a,b) [suppressed=(a)] [revocable] [shared] [refined] [gpu] [min=cpus:1] [region] [host=h] [update]
func (s *script) framework(t *testing.T, d *datadriven.TestData) string {
	f := Framework{
		ID:         ids.FrameworkID(d.CmdArgs[0].Key),
		Roles:      words(arg(d, "roles")),
		Suppressed: words(arg(d, "suppressed")),
	}
	for bit, name := range []string{"revocable", "shared", "refined", "gpu", "region"} {
		f.Caps.Set(1<<bit, d.HasArg(name))
	}
	if host := arg(d, "host"); host != "" {
		f.Constraints = map[string]Constraint{f.Roles[0]: onlyHost(host)}
	}
	if min := arg(d, "min"); min != "" {
		q, err := resources.ParseAlternatives(min)
		if err != nil {
			return errText(err)
		}
		f.MinAllocatable = map[string]resources.Alternatives{f.Roles[0]: q}
	}
	if d.HasArg("update") {
		return errText(s.a.UpdateFramework(f))
	}
	return errText(s.a.AddFramework(f))
}

// remove framework=F | agent=A
func (s *script) remove(t *testing.T, d *datadriven.TestData) string {
	if f := arg(d, "framework"); f != "" {
		return errText(s.a.RemoveFramework(ids.FrameworkID(f)))
	}
	return errText(s.a.RemoveAgent(ids.AgentID(arg(d, "agent"))))
}

// activate | deactivate framework=F | agent=A
func (s *script) activate(t *testing.T, d *datadriven.TestData) string {
	f, g := ids.FrameworkID(arg(d, "framework")), ids.AgentID(arg(d, "agent"))
	switch on := d.Cmd == "activate"; {
	case on && f != "":
		return errText(s.a.SetConnected(f, true))
	case f != "":
		return errText(s.a.SetConnected(f, false))
	default:
		return errText(s.a.SetHold(g, HoldDisconnected, !on))
	}
}

// suppress | revive FRAMEWORK [roles=(a,b)]
func (s *script) suppress(t *testing.T, d *datadriven.TestData) string {
	f, roles := ids.FrameworkID(d.CmdArgs[0].Key), words(arg(d, "roles"))
	if d.Cmd == "revive" {
		return errText(s.a.Suppress(f, roles, false))
	}
	return errText(s.a.Suppress(f, roles, true))
}

// weight role=R weight=N in thousandths
func (s *script) weight(t *testing.T, d *datadriven.TestData) string {
	var w int
	d.ScanArgs(t, "weight", &w)
	return errText(s.a.SetWeight(arg(d, "role"), uint32(w)))
}

// allocate [agents=(a,b)]
func (s *script) allocate(t *testing.T, d *datadriven.TestData) string {
	var only []ids.AgentID
	for _, id := range words(arg(d, "agents")) {
		only = append(only, ids.AgentID(id))
	}
	offers := s.a.Allocate(s.now, only)
	if len(offers) == 0 {
		return "no offers\n"
	}
	var b strings.Builder
	for _, o := range offers {
		s.offers = append(s.offers, o)
		fmt.Fprintf(&b, "%d: %s in %s gets of %s %v\n", len(s.offers), o.Framework, o.Role, o.Agent, o.Resources.Unallocated())
	}
	return b.String()
}

// decline offer=N [refuse=5s], or with input: all of it but what is named
func (s *script) decline(t *testing.T, d *datadriven.TestData) string {
	var n int
	d.ScanArgs(t, "offer", &n)
	if n > len(s.offers) {
		return "no such offer\n"
	}
	o := s.offers[n-1]
	rest := o.Resources
	if d.Input != "" {
		var ok bool
		if rest, ok = rest.Sub(parse(t, d, d.Input).Allocated(o.Role)); !ok {
			d.Fatalf(t, "offer has less")
		}
	}
	return errText(s.a.Release(s.now, Release{o.Framework, o.Agent, rest, refuse(t, d)}))
}

// release framework=F agent=A [refuse=5s]
// resources
func (s *script) release(t *testing.T, d *datadriven.TestData) string {
	return errText(s.a.Release(s.now, Release{
		ids.FrameworkID(arg(d, "framework")), ids.AgentID(arg(d, "agent")), parse(t, d, d.Input), refuse(t, d),
	}))
}

func refuse(t *testing.T, d *datadriven.TestData) time.Duration {
	text := arg(d, "refuse")
	if text == "" {
		return 0
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return v
}

// wait DURATION | wait wake: until NextWake
func (s *script) wait(t *testing.T, d *datadriven.TestData) string {
	if d.CmdArgs[0].Key == "wake" {
		at, ok := s.a.NextWake()
		if !ok {
			return "never\n"
		}
		s.now = at
	} else {
		v, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		s.now = s.now.Add(v)
	}
	return fmt.Sprintf("at %v\n", s.now.Sub(time.Unix(0, 0)))
}

// shares: the dominant share of each role, and of its frameworks in it
func (s *script) shares(*testing.T, *datadriven.TestData) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(s.a.roles)) {
		share := s.a.roleOrder.Dominant(path)
		fmt.Fprintf(&b, "%s %v/%v\n", path, share.Used, share.Total)
		r := s.a.roles[path]
		for _, f := range slices.Sorted(maps.Keys(s.a.frameworks)) {
			if s.a.frameworks[f].clients[path] != nil {
				share = r.order.Dominant(url.PathEscape(string(f)))
				fmt.Fprintf(&b, "  %s %v/%v\n", f, share.Used, share.Total)
			}
		}
	}
	return b.String()
}

// hold AGENT draining|deactivated|unlisted [off]
func (s *script) hold(t *testing.T, d *datadriven.TestData) string {
	why := map[string]Hold{"draining": HoldDraining, "deactivated": HoldDeactivated, "unlisted": HoldUnlisted}[d.CmdArgs[1].Key]
	return errText(s.a.SetHold(ids.AgentID(d.CmdArgs[0].Key), why, !d.HasArg("off")))
}

// quota [force]
// role: guarantee cpus:1 limit cpus:2;mem:0
func (s *script) quota(t *testing.T, d *datadriven.TestData) string {
	all := map[string]Quota{}
	for line := range strings.SplitSeq(strings.TrimSpace(d.Input), "\n") {
		role, rest, _ := strings.Cut(line, ":")
		var q Quota
		fields := strings.Fields(rest)
		for i := 0; i+1 < len(fields); i += 2 {
			if fields[i] == "guarantee" {
				q.Guarantee = quantities(fields[i+1])
				continue
			}
			for part := range strings.SplitSeq(fields[i+1], ";") { // zeros count
				name, text, _ := strings.Cut(part, ":")
				amount, err := resources.ParseScalar(text)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				q.Limit = append(q.Limit, resources.Quantity{Name: name, Amount: amount})
			}
		}
		all[role] = q
	}
	return errText(s.a.SetQuotas(all, d.HasArg("force")))
}

// quotas: what roles with a quota consume, and what is unmet
func (s *script) listQuotas(*testing.T, *datadriven.TestData) string {
	var b strings.Builder
	for _, role := range slices.Sorted(maps.Keys(s.a.ledger.Quotas())) {
		fmt.Fprintf(&b, "%s consumes %v, unmet %v\n", role, s.a.Quotas().Consumed(role), s.a.Quotas().Unmet(role))
	}
	fmt.Fprintf(&b, "free %v, unmet in all %v\n", s.a.Free(), s.a.Quotas().Unmet(""))
	return b.String()
}

// request FRAMEWORK, with a line "cpus:2;mem:32 [of AGENT]" for each request, or
// none; without input it shows what is pending
func (s *script) request(t *testing.T, d *datadriven.TestData) string {
	id := ids.FrameworkID(d.CmdArgs[0].Key)
	if d.Input == "" && !d.HasArg("none") {
		return fmt.Sprintln("pending", s.a.Requests(id))
	}
	var list []Request
	for line := range strings.SplitSeq(strings.TrimSpace(d.Input), "\n") {
		if amount, agent, _ := strings.Cut(line, " of "); line != "" {
			list = append(list, Request{ids.AgentID(agent), quantities(amount)})
		}
	}
	return errText(s.a.SetRequests(id, list))
}

// explain FRAMEWORK [role=R] [agent=A]
func (s *script) explain(_ *testing.T, d *datadriven.TestData) string {
	list, err := s.a.Explain(s.now, ids.FrameworkID(d.CmdArgs[0].Key), arg(d, "role"), ids.AgentID(arg(d, "agent")))
	if err != nil {
		return errText(err)
	}
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s in %s has %v of %v, before it %v, asks for %v\n", e.Framework, e.Role, e.Share.Used, e.Share.Total, e.Before, e.Requests)
		for _, r := range e.Reasons {
			fmt.Fprintf(&b, "  %d (%s): %s: %s", r.Agents, r.Example, r.Why, r.Detail)
			if !r.Until.IsZero() {
				fmt.Fprintf(&b, ", until %v", r.Until.Sub(time.Unix(0, 0)))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
