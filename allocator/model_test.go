package allocator

// Goal: in any history, each offer is one that the rules allow and fairness
// asks for, nothing is offered twice, limits are never exceeded, what is
// guaranteed is kept, nobody eligible is left without, Explain tells the truth,
// and equal histories give equal offers. Method: a rapid state machine; a naive
// model keeps only what it was told and works everything out anew, shares as
// big.Rat, for each offer.

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// world is what the model was told.
type world struct {
	now        time.Time
	agents     map[ids.AgentID]*land
	frameworks map[ids.FrameworkID]*tribe
	weights    map[string]uint32
	refusals   []refused
	quotas     map[string]Quota
	cfg        Config
}

type land struct {
	Agent
	active bool
	used   map[ids.FrameworkID]resources.Resources
}

type tribe struct {
	Framework
	connected bool
	requests  []Request
}

// onlyHost takes the agents of one host.
type onlyHost string

func (h onlyHost) Key() string { return string(h) }

func (h onlyHost) Rejects(g *Agent) string {
	if g.Hostname == string(h) {
		return ""
	}
	return fmt.Sprintf("hostname is %q, not %q", g.Hostname, string(h))
}

type refused struct {
	framework ids.FrameworkID
	role      string
	agent     ids.AgentID
	resources resources.Resources
	until     time.Time
}

func (l *land) available() resources.Resources {
	left := l.Total.NonShared()
	for _, used := range l.used {
		left = left.Minus(used.NonShared().Unallocated())
	}
	return left.Add(l.Total.Shared())
}

// due is what the framework would be offered in the role; nothing if it is
// not eligible.
func (w *world) due(f *tribe, role string, id ids.AgentID) resources.Resources {
	l := w.agents[id]
	part := w.may(f, role, id, l.available())
	if part.IsEmpty() || !l.active || !f.connected || slices.Contains(f.Suppressed, role) {
		return resources.Resources{}
	}
	part = w.within(role, part)
	if part.NonShared().IsEmpty() || !w.wants(f, role, id, part) {
		return resources.Resources{}
	}
	return part
}

// may is the part of r, of an agent, that the framework's capabilities, role and
// constraints allow it.
func (w *world) may(f *tribe, role string, id ids.AgentID, r resources.Resources) resources.Resources {
	l, none := w.agents[id], resources.Resources{}
	if l.Total.Total("gpus") > 0 && f.Caps&CapGPU == 0 || l.Region != "" && l.Region != w.cfg.Region && f.Caps&CapRegion == 0 {
		return none
	}
	if want := f.Constraints[role]; want != nil && want.Rejects(&l.Agent) != "" {
		return none
	}
	return r.Filter(func(r resources.Resource) bool {
		switch {
		case r.Revocable() && f.Caps&CapRevocable == 0, r.Shared() && f.Caps&CapShared == 0, len(r.Reservations()) > 1 && f.Caps&CapRefined == 0:
			return false
		case r.ReservedTo() == "":
			return true
		default:
			return role == r.ReservedTo() || strings.HasPrefix(role, r.ReservedTo()+"/")
		}
	})
}

// wants tells whether part of an agent is enough for the framework, and not
// refused.
func (w *world) wants(f *tribe, role string, id ids.AgentID, part resources.Resources) bool {
	minima := []resources.Quantities{quantities("cpus:0.01"), quantities("mem:32")}
	if own := f.MinAllocatable[role]; own != nil {
		minima = own
	}
	amount := part.NonShared().Quantities()
	if !slices.ContainsFunc(minima, amount.Contains) {
		return false
	}
	for _, r := range w.refusals {
		if r.framework == f.ID && r.role == role && r.agent == id && r.until.After(w.now) && r.resources.Contains(part) {
			return false
		}
	}
	return true
}

