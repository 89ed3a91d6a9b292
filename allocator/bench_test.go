package allocator

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"mezzo/api/ids"
	"mezzo/resources"
)

// The shapes are those of the benchmarks that Mesos has of its allocator, so
// that the figures stand side by side. In all of them offers are declined for
// an hour, so that each next cycle has to look further for somebody; when
// nobody is left, all revive. Only the cycles are timed.

var (
	agentCounts     = []int{1000, 5000, 10_000, 50_000}
	frameworkCounts = []int{1, 50, 200, 1000, 3000, 6000}
)

// shape is how a cluster differs from the plainest.
type shape struct {
	name       string
	suppressed int // percent of the frameworks
	role       func(i int) string
	total      func(i int) string
	config     func(*Config)
}

func oneRole(int) string { return "r" }

func plain(i int) string {
	return fmt.Sprintf("cpus:%d;disk:4096;mem:%d;ports:[31000-32000]", 24+i%3*8, 4096+i%5*1024)
}

// labelled agents have something reserved with a label of its own each, that no
// two can be added up.
func labelled(i int) string {
	return fmt.Sprintf(`[
		{"name":"cpus","type":"SCALAR","scalar":{"value":24}},
		{"name":"mem","type":"SCALAR","scalar":{"value":4096}},
		{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":32000}]}},
		{"name":"cpus","type":"SCALAR","scalar":{"value":8},"reservations":[{"type":"DYNAMIC","role":"r","principal":"p","labels":{"labels":[{"key":"rack","value":"%d"}]}}]}]`, i)
}

// voluminous agents have persistent volumes, one private and one shared.
func voluminous(i int) string {
	const volume = `{"name":"disk","type":"SCALAR","scalar":{"value":512},"reservations":[{"type":"DYNAMIC","role":"r","principal":"p"}],
		"disk":{"persistence":{"id":"%s%d","principal":"p"},"volume":{"container_path":"data","mode":"RW"}}%s}`
	return fmt.Sprintf(`[
		{"name":"cpus","type":"SCALAR","scalar":{"value":24}},
		{"name":"mem","type":"SCALAR","scalar":{"value":4096}},
		{"name":"disk","type":"SCALAR","scalar":{"value":4096}},`+volume+","+volume+"]",
		"own", i, "", "all", i, `,"shared":{}`)
}

// tree makes paths of a tree of roles of so many levels, each node above the
// leaves with so many children.
func tree(height, branching int) func(int) string {
	leaves := 1
	for range height - 1 {
		leaves *= branching
	}
	return func(i int) string {
		i %= leaves
		parts := make([]string, height)
		for level := range parts {
			parts[level] = fmt.Sprintf("n%d", i%branching)
			i /= branching
		}
		parts[height-1] = "leaf"
		return strings.Join(parts, "/")
	}
}

var shapes = []shape{
	{name: "declining"},
	{name: "suppressed=1%", suppressed: 1},
	{name: "suppressed=99%", suppressed: 99},
	{name: "labels", total: labelled},
	{name: "volumes", total: voluminous},
	{name: "roles=100", role: func(i int) string { return fmt.Sprintf("r%d/s%d", i%10, i%100) }},
	{name: "whole", config: func(c *Config) { c.WholeAgents = true }},
	{name: "random", config: func(c *Config) { c.RoleSorter, c.FrameworkSorter = "random", "random" }},
}

