package quota

// Goal: the books are right after any history, and quotas that cannot be kept
// together are refused with their figures. Method: a rapid state machine that
// works everything out anew from a list; a table of refusals.

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mezzo/resources"
)

func q(text string) resources.Quantities {
	var out resources.Quantities // zeros count
	for part := range strings.SplitSeq(text, ";") {
		if name, amount, ok := strings.Cut(part, ":"); ok {
			v, err := resources.ParseScalar(amount)
			if err != nil {
				panic(err)
			}
			out = append(out, resources.Quantity{Name: name, Amount: v})
		}
	}
	return out
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name string
		all  map[string]*Quota
		want string // guaranteed, or the error
	}{
		{"nothing", nil, ""},
		{"sum", map[string]*Quota{"a": {q("cpus:2"), nil}, "b": {q("cpus:3;mem:1"), nil}}, "cpus:5;mem:1"},
		{"within", map[string]*Quota{"a": {q("cpus:5"), nil}, "a/b": {q("cpus:2"), nil}, "a/c/d": {q("cpus:2"), nil}}, "cpus:5"},
		{"more below", map[string]*Quota{"a": {q("cpus:3"), nil}, "a/b": {q("cpus:2"), nil}, "a/c/d": {q("cpus:2"), nil}}, "cpus:4"},
		{"limits", map[string]*Quota{"a": {q("cpus:1"), q("cpus:1")}, "a/b": {nil, q("cpus:0;mem:9")}}, "cpus:1"},
		{"guarantee above limit", map[string]*Quota{"a": {q("cpus:2"), q("cpus:1")}}, `role "a", with those below it, is guaranteed 2 cpus, above its limit of 1: invalid`},
		{"below above limit", map[string]*Quota{"a": {nil, q("cpus:1")}, "a/b/c": {q("cpus:2"), nil}}, `role "a", with those below it, is guaranteed 2 cpus, above its limit of 1: invalid`},
		{"limit above limit", map[string]*Quota{"a": {nil, q("cpus:1")}, "a/b": {q("mem:1"), nil}, "a/b/c": {nil, q("cpus:2")}}, `limit of 2 cpus for role "a/b/c" is above that of role "a", 1: invalid`},
		{"a neighbour", map[string]*Quota{"a": {nil, q("cpus:1")}, "a-b": {nil, q("cpus:2")}, "ab/c": {q("cpus:3"), nil}}, "cpus:3"},
	} {
		got, err := Check(tc.all)
		text := got.String()
		if err != nil {
			text = err.Error()
		}
		if text != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, text, tc.want)
		}
	}
}