// consumed is what a role and those below it consume, if more were allocated to
// each role as well.
func (w *world) consumed(role string, more map[string]resources.Quantities) resources.Quantities {
	var sum resources.Quantities
	within := func(r string) bool { return r == role || strings.HasPrefix(r, role+"/") }
	for _, l := range w.agents {
		for _, used := range l.used {
			for r, part := range used.NonRevocable().NonShared().Allocations() {
				if within(r) {
					sum = sum.Add(part.Quantities())
				}
			}
		}
		for r := range l.available().NonRevocable().NonShared().All() {
			if to := r.ReservedTo(); to != "" && within(to) && r.Kind() == resources.KindScalar {
				sum = sum.Add(resources.Quantities{{Name: r.Name(), Amount: r.Scalar()}})
			}
		}
	}
	for r, q := range more {
		if within(r) {
			sum = sum.Add(q)
		}
	}
	return sum
}

// owed is what is guaranteed within role, all roles if it is "", and not consumed.
func (w *world) owed(role string, more map[string]resources.Quantities) resources.Quantities {
	kids := map[string]bool{}
	for r := range w.quotas {
		for ; r != ""; r = parentOf(r) {
			if parentOf(r) == role {
				kids[r] = true
			}
		}
	}
	var own, below resources.Quantities
	for kid := range kids {
		below = below.Add(w.owed(kid, more))
	}
	if role != "" {
		own = w.quotas[role].Guarantee.Minus(w.consumed(role, more))
	}
	return own.Max(below)
}

// spare is what is free on all agents less what is owed.
func (w *world) spare(name string, more map[string]resources.Quantities) resources.Scalar {
	var free resources.Scalar
	for _, l := range w.agents {
		if l.active {
			free += l.available().Unreserved().NonRevocable().NonShared().Quantities().Get(name)
		}
	}
	for _, q := range more {
		free -= q.Get(name)
	}
	return free - w.owed("", more).Get(name)
}

// within is the most of part that quota leaves for the role, item by item.
func (w *world) within(role string, part resources.Resources) resources.Resources {
	if len(w.quotas) == 0 {
		return part
	}
	taken := map[string]map[string]resources.Quantities{} // by role reserved to, then allocated to
	return part.Trim(func(item resources.Resource) resources.Scalar {
		if item.Kind() != resources.KindScalar || item.Revocable() || item.Shared() {
			return resources.Unlimited
		}
		to := item.ReservedTo()
		fits := func(x resources.Scalar) bool {
			more := resources.Quantities{}
			if x > 0 {
				more = resources.Quantities{{Name: item.Name(), Amount: x}}
			}
			for n := role; n != ""; n = parentOf(n) {
				if to == n || strings.HasPrefix(to, n+"/") {
					break // what is reserved to n or below it counts for it already
				}
				sum := w.consumed(n, nil).Add(more)
				for from, q := range taken {
					if !(from == n || strings.HasPrefix(from, n+"/")) {
						sum = sum.Add(q[role])
					}
				}
				quota := w.quotas[n]
				if l, ok := quota.LimitOf(item.Name()); ok && sum.Get(item.Name()) > l {
					return false
				}
			}
			if to != "" {
				return true
			}
			before := w.spare(item.Name(), taken[""])
			return w.spare(item.Name(), map[string]resources.Quantities{role: taken[""][role].Add(more)}) >= min(0, before)
		}
		var x resources.Scalar
		for step := resources.Scalar(1 << 40); step > 0; step /= 2 {
			if x+step <= item.Scalar() && fits(x+step) {
				x += step
			}
		}
		if item.Whole() && x < item.Scalar() {
			x = 0
		}
		if x > 0 {
			if taken[to] == nil {
				taken[to] = map[string]resources.Quantities{}
			}
			taken[to][role] = taken[to][role].Add(resources.Quantities{{Name: item.Name(), Amount: x}})
		}
		return x
	})
}

func quantities(text string) resources.Quantities { return resources.MustParse(text).Quantities() }

// share is the dominant share of the known frameworks that want says yes to.
func (w *world) share(want func(f ids.FrameworkID, role string) bool) *big.Rat {
	var all, sum resources.Quantities
	for _, l := range w.agents {
		all = all.Add(l.Total.Quantities())
		for f, used := range l.used {
			for role, part := range used.Allocations() {
				if w.frameworks[f] != nil && want(f, role) {
					sum = sum.Add(part.NonShared().Quantities())
				}
			}
		}
	}
	best := new(big.Rat)
	for _, q := range sum {
		if total := all.Get(q.Name); total > 0 {
			if s := big.NewRat(int64(q.Amount), int64(total)); s.Cmp(best) > 0 {
				best = s
			}
		}
	}
	return best
}

