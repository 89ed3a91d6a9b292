package sorter

// Goal: the order is the one that hierarchical, weighted DRF defines, however
// it was come by. Method: a rapid state machine against a naive tree that is
// built anew for each question and compares shares as big.Rat; examples.

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mezzo/resources"
)

func q(text string) resources.Quantities { return resources.MustParse(text).Quantities() }

// naive is the sorter's books, in maps by path.
type naive struct {
	clients map[string]*Node[string]
	active  map[string]bool
	charged map[string]resources.Quantities
	weight  map[string]uint32
	times   map[string]uint64 // by path of the node, a client above others with "/" behind
	totals  resources.Quantities
}

func (n *naive) share(clients []string) *big.Rat {
	var sum resources.Quantities
	for _, p := range clients {
		sum = sum.Add(n.charged[p])
	}
	best := new(big.Rat)
	for _, v := range sum {
		if total := n.totals.Get(v.Name); total > 0 && v.Name != "free" {
			if r := big.NewRat(int64(v.Amount), int64(total)); r.Cmp(best) > 0 {
				best = r
			}
		}
	}
	return best
}

// order lists the active clients below prefix, which is "" or ends in "/".
func (n *naive) order(prefix string) []string {
	children := map[string][]string{}
	for p := range n.clients {
		if rest, ok := strings.CutPrefix(p+"/", prefix); ok {
			name, _, _ := strings.Cut(rest, "/")
			children[name] = append(children[name], p)
		}
	}
	names := slices.SortedFunc(maps.Keys(children), func(a, b string) int {
		return cmp.Or(
			n.weighted(prefix, a, children[a]).Cmp(n.weighted(prefix, b, children[b])),
			cmp.Compare(n.times[prefix+a], n.times[prefix+b]),
			cmp.Compare(a, b),
		)
	})
	var out []string
	for _, name := range names {
		switch only := prefix + name; {
		case name == "":
			if own := strings.TrimSuffix(prefix, "/"); n.active[own] {
				out = append(out, own)
			}
		case len(children[name]) == 1 && children[name][0] == only:
			if n.active[only] {
				out = append(out, only)
			}
		default:
			out = append(out, n.order(only+"/")...)
		}
	}
	return out
}

func (n *naive) weighted(prefix, name string, clients []string) *big.Rat {
	w := n.weight[prefix+name]
	if w == 0 || name == "" {
		w = WeightUnit
	}
	return new(big.Rat).Quo(n.share(clients), big.NewRat(int64(w), int64(WeightUnit)))
}

// machine runs both. Ties in how often they were charged depend on when nodes
// came and went, so the naive side takes that from the sorter's tree.
type machine struct {
	s *DRF[string]
	t *Totals
	n naive
}

func (m *machine) copyTimes() {
	m.n.times = map[string]uint64{}
	var walk func(prefix string, n *Node[string])
	walk = func(prefix string, n *Node[string]) {
		for name, c := range n.children {
			m.n.times[prefix+name] = c.times
			walk(prefix+name+"/", c)
		}
	}
	walk("", m.s.root)
}

var paths = []string{"a", "b", "a/x", "a/y", "a/x/1", "b/x", "c/z/z", "c", "*"}

func (m *machine) existing(t *rapid.T) (string, *Node[string]) {
	if len(m.n.clients) == 0 {
		t.Skip()
	}
	p := rapid.SampledFrom(slices.Sorted(maps.Keys(m.n.clients))).Draw(t, "path")
	return p, m.n.clients[p]
}

func amounts(t *rapid.T) resources.Quantities {
	var out resources.Quantities
	for _, name := range []string{"cpus", "free", "mem"} {
		if v := rapid.IntRange(0, 3).Draw(t, name); v > 0 {
			out = append(out, resources.Quantity{Name: name, Amount: resources.Scalar(v)})
		}
	}
	return out
}

func TestDRFAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		totals := NewTotals("free")
		m := &machine{s: NewDRF[string](totals), t: totals, n: naive{
			clients: map[string]*Node[string]{}, active: map[string]bool{}, charged: map[string]resources.Quantities{}, weight: map[string]uint32{},
		}}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				p := rapid.SampledFrom(paths).Draw(t, "path")
				if _, ok := m.n.clients[p]; !ok {
					m.n.clients[p] = m.s.Add(p, p)
				}
			},
			"remove": func(t *rapid.T) {
				p, id := m.existing(t)
				m.s.Remove(id)
				delete(m.n.clients, p)
				delete(m.n.active, p)
				delete(m.n.charged, p)
			},
			"activate": func(t *rapid.T) {
				p, id := m.existing(t)
				on := rapid.Bool().Draw(t, "on")
				m.s.SetActive(id, on)
				m.n.active[p] = on
			},
			"weight": func(t *rapid.T) {
				p := rapid.SampledFrom(paths).Draw(t, "path")
				w := rapid.SampledFrom([]uint32{1, 500, 1000, 2000, math.MaxUint32}).Draw(t, "weight")
				m.s.SetWeight(p, w)
				m.n.weight[p] = w
			},
			"charge": func(t *rapid.T) {
				p, id := m.existing(t)
				v := amounts(t)
				m.s.Charge(id, v)
				m.n.charged[p] = m.n.charged[p].Add(v)
			},
			"refund": func(t *rapid.T) {
				p, id := m.existing(t)
				v := m.n.charged[p].Minus(amounts(t))
				m.s.Refund(id, m.n.charged[p].Minus(v))
				m.n.charged[p] = v
			},
			"grow": func(t *rapid.T) {
				v := amounts(t)
				m.t.Add(v)
				m.n.totals = m.n.totals.Add(v)
			},
			"shrink": func(t *rapid.T) {
				v := m.n.totals.Minus(amounts(t))
				m.t.Sub(m.n.totals.Minus(v))
				m.n.totals = v
			},
			"": func(t *rapid.T) {
				m.copyTimes()
				want := m.n.order("")
				var got []string
				if rapid.Bool().Draw(t, "look") { // looking refreshes; not looking must be right too
					got = slices.Collect(m.s.Order())
					if !slices.Equal(got, want) {
						t.Fatalf("order is %q, want %q", got, want)
					}
				}
				if err := m.s.Check(func(p string) resources.Quantities { return m.n.charged[p] }); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

func TestNewClientsStartLevel(t *testing.T) {
	totals := NewTotals()
	totals.Add(q("cpus:10"))
	s := NewDRF[string](totals)
	a, b := s.Add("a", "a"), s.Add("b", "b")
	s.SetActive(a, true)
	s.SetActive(b, true)
	for range 5 {
		for _, id := range []*Node[string]{a, b} {
			s.Charge(id, q("cpus:1"))
			s.Refund(id, q("cpus:1"))
		}
	}
	s.Charge(a, nil)
	c := s.Add("c", "c")
	s.SetActive(c, true)
	if got, want := slices.Collect(s.Order()), []string{"b", "c", "a"}; !slices.Equal(got, want) {
		t.Errorf("order is %v, want %v", got, want)
	}
}

func TestDominant(t *testing.T) {
	totals := NewTotals()
	totals.Add(q("cpus:9;mem:18"))
	s := NewDRF[string](totals)
	a := s.Add("eng/a", "")
	s.Charge(a, q("cpus:3;mem:12"))
	for path, want := range map[string]string{"eng": "mem 12/18", "eng/a": "mem 12/18", "eng/b": " 0/0", "ops": " 0/0"} {
		share := s.Dominant(path)
		if got := fmt.Sprintf("%s %v/%v", share.Resource, share.Used, share.Total); got != want {
			t.Errorf("share of %s is %s, want %s", path, got, want)
		}
	}
}

// filled is a sorter of clients named by the paths, each charged a little.
func filled(paths iter.Seq[string]) (*DRF[string], []*Node[string]) {
	totals := NewTotals()
	totals.Add(q("cpus:100000;disk:100000;gpus:1000;mem:100000"))
	s := NewDRF[string](totals)
	var all []*Node[string]
	for p := range paths {
		id := s.Add(p, p)
		s.SetActive(id, true)
		s.Charge(id, resources.Quantities{{Name: "cpus", Amount: resources.Scalar(len(all)*7919%1000 + 1)}})
		all = append(all, id)
	}
	return s, all
}

// tree yields the paths of the leaves of a tree of the height, each node with
// so many children.
func tree(height, branch int, prefix string, yield func(string) bool) bool {
	for i := range branch {
		p := fmt.Sprint(prefix, i)
		if height == 1 && !yield(p) || height > 1 && !tree(height-1, branch, p+"/", yield) {
			return false
		}
	}
	return true
}

func BenchmarkCharge(b *testing.B) {
	amount := q("cpus:1;disk:10;gpus:1;mem:1")
	for _, shape := range []struct{ height, branch int }{{1, 100}, {1, 1000}, {1, 6000}, {2, 32}, {6, 3}, {9, 2}} {
		b.Run(fmt.Sprintf("height=%d/branch=%d", shape.height, shape.branch), func(b *testing.B) {
			s, all := filled(func(yield func(string) bool) { tree(shape.height, shape.branch, "", yield) })
			for range s.Order() {
				break
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				id := all[i%len(all)]
				s.Charge(id, amount)
				s.Refund(id, amount)
				i++
			}
		})
	}
}

func BenchmarkOrder(b *testing.B) {
	s, all := filled(func(yield func(string) bool) { tree(2, 32, "", yield) })
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range s.Order() {
			n++
		}
		if n != len(all) {
			b.Fatal(n)
		}
	}
}

func BenchmarkResort(b *testing.B) {
	s, _ := filled(func(yield func(string) bool) { tree(1, 1000, "", yield) })
	b.ReportAllocs()
	for b.Loop() {
		s.totals.Add(resources.Quantities{{Name: "cpus", Amount: 1}})
		for range s.Order() {
			break
		}
	}
}