func TestLedgerAgainstList(t *testing.T) {
	roles := []string{"a", "a/b", "a/b/c", "a/d", "e"}
	rapid.Check(t, func(t *rapid.T) {
		l := NewLedger()
		quotas, used := map[string]Quota{}, map[string]resources.Scalar{}
		pinned := map[string][]*Account{}
		within := func(r, top string) bool { return top == "" || resources.Within(r, top) }
		consumed := func(top string) (sum resources.Scalar) {
			for r, x := range used {
				if within(r, top) {
					sum += x
				}
			}
			return sum
		}
		var unmet func(top string) resources.Scalar
		unmet = func(top string) resources.Scalar {
			var below resources.Scalar
			for _, r := range roles {
				if parentOf(r) == top {
					below += unmet(r)
				}
			}
			if top == "" {
				return below
			}
			g := quotas[top]
			return max(below, g.Guarantee.Get("cpus")-consumed(top))
		}
		t.Repeat(map[string]func(*rapid.T){
			"consume": func(t *rapid.T) {
				r := rapid.SampledFrom(roles).Draw(t, "role")
				x := resources.Scalar(rapid.IntRange(-int(used[r]), 5).Draw(t, "x"))
				used[r] += x
				l.Consume(r, l.Names.Of("cpus"), x)
			},
			"set": func(t *rapid.T) {
				r := rapid.SampledFrom(roles).Draw(t, "role")
				g := resources.Scalar(rapid.IntRange(0, 9).Draw(t, "guarantee"))
				if g == 0 {
					delete(quotas, r)
					l.set(r, nil)
					return
				}
				quotas[r] = Quota{Guarantee: resources.Quantities{{Name: "cpus", Amount: g}}}
				n := quotas[r]
				l.set(r, &n)
			},
			"pin": func(t *rapid.T) {
				r := rapid.SampledFrom(roles).Draw(t, "role")
				if n := len(pinned[r]); n > 0 && rapid.Bool().Draw(t, "unpin") {
					l.Unpin(pinned[r][n-1])
					pinned[r] = pinned[r][:n-1]
				} else {
					pinned[r] = append(pinned[r], l.Pin(r))
				}
			},
			"": func(t *rapid.T) {
				d := l.Names.Of("cpus")
				for _, r := range append(roles, "") {
					if got := l.Consumed(r).Get("cpus"); got != consumed(r) {
						t.Fatalf("%q consumes %v, want %v", r, got, consumed(r))
					}
					if got := l.Unmet(r).Get("cpus"); got != unmet(r) {
						t.Fatalf("unmet of %q is %v, want %v", r, got, unmet(r))
					}
					for _, c := range pinned[r] { // due: what 1, 2, … more would meet
						before := unmet("")
						for x := resources.Scalar(0); x < 12; x++ {
							used[r] += x
							if got, want := min(x, c.due(d)), before-unmet(""); got != want {
								t.Fatalf("%v more for %q would meet %v, want %v", x, r, got, want)
							}
							used[r] -= x
						}
					}
				}
				for path, c := range l.accounts {
					if c.parent != nil && c.kids == 0 && c.pins == 0 && c.quota == nil && c.consumed.IsZero() {
						t.Fatalf("%q is kept for nothing", path)
					}
				}
				if l.IsEmpty() != (len(quotas) == 0) || l.Met() != (unmet("") == 0) {
					t.Fatalf("empty: %t, met: %t", l.IsEmpty(), l.Met())
				}
			},
		})
	})
}

func TestRoom(t *testing.T) {
	l := NewLedger()
	l.set("a", &Quota{Limit: q("cpus:10")})
	l.set("a/b", &Quota{Guarantee: q("cpus:4"), Limit: q("cpus:6")})
	l.set("c", &Quota{Guarantee: q("cpus:3")})
	cpus := l.Names.Of("cpus")
	l.Consume("a", cpus, 5000)
	l.Consume("a/b", cpus, 1000)
	free := resources.Amounts{20_000}
	var r Room
	r.Measure(l, l.Pin("a/b"), free, false)
	for depth, want := range []resources.Scalar{4000, 5000, resources.Unlimited} { // 10-6 of a, 6-1 of a/b
		if got := r.Of(cpus, depth); got != want {
			t.Errorf("room at depth %d is %v, want %v", depth, got, want)
		}
	}
	r.Take(cpus, 1, 2000) // reserved to a: not new for a, new for a/b
	if got := [2]resources.Scalar{r.Of(cpus, 0), r.Of(cpus, 1)}; got != [2]resources.Scalar{3000, 3000} {
		t.Errorf("then it is %v", got)
	}
	if got, ok := l.Reached(l.Pin("a/b"), q("cpus:1")); ok {
		t.Errorf("reached %v", got)
	}
	l.Consume("a", cpus, 4000)
	if got, ok := l.Reached(l.Pin("a/b"), q("cpus:1")); !ok || got != (Reached{"a", "cpus", 10_000, 10_000}) {
		t.Errorf("reached %v", got)
	}
	r.Measure(l, l.Pin("e"), resources.Amounts{7000}, false) // 3 are kept for a/b, 3 for c
	if got := r.Of(cpus, 0); got != 1000 {
		t.Errorf("beside guarantees %v is free", got)
	}
	r.Measure(l, l.Pin("c"), resources.Amounts{7000}, true)
	if got := r.Of(cpus, 0); got != 3000 {
		t.Errorf("guaranteed and free is %v", got)
	}
}