// before tells whether role one is due an offer strictly before role two, or
// in the same role framework f before g.
func (w *world) before(f ids.FrameworkID, one string, g ids.FrameworkID, two string) bool {
	if one == two {
		of := func(who ids.FrameworkID) *big.Rat {
			return w.share(func(f ids.FrameworkID, role string) bool { return f == who && role == one })
		}
		return of(f).Cmp(of(g)) < 0
	}
	a, b := strings.Split(one, "/"), strings.Split(two, "/")
	k := 0
	for k < len(a) && k < len(b) && a[k] == b[k] {
		k++
	}
	node := func(path []string) *big.Rat {
		if len(path) == k { // the frameworks of the role itself, beside the roles below it
			own := strings.Join(path, "/")
			return w.share(func(_ ids.FrameworkID, role string) bool { return role == own })
		}
		top := strings.Join(path[:k+1], "/")
		s := w.share(func(_ ids.FrameworkID, role string) bool { return resources.Within(role, top) })
		if weight := w.weights[top]; weight != 0 {
			s.Quo(s, big.NewRat(int64(weight), 1000))
		}
		return s
	}
	return node(a).Cmp(node(b)) < 0
}

// accept books offers. Where whole agents are offered by fairness alone, each is
// checked against all else that could have been offered at its point.
func (w *world) accept(t *rapid.T, offers []Offer) {
	strict := w.cfg.WholeAgents && len(w.quotas) == 0 && w.cfg.RoleSorter == "" && w.cfg.FrameworkSorter == ""
	for _, f := range w.frameworks {
		strict = strict && len(f.requests) == 0
	}
	left := map[string]resources.Scalar{}
	for _, name := range []string{"cpus", "mem"} {
		left[name] = w.spare(name, nil)
	}
	exceeded := map[string]resources.Quantities{}
	for role := range w.quotas {
		exceeded[role] = w.consumed(role, nil)
	}
	for _, o := range offers {
		f := w.frameworks[o.Framework]
		if f == nil || w.agents[o.Agent] == nil || !slices.Contains(f.Roles, o.Role) {
			t.Fatalf("offer to nobody: %v", o)
		}
		l := w.agents[o.Agent]
		part := o.Resources.Unallocated()
		if can := w.may(f, o.Role, o.Agent, l.available()); !can.Contains(part) || !l.active || !f.connected || slices.Contains(f.Suppressed, o.Role) {
			t.Fatalf("offered %v, allowed is %v", o, can)
		}
		if !w.wants(f, o.Role, o.Agent, part) {
			t.Fatalf("offered %v, which is refused or too little", o)
		}
		if want := w.due(f, o.Role, o.Agent); strict && !want.Equal(part) {
			t.Fatalf("offered %v, due is %q", o, want)
		}
		for _, g := range w.frameworks {
			for _, role := range g.Roles {
				if strict && !w.due(g, role, o.Agent).IsEmpty() && w.before(g.ID, role, o.Framework, o.Role) {
					t.Fatalf("offered %v, but %s in %s is due before", o, g.ID, role)
				}
			}
		}
		l.used[o.Framework] = l.used[o.Framework].Add(o.Resources)
	}
	for name, before := range left {
		if after := w.spare(name, nil); after < min(0, before) {
			t.Fatalf("%v %s was left beside what is guaranteed, now %v, by %v", before, name, after, offers)
		}
	}
	for role, before := range exceeded {
		quota := w.quotas[role]
		for _, q := range w.consumed(role, nil) {
			if l, ok := quota.LimitOf(q.Name); ok && q.Amount > max(l, before.Get(q.Name)) {
				t.Fatalf("role %q consumes %v %s, above its limit %v", role, q.Amount, q.Name, l)
			}
		}
	}
	for _, o := range offers {
		f := w.frameworks[o.Framework]
		f.requests = slices.DeleteFunc(slices.Clone(f.requests), func(r Request) bool {
			return (r.Agent == "" || r.Agent == o.Agent) && o.Resources.Quantities().Contains(r.Amount)
		})
	}
}