func (s *shape) newAllocator(b *testing.B) *Allocator {
	var cfg Config
	cfg.SetDefaults()
	if s.config != nil {
		s.config(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

func (s *shape) addFrameworks(b *testing.B, a *Allocator, n int) {
	role := s.role
	if role == nil {
		role = oneRole
	}
	for i := range n {
		f := Framework{ID: ids.FrameworkID(fmt.Sprintf("f-%04d", i)), Roles: []string{role(i)}, Caps: CapShared}
		if s.suppressed > 0 && (i*s.suppressed+s.suppressed/2)/100 != ((i+1)*s.suppressed+s.suppressed/2)/100 {
			f.Suppressed = f.Roles
		}
		if err := a.AddFramework(f); err != nil {
			b.Fatal(err)
		}
	}
}

// newAgents makes agents that are still to be added.
func (s *shape) newAgents(b *testing.B, n int) []Agent {
	total := s.total
	if total == nil {
		total = plain
	}
	out := make([]Agent, n)
	for i := range out {
		r, err := resources.Parse(total(i), "*")
		if err != nil {
			b.Fatal(err)
		}
		out[i] = Agent{ID: ids.AgentID(fmt.Sprintf("n-%05d", i)), Total: r}
	}
	return out
}

func (s *shape) cluster(b *testing.B, agents, frameworks int) *Allocator {
	a := s.newAllocator(b)
	s.addFrameworks(b, a, frameworks)
	addAll(b, a, s.newAgents(b, agents))
	return a
}

func addAll(b *testing.B, a *Allocator, list []Agent) {
	for _, g := range list {
		if err := a.AddAgent(g, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// cycles times cycles, and tells how many offers they made.
func cycles(b *testing.B, a *Allocator) {
	now, offers := time.Unix(0, 0), 0
	b.ReportAllocs()
	for b.Loop() {
		list := a.Allocate(now, nil)
		b.StopTimer()
		offers += len(list)
		if len(list) == 0 {
			reviveAll(b, a)
		}
		decline(b, a, now, list, time.Hour)
		b.StartTimer()
	}
	b.ReportMetric(float64(offers)/float64(b.N), "offers/op")
	if offers > 0 {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(offers), "ns/offer")
	}
}

func decline(b *testing.B, a *Allocator, now time.Time, offers []Offer, refuse time.Duration) {
	for _, o := range offers {
		if err := a.Release(now, Release{o.Framework, o.Agent, o.Resources, refuse}); err != nil {
			b.Fatal(err)
		}
	}
}

func reviveAll(b *testing.B, a *Allocator) {
	for id, f := range a.frameworks {
		if len(f.Suppressed) > 0 {
			continue
		}
		if err := a.Suppress(id, nil, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCycle is one cycle over all agents.
func BenchmarkCycle(b *testing.B) {
	for _, agents := range agentCounts {
		for _, frameworks := range frameworkCounts {
			for _, s := range shapes {
				if s.name != "declining" && (testing.Short() || agents*frameworks > 10_000*1000) {
					continue // what they cost more, they cost there too
				}
				b.Run(fmt.Sprintf("agents=%d/frameworks=%d/%s", agents, frameworks, s.name), func(b *testing.B) {
					cycles(b, s.cluster(b, agents, frameworks))
				})
			}
		}
	}
	for _, h := range []struct{ height, branching, leaves int }{{3, 32, 1024}, {7, 3, 729}, {10, 2, 512}} {
		b.Run(fmt.Sprintf("agents=10000/frameworks=%d/hierarchy=h%db%d", h.leaves, h.height, h.branching), func(b *testing.B) {
			s := shape{role: tree(h.height, h.branching)}
			cycles(b, s.cluster(b, 10_000, h.leaves))
		})
	}
	// As many roles as agents, each with a framework and a quota: most of a
	// little, every sixth of much, that takes several agents to meet.
	for _, n := range []int{10, 100, 1000, 3000} {
		b.Run(fmt.Sprintf("quota_roles=%d", n), func(b *testing.B) {
			s := shape{role: func(i int) string { return fmt.Sprintf("r%d", i) }}
			a := s.cluster(b, n, n)
			quotas := map[string]Quota{}
			for i := range n {
				q := resources.Quantities{{Name: "cpus", Amount: 4000}, {Name: "mem", Amount: 512_000}}
				if i%6 == 0 {
					q = resources.Quantities{{Name: "cpus", Amount: 80_000}, {Name: "mem", Amount: 8_192_000}}
				}
				quotas[fmt.Sprintf("r%d", i)] = Quota{Guarantee: q, Limit: q}
			}
			if err := a.SetQuotas(quotas, false); err != nil {
				b.Fatal(err)
			}
			cycles(b, a)
		})
	}
}

// BenchmarkIdle is a cycle in which all frameworks refuse all agents, but
// something changed that might have given hope: nothing is offered, and all
// have to be looked at to know.
func BenchmarkIdle(b *testing.B) {
	for _, agents := range agentCounts {
		b.Run(fmt.Sprintf("agents=%d/frameworks=1000", agents), func(b *testing.B) {
			var s shape
			a := s.cluster(b, agents, 1000)
			for _, g := range a.order {
				r := &refusal{agent: g, resources: g.Total}
				for _, c := range a.clients {
					r.clients.Add(c.index)
					c.refusing++
				}
				g.refusals = append(g.refusals, r)
			}
			b.ReportAllocs()
			for b.Loop() {
				a.epoch++
				if offers := a.Allocate(time.Unix(0, 0), nil); len(offers) > 0 {
					b.Fatal(offers)
				}
			}
		})
	}
}

// BenchmarkDecline is the declining of one offer.
func BenchmarkDecline(b *testing.B) {
	var s shape
	a, now := s.cluster(b, 10_000, 1000), time.Unix(0, 0)
	var offers []Offer
	b.ReportAllocs()
	for b.Loop() {
		if len(offers) == 0 {
			b.StopTimer()
			offers = a.Allocate(now, nil)
			b.StartTimer()
		}
		decline(b, a, now, offers[:1], time.Hour)
		offers = offers[1:]
	}
}

// BenchmarkAddAgents is the adding of all agents to a cluster of frameworks.
// B/agent is what each keeps.
func BenchmarkAddAgents(b *testing.B) {
	for _, n := range agentCounts {
		b.Run(fmt.Sprintf("agents=%d/frameworks=1000", n), func(b *testing.B) {
			var s shape
			b.ReportAllocs()
			var kept uint64
			for b.Loop() {
				b.StopTimer()
				a := s.newAllocator(b)
				s.addFrameworks(b, a, 1000)
				list := s.newAgents(b, n)
				before := heap()
				b.StartTimer()
				addAll(b, a, list)
				b.StopTimer()
				kept += heap() - before
				runtime.KeepAlive(a)
				runtime.KeepAlive(list)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/agent")
			b.ReportMetric(float64(kept)/float64(b.N*n), "B/agent")
		})
	}
}

// BenchmarkAddFrameworks is the adding of all frameworks to a cluster.
func BenchmarkAddFrameworks(b *testing.B) {
	for _, n := range []int{1000, 6000} {
		b.Run(fmt.Sprintf("agents=10000/frameworks=%d", n), func(b *testing.B) {
			var s shape
			b.ReportAllocs()
			list := s.newAgents(b, 10_000)
			var kept uint64
			for b.Loop() {
				b.StopTimer()
				a := s.newAllocator(b)
				addAll(b, a, list)
				before := heap()
				b.StartTimer()
				s.addFrameworks(b, a, n)
				b.StopTimer()
				kept += heap() - before
				runtime.KeepAlive(a)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/framework")
			b.ReportMetric(float64(kept)/float64(b.N*n), "B/framework")
		})
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
