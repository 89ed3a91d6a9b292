package allocator

// Goal: in any history, each offer is one that the rules allow and fairness
// asks for, nothing is offered twice, nobody eligible is left without, and
// equal histories give equal offers. Method: a rapid state machine; a naive
// model keeps only what it was told and works everything out anew, shares as
// big.Rat, for each offer.

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mezzo/api/ids"
	"mezzo/resources"
)

// world is what the model was told.
type world struct {
	now        time.Time
	agents     map[ids.AgentID]*land
	frameworks map[ids.FrameworkID]*tribe
	weights    map[string]uint32
	refusals   []refused
}

type land struct {
	total  resources.Resources
	active bool
	used   map[ids.FrameworkID]resources.Resources
}

type tribe struct {
	Framework
	connected bool
}

type refused struct {
	framework ids.FrameworkID
	role      string
	agent     ids.AgentID
	resources resources.Resources
	until     time.Time
}

func (l *land) available() resources.Resources {
	left := l.total.NonShared()
	for _, used := range l.used {
		left = left.Minus(used.NonShared().Unallocated())
	}
	return left.Add(l.total.Shared())
}

// due is what the framework would be offered in the role; nothing if it is
// not eligible.
func (w *world) due(f *tribe, role string, id ids.AgentID) resources.Resources {
	l, none := w.agents[id], resources.Resources{}
	if !l.active || !f.connected || slices.Contains(f.Suppressed, role) || l.total.Total("gpus") > 0 && !f.GPU {
		return none
	}
	part := l.available().Filter(func(r resources.Resource) bool {
		switch {
		case r.Revocable() && !f.Revocable, r.Shared() && !f.Shared, len(r.Reservations()) > 1 && !f.RefinedReserved:
			return false
		case r.ReservedTo() == "":
			return true
		default:
			return role == r.ReservedTo() || strings.HasPrefix(role, r.ReservedTo()+"/")
		}
	})
	minima := []resources.Quantities{quantities("cpus:0.01"), quantities("mem:32")}
	if own := f.MinAllocatable[role]; own != nil {
		minima = own
	}
	amount := part.NonShared().Quantities()
	if !slices.ContainsFunc(minima, amount.Contains) {
		return none
	}
	for _, r := range w.refusals {
		if r.framework == f.ID && r.role == role && r.agent == id && r.until.After(w.now) && r.resources.Contains(part) {
			return none
		}
	}
	return part
}

func quantities(text string) resources.Quantities { return resources.MustParse(text).Quantities() }