func (w *world) forget(f ids.FrameworkID, roles ...string) {
	w.refusals = slices.DeleteFunc(w.refusals, func(r refused) bool {
		return r.framework == f && (roles == nil || slices.Contains(roles, r.role))
	})
}

var (
	someRoles  = []string{"*", "a", "a/b", "c"}
	someTotals = []resources.Resources{
		resources.MustParse("cpus:4;mem:1000;ports:[1-8]"),
		resources.MustParse("cpus:2;cpus(a):2;mem(c):64"),
		resources.MustParse("cpus:1;cpus(a)(a/b,p):3;cpus{REV}:2;ports(a):[1-3]"),
		resources.MustParse("cpus:1;gpus:2"),
		resources.MustParse("mem:16;cpus(a/b):1"),
		resources.MustParse(`[{"name":"cpus","type":"SCALAR","scalar":{"value":2}},{"name":"disk","type":"SCALAR",
			"scalar":{"value":64},"role":"a","shared":{},"disk":{"persistence":{"id":"v"}}}]`),
	}
)

func drawFramework(t *rapid.T, id ids.FrameworkID) Framework {
	roles := rapid.SliceOfNDistinct(rapid.SampledFrom(someRoles), 1, 3, rapid.ID).Draw(t, "roles")
	f := Framework{ID: id, Roles: roles, Caps: Caps(rapid.IntRange(0, 31).Draw(t, "capabilities"))}
	if host := rapid.SampledFrom([]string{"", "", "", "h1", "h2"}).Draw(t, "host"); host != "" {
		f.Constraints = map[string]Constraint{roles[0]: onlyHost(host)}
	}
	if rapid.IntRange(0, 3).Draw(t, "suppress") == 0 {
		f.Suppressed = roles[:1]
	}
	if rapid.IntRange(0, 3).Draw(t, "minima") == 0 {
		f.MinAllocatable = map[string]resources.Alternatives{roles[0]: {quantities("cpus:2")}}
	}
	return f
}

// pair is the thing under test, twice, and the model.
type pair struct {
	a, twin *Allocator
	w       world
}

// do calls both, which must agree that it goes as the model expects.
func (p *pair) do(t *rapid.T, want bool, f func(a *Allocator) error) {
	err, other := f(p.a), f(p.twin)
	if (err == nil) != want || fmt.Sprint(err) != fmt.Sprint(other) {
		t.Fatalf("got %v and %v, want success: %t", err, other, want)
	}
}

func (p *pair) anyFramework(t *rapid.T) (ids.FrameworkID, *tribe) {
	id := rapid.SampledFrom([]ids.FrameworkID{"f1", "f2", "f3", "f4"}).Draw(t, "framework")
	return id, p.w.frameworks[id]
}

func (p *pair) anyAgent(t *rapid.T) (ids.AgentID, *land) {
	id := rapid.SampledFrom([]ids.AgentID{"n1", "n2", "n3"}).Draw(t, "agent")
	return id, p.w.agents[id]
}

func (p *pair) addFramework(t *rapid.T) {
	id, known := p.anyFramework(t)
	f := drawFramework(t, id)
	p.do(t, known == nil, func(a *Allocator) error { return a.AddFramework(f) })
	if known == nil {
		p.w.frameworks[id] = &tribe{f, true, nil}
	}
}

func (p *pair) updateFramework(t *rapid.T) {
	id, known := p.anyFramework(t)
	f := drawFramework(t, id)
	p.do(t, known != nil, func(a *Allocator) error { return a.UpdateFramework(f) })
	if known != nil {
		for _, role := range known.Roles {
			if !slices.Contains(f.Roles, role) {
				p.w.forget(id, role)
			}
		}
		known.Framework = f
	}
}

func (p *pair) removeFramework(t *rapid.T) {
	id, known := p.anyFramework(t)
	p.do(t, known != nil, func(a *Allocator) error { return a.RemoveFramework(id) })
	p.w.forget(id)
	delete(p.w.frameworks, id)
}

func (p *pair) connect(t *rapid.T) {
	id, known := p.anyFramework(t)
	on := rapid.Bool().Draw(t, "on")
	p.do(t, known != nil, func(a *Allocator) error {
		return a.SetConnected(id, on)
	})
	if known != nil {
		known.connected = on
		if !on {
			p.w.forget(id)
		}
	}
}

func (p *pair) suppress(t *rapid.T) {
	id, known := p.anyFramework(t)
	role := rapid.SampledFrom(someRoles).Draw(t, "role")
	on := rapid.Bool().Draw(t, "on")
	ok := known != nil && slices.Contains(known.Roles, role)
	p.do(t, ok, func(a *Allocator) error {
		if on {
			return a.Suppress(id, []string{role}, true)
		}
		return a.Suppress(id, []string{role}, false)
	})
	if !ok {
		return
	}
	known.Suppressed = slices.DeleteFunc(slices.Clone(known.Suppressed), func(r string) bool { return r == role })
	if on {
		known.Suppressed = append(known.Suppressed, role)
	} else {
		p.w.forget(id, role)
	}
}

func drawAgent(t *rapid.T, id ids.AgentID) Agent {
	return Agent{
		ID: id, Total: rapid.SampledFrom(someTotals).Draw(t, "total"),
		Hostname: rapid.SampledFrom([]string{"h1", "h2"}).Draw(t, "host"),
		Region:   rapid.SampledFrom([]string{"", "here", "there"}).Draw(t, "region"),
	}
}

func (p *pair) addAgent(t *rapid.T) {
	id, known := p.anyAgent(t)
	g := drawAgent(t, id)
	used := map[ids.FrameworkID]resources.Resources{}
	if rapid.Bool().Draw(t, "used") {
		for _, f := range []ids.FrameworkID{"f1", "f2", "f3", "f4"} {
			role := rapid.SampledFrom(append(someRoles, "gone")).Draw(t, "role")
			used[f] = resources.MustParse("cpus:0.25;mem:5").Allocated(role)
		}
	}
	p.do(t, known == nil, func(a *Allocator) error { return a.AddAgent(g, used) })
	if known == nil {
		p.w.agents[id] = &land{g, true, used}
	}
}

func (p *pair) updateAgent(t *rapid.T) {
	id, known := p.anyAgent(t)
	g := drawAgent(t, id)
	p.do(t, known != nil, func(a *Allocator) error { return a.UpdateAgent(g) })
	if known != nil {
		known.Agent = g
	}
}

func (p *pair) removeAgent(t *rapid.T) {
	id, known := p.anyAgent(t)
	p.do(t, known != nil, func(a *Allocator) error { return a.RemoveAgent(id) })
	p.w.refusals = slices.DeleteFunc(p.w.refusals, func(r refused) bool { return r.agent == id })
	delete(p.w.agents, id)
}

func (p *pair) switchAgent(t *rapid.T) {
	id, known := p.anyAgent(t)
	on := rapid.Bool().Draw(t, "on")
	p.do(t, known != nil, func(a *Allocator) error {
		return a.SetHold(id, HoldDraining, !on)
	})
	if known != nil {
		known.active = on
	}
}

func (p *pair) weigh(t *rapid.T) {
	role := rapid.SampledFrom(someRoles).Draw(t, "role")
	weight := rapid.SampledFrom([]uint32{1, 500, 1000, 3000}).Draw(t, "weight")
	p.do(t, true, func(a *Allocator) error { return a.SetWeight(role, weight) })
	p.w.weights[role] = weight
}

func (p *pair) setQuota(t *rapid.T) {
	role := rapid.SampledFrom(someRoles).Draw(t, "role")
	draw := func(label string) resources.Quantities {
		q := resources.Quantities{}
		for _, name := range []string{"cpus", "mem"} {
			if v := rapid.SampledFrom([]int{-1, -1, 1, 2, 4}).Draw(t, label+" "+name); v > 0 {
				q = append(q, resources.Quantity{Name: name, Amount: resources.Scalar(v * 1000)})
			}
		}
		return q
	}
	q := Quota{Guarantee: draw("guarantee"), Limit: draw("limit")}
	force := rapid.Bool().Draw(t, "force")
	before, over := p.w.quotas[role], ""
	p.w.quotas[role] = q
	if q.IsZero() {
		delete(p.w.quotas, role)
	}
	over = p.w.wrong(map[string]Quota{role: q}, force)
	p.do(t, over == "", func(a *Allocator) error { return a.SetQuotas(map[string]Quota{role: q}, force) })
	if over != "" {
		if p.w.quotas[role] = before; before.IsZero() {
			delete(p.w.quotas, role)
		}
	}
}