// share is the dominant share of the known frameworks that want says yes to.
func (w *world) share(want func(f ids.FrameworkID, role string) bool) *big.Rat {
	var all, sum resources.Quantities
	for _, l := range w.agents {
		all = all.Add(l.total.Quantities())
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

// accept books offers one by one, each checked against all else that could
// have been offered at its point.
func (w *world) accept(t *rapid.T, offers []Offer) {
	for _, o := range offers {
		f := w.frameworks[o.Framework]
		if f == nil || w.agents[o.Agent] == nil || !slices.Contains(f.Roles, o.Role) {
			t.Fatalf("offer to nobody: %v", o)
		}
		if want := w.due(f, o.Role, o.Agent).Allocated(o.Role); want.IsEmpty() || !want.Equal(o.Resources) {
			t.Fatalf("offered %v, due is %q", o, want)
		}
		for _, g := range w.frameworks {
			for _, role := range g.Roles {
				if !w.due(g, role, o.Agent).IsEmpty() && w.before(g.ID, role, o.Framework, o.Role) {
					t.Fatalf("offered %v, but %s in %s is due before", o, g.ID, role)
				}
			}
		}
		used := w.agents[o.Agent].used
		used[o.Framework] = used[o.Framework].Add(o.Resources)
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
	flags := rapid.SliceOfN(rapid.Bool(), 4, 4).Draw(t, "capabilities")
	f := Framework{ID: id, Roles: roles, Revocable: flags[0], Shared: flags[1], RefinedReserved: flags[2], GPU: flags[3]}
	if rapid.IntRange(0, 3).Draw(t, "suppress") == 0 {
		f.Suppressed = roles[:1]
	}
	if rapid.IntRange(0, 3).Draw(t, "minima") == 0 {
		f.MinAllocatable = map[string][]resources.Quantities{roles[0]: {quantities("cpus:2")}}
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
		p.w.frameworks[id] = &tribe{f, true}
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
		if on {
			return a.ActivateFramework(id)
		}
		return a.DeactivateFramework(id)
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
			return a.Suppress(id, []string{role})
		}
		return a.Revive(id, []string{role})
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

func (p *pair) addAgent(t *rapid.T) {
	id, known := p.anyAgent(t)
	total := rapid.SampledFrom(someTotals).Draw(t, "total")
	used := map[ids.FrameworkID]resources.Resources{}
	if rapid.Bool().Draw(t, "used") {
		for _, f := range []ids.FrameworkID{"f1", "f2", "f3", "f4"} {
			role := rapid.SampledFrom(append(someRoles, "gone")).Draw(t, "role")
			used[f] = resources.MustParse("cpus:0.25;mem:5").Allocated(role)
		}
	}
	p.do(t, known == nil, func(a *Allocator) error { return a.AddAgent(Agent{ID: id, Total: total}, used) })
	if known == nil {
		p.w.agents[id] = &land{total, true, used}
	}
}

func (p *pair) updateAgent(t *rapid.T) {
	id, known := p.anyAgent(t)
	total := rapid.SampledFrom(someTotals).Draw(t, "total")
	p.do(t, known != nil, func(a *Allocator) error { return a.UpdateAgent(Agent{ID: id, Total: total}) })
	if known != nil {
		known.total = total
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
	if refuse < 0 {
		refuse = DefaultRefuse
	}
	for role, r := range part.Allocations() {
		if fw := p.w.frameworks[f]; fw != nil && refuse > 0 && slices.Contains(fw.Roles, role) {
			p.w.refusals = append(p.w.refusals, refused{f, role, id, r.Unallocated(), p.w.now.Add(max(refuse, time.Second))})
		}
	}
}

func (p *pair) allocate(t *rapid.T) {
	var only []ids.AgentID
	if rapid.Bool().Draw(t, "some") {
		only = rapid.SliceOfN(rapid.SampledFrom([]ids.AgentID{"n1", "n2", "n3"}), 0, 2).Draw(t, "agents")
		only = append([]ids.AgentID{}, only...)
	}
	offers, twin := p.a.Allocate(p.w.now, only), p.twin.Allocate(p.w.now, only)
	if got, want := fmt.Sprint(offers), fmt.Sprint(twin); got != want {
		t.Fatalf("equal histories made offers\n%s\n%s", got, want)
	}
	p.w.accept(t, offers)
	for id := range p.w.agents {
		for _, f := range p.w.frameworks {
			for _, role := range f.Roles {
				if left := p.w.due(f, role, id); !left.IsEmpty() && (only == nil || slices.Contains(only, id)) {
					t.Fatalf("%s in %s is due %v of %s, but was not offered it", f.ID, role, left, id)
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
		if got, want := p.a.Available(id), l.available(); !got.Equal(want) {
			t.Fatalf("%s has available %v, want %v", id, got, want)
		}
		for f, used := range l.used {
			if got := p.a.Used(f, id); !got.Equal(used) {
				t.Fatalf("%s uses %v of %s, want %v", f, got, id, used)
			}
		}
	}
}

func TestAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Seed: rapid.Uint64().Draw(t, "seed"), WholeAgents: true}
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
		}}
		t.Repeat(map[string]func(*rapid.T){
			"add framework": p.addFramework, "update framework": p.updateFramework, "remove framework": p.removeFramework,
			"connect": p.connect, "suppress": p.suppress, "weigh": p.weigh,
			"add agent": p.addAgent, "update agent": p.updateAgent, "remove agent": p.removeAgent, "switch agent": p.switchAgent,
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
		if err := a.Revive("f", nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.refusals.list); n > 2048 {
		t.Errorf("%d refusals are kept, none is in force", n)
	}
}