// wrong tells what is wrong with the quotas, of which some are new.
func (w *world) wrong(news map[string]Quota, force bool) string {
	guaranteed := map[string]resources.Quantities{}
	var sum func(role string) resources.Quantities
	sum = func(role string) resources.Quantities {
		kids := map[string]bool{}
		for r := range w.quotas {
			for ; r != ""; r = parentOf(r) {
				if parentOf(r) == role {
					kids[r] = true
				}
			}
		}
		var below resources.Quantities
		for kid := range kids {
			below = below.Add(sum(kid))
		}
		guaranteed[role] = below.Max(w.quotas[role].Guarantee)
		return guaranteed[role]
	}
	all := sum("")
	for role, q := range w.quotas {
		for _, l := range q.Limit {
			if guaranteed[role].Get(l.Name) > l.Amount {
				return "guaranteed above limit"
			}
			for up := parentOf(role); up != ""; up = parentOf(up) {
				above := w.quotas[up]
				if most, ok := above.LimitOf(l.Name); ok && l.Amount > most {
					return "limit above limit"
				}
			}
		}
	}
	var total resources.Quantities
	for _, l := range w.agents {
		total = total.Add(l.Total.NonRevocable().Quantities())
	}
	for role, q := range news {
		for _, g := range q.Guarantee {
			if !force && all.Get(g.Name) > total.Get(g.Name) {
				return "over-committed"
			}
		}
		for _, l := range q.Limit {
			if !force && w.consumed(role, nil).Get(l.Name) > l.Amount {
				return "consumes more"
			}
		}
	}
	return ""
}

func (p *pair) request(t *rapid.T) {
	id, known := p.anyFramework(t)
	r := Request{Amount: quantities(rapid.SampledFrom([]string{"cpus:1", "cpus:2;mem:10", "cpus:4", "mem:600", "cpus:9"}).Draw(t, "amount"))}
	if rapid.Bool().Draw(t, "one agent") {
		r.Agent, _ = p.anyAgent(t)
	}
	could := false
	if known != nil {
		for aid, l := range p.w.agents {
			for _, role := range known.Roles {
				could = could || (r.Agent == "" || r.Agent == aid) && p.w.may(known, role, aid, l.Total).Quantities().Contains(r.Amount)
			}
		}
		could = could || len(p.w.agents) == 0 && r.Agent == ""
	}
	p.do(t, could, func(a *Allocator) error { return a.SetRequests(id, []Request{r}) })
	if could {
		known.requests = []Request{r}
		p.w.forget(id)
	}
}

// explain checks that Explain calls eligible who is due something, nobody else.
func (p *pair) explain(t *rapid.T) {
	id, known := p.anyFramework(t)
	list, err := p.a.Explain(p.w.now, id, "", "")
	if known == nil {
		if !errors.Is(err, errs.NotFound) {
			t.Fatalf("got %v", err)
		}
		return
	}
	if len(list) != len(known.Roles) {
		t.Fatalf("%d explanations for %q", len(list), known.Roles)
	}
	for _, e := range list {
		due, told, agents := 0, 0, 0
		for aid := range p.w.agents {
			if !p.w.due(known, e.Role, aid).IsEmpty() {
				due++
			}
		}
		for _, r := range e.Reasons {
			if agents += r.Agents; r.Why == WhyEligible {
				told += r.Agents
			}
			if r.Why == WhyRefused && !r.Until.After(p.w.now) {
				t.Fatalf("refused until %v, it is %v", r.Until, p.w.now)
			}
		}
		if due != told || agents != len(p.w.agents) {
			t.Fatalf("%s in %s is due offers of %d agents, told %d of %d: %v", id, e.Role, due, told, agents, e.Reasons)
		}
	}
}

func (p *pair) wait(t *rapid.T) {
	if rapid.Bool().Draw(t, "long") {
		p.w.now = p.w.now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "milliseconds")) * time.Millisecond)
		return
	}
	at, ok := p.a.NextWake()
	var want []time.Time
	for _, r := range p.w.refusals {
		if r.until.After(p.w.now) {
			want = append(want, r.until)
		}
	}
	switch {
	case ok && at.After(p.w.now):
		if first := slices.MinFunc(want, time.Time.Compare); !first.Equal(at) {
			t.Fatalf("next wake is at %v, the first refusal ends at %v", at, first)
		}
		p.w.now = at
	case !ok && len(want) > 0:
		t.Fatalf("no next wake, refusals end at %v", want)
	}
}

func (p *pair) release(t *rapid.T) {
	id, known := p.anyAgent(t)
	f, _ := p.anyFramework(t)
	if known == nil {
		return
	}
	part := known.used[f].Filter(func(resources.Resource) bool { return rapid.IntRange(0, 3).Draw(t, "item") > 0 })
	if rapid.IntRange(0, 9).Draw(t, "too much") == 0 {
		part = part.Add(resources.MustParse("cpus@a:100"))
	}
	refuse := time.Duration(rapid.SampledFrom([]int{0, 0, -1, 1, 1500, 6000}).Draw(t, "refuse")) * time.Millisecond
	left, ok := known.used[f].Sub(part)
	p.do(t, ok, func(a *Allocator) error { return a.Release(p.w.now, Release{f, id, part, refuse}) })
	if !ok {
		return
	}
	known.used[f] = left
	for role, r := range part.Allocations() {
		if fw := p.w.frameworks[f]; fw != nil && refuse > 0 && slices.Contains(fw.Roles, role) {
			p.w.refusals = append(p.w.refusals, refused{f, role, id, r.Unallocated(), p.w.now.Add(max(refuse, time.Second))})
		}
	}
}

// convert reserves part of what is used, or available, or takes a reservation off.
func (p *pair) convert(t *rapid.T) {
	id, known := p.anyAgent(t)
	f, _ := p.anyFramework(t)
	if known == nil {
		return
	}
	from := known.used[f]
	if rapid.Bool().Draw(t, "available") {
		f, from = "", known.available()
	}
	reserve := rapid.Bool().Draw(t, "reserve")
	role := rapid.SampledFrom([]string{"a", "b", "a/x"}).Draw(t, "for role")
	from = from.NonShared().Filter(func(r resources.Resource) bool {
		if reserve && (r.Depth() > 0 || r.Revocable()) || !reserve && !r.Dynamic() {
			return false
		}
		return rapid.IntRange(0, 3).Draw(t, "item") > 0
	})
	c := resources.Conversion{From: from, To: from.PopReservation()}
	if reserve {
		var err error
		if c.To, err = from.PushReservation(resources.Reservation{Dynamic: true, Role: role, Principal: "p"}); err != nil {
			t.Fatal(err)
		}
	}
	tooMuch := rapid.IntRange(0, 9).Draw(t, "too much") == 0
	if tooMuch {
		c.From = c.From.Add(resources.MustParse("cpus(z,z)@a:100"))
	}
	total, err := resources.Conversion{From: c.From.Unallocated(), To: c.To.Unallocated()}.Apply(known.Total)
	p.do(t, err == nil, func(a *Allocator) error { return a.Convert(id, f, c) })
	if err != nil {
		return
	}
	if known.Total = total; f != "" {
		known.used[f] = minusAll(known.used[f], c.From).Add(c.To)
	}
}

func minusAll(r, part resources.Resources) resources.Resources {
	left, ok := r.Sub(part)
	if !ok {
		panic("not there")
	}
	return left
}

func (p *pair) allocate(t *rapid.T) {
	var only []ids.AgentID
	if rapid.Bool().Draw(t, "some") {
		only = rapid.SliceOfN(rapid.SampledFrom([]ids.AgentID{"n1", "n2", "n3"}), 0, 2).Draw(t, "agents")
		only = append([]ids.AgentID{}, only...)
	}
	var offers []Offer
	for { // what one is given may make room for another who was asked before
		more, twin := p.a.Allocate(p.w.now, only), p.twin.Allocate(p.w.now, only)
		if got, want := fmt.Sprint(more), fmt.Sprint(twin); got != want {
			t.Fatalf("equal histories made offers\n%s\n%s", got, want)
		}
		p.w.accept(t, more)
		offers = append(offers, more...)
		if len(more) == 0 || len(p.w.quotas) == 0 {
			break
		}
	}
	for id := range p.w.agents {
		for _, f := range p.w.frameworks {
			for _, role := range f.Roles {
				if left := p.w.due(f, role, id); !left.IsEmpty() && (only == nil || slices.Contains(only, id)) {
					t.Fatalf("%s in %s is due %v of %s, but was not offered it, but %v", f.ID, role, left, id, offers)
				}
			}
		}
	}
}

func (p *pair) check(t *rapid.T) {
	if err := p.a.Check(); err != nil {
		t.Fatal(err)
	}
	for id, l := range p.w.agents {
		if got, want := p.a.agents[id].available, l.available(); !got.Equal(want) {
			t.Fatalf("%s has available %v, want %v", id, got, want)
		}
		for f, used := range l.used {
			if got := p.a.agents[id].used[f]; !got.Equal(used) {
				t.Fatalf("%s uses %v of %s, want %v", f, got, id, used)
			}
		}
	}
}

func TestAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Seed: rapid.Uint64().Draw(t, "seed"), WholeAgents: rapid.Bool().Draw(t, "whole"), Region: "here",
			RoleSorter:      rapid.SampledFrom([]string{"", "", "random"}).Draw(t, "role sorter"),
			FrameworkSorter: rapid.SampledFrom([]string{"", "", "random"}).Draw(t, "framework sorter"),
			MinShare:        quantities("cpus:1"),
		}
		cfg.SetDefaults()
		a, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		twin, _ := New(cfg)
		p := &pair{a, twin, world{
			now:        time.Unix(1000, 0),
			agents:     map[ids.AgentID]*land{},
			frameworks: map[ids.FrameworkID]*tribe{},
			weights:    map[string]uint32{},
			quotas:     map[string]Quota{},
			cfg:        cfg,
		}}
		t.Repeat(map[string]func(*rapid.T){
			"add framework": p.addFramework, "update framework": p.updateFramework, "remove framework": p.removeFramework,
			"connect": p.connect, "suppress": p.suppress, "weigh": p.weigh,
			"quota": p.setQuota, "quota again": p.setQuota, "request": p.request, "explain": p.explain,
			"add agent": p.addAgent, "update agent": p.updateAgent, "remove agent": p.removeAgent, "switch agent": p.switchAgent,
			"convert": p.convert,
			"release": p.release, "release more": p.release, "release again": p.release,
			"allocate": p.allocate, "allocate more": p.allocate, "wait": p.wait,
			"": p.check,
		})
	})
}

func TestTooMuchToCount(t *testing.T) {
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	most := resources.MustParse("x:999999999999.999")
	for i := range 9223 {
		if err := a.AddAgent(Agent{ID: ids.AgentID(fmt.Sprint(i)), Total: most}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		a.AddAgent(Agent{ID: "last", Total: most}, nil),
		a.AddAgent(Agent{ID: "last"}, map[ids.FrameworkID]resources.Resources{"f": most.Allocated("*")}),
	} {
		if err == nil || !strings.Contains(err.Error(), `more "x" than can be counted: exhausted`) {
			t.Errorf("got %v", err)
		}
	}
	if len(a.agents) != 9223 || len(a.users) != 0 {
		t.Errorf("%d agents, %d users after the refusal", len(a.agents), len(a.users))
	}
	if err := a.AddAgent(Agent{ID: "small", Total: resources.MustParse("x:1;cpus:1")}, nil); err != nil {
		t.Error(err)
	}
}

func TestRevivingForeverTakesNoMemory(t *testing.T) {
	a, err := New(Config{MinRefuse: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.AddFramework(Framework{ID: "f", Roles: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	if err := a.AddAgent(Agent{ID: "n", Total: resources.MustParse("cpus:1")}, nil); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	for range 10_000 {
		for _, o := range a.Allocate(now, nil) {
			if err := a.Release(now, Release{o.Framework, o.Agent, o.Resources, MaxRefuse}); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Suppress("f", nil, false); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.refusals.Len(); n > 2048 {
		t.Errorf("%d refusals are kept, none is in force", n)
	}
}
