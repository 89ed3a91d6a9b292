package allocator

import (
	"fmt"
	"testing"
	"time"

	"mezzo/api/ids"
	"mezzo/resources"
)

// cluster is agents of different sizes and frameworks in so many roles.
func cluster(b *testing.B, agents, frameworks, roles int) *Allocator {
	var cfg Config
	cfg.SetDefaults()
	a, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	for i := range frameworks {
		role := fmt.Sprintf("r%d/s%d", i%roles/10, i%roles)
		if err := a.AddFramework(Framework{ID: ids.FrameworkID(fmt.Sprintf("f-%04d", i)), Roles: []string{role}}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range agents {
		total := resources.MustParse(fmt.Sprintf("cpus:%d;disk:4096;mem:%d;ports:[31000-32000]", 24+i%3*8, 4096+i%5*1024))
		if err := a.AddAgent(Agent{ID: ids.AgentID(fmt.Sprintf("n-%05d", i)), Total: total}, nil); err != nil {
			b.Fatal(err)
		}
	}
	return a
}

var sizes = []struct{ agents, frameworks int }{{1000, 100}, {10_000, 1000}}

func eachSize(b *testing.B, run func(b *testing.B, agents, frameworks, roles int)) {
	for _, s := range sizes {
		for _, roles := range []int{1, 100} {
			b.Run(fmt.Sprintf("agents=%d/frameworks=%d/roles=%d", s.agents, s.frameworks, roles), func(b *testing.B) {
				b.ReportAllocs()
				run(b, s.agents, s.frameworks, roles)
			})
		}
	}
}

// BenchmarkCycle is a cycle that offers all agents. Giving back what was
// offered is not counted.
func BenchmarkCycle(b *testing.B) {
	eachSize(b, func(b *testing.B, agents, frameworks, roles int) {
		a := cluster(b, agents, frameworks, roles)
		now := time.Unix(0, 0)
		for b.Loop() {
			offers := a.Allocate(now, nil)
			b.StopTimer()
			decline(b, a, now, offers, 0, agents)
			b.StartTimer()
		}
	})
}

// BenchmarkDeclining is a cycle and the declining of all its offers, each for
// an hour, so that each next cycle has to look further for somebody.
func BenchmarkDeclining(b *testing.B) {
	eachSize(b, func(b *testing.B, agents, frameworks, roles int) {
		a := cluster(b, agents, frameworks, roles)
		now := time.Unix(0, 0)
		for b.Loop() {
			decline(b, a, now, a.Allocate(now, nil), time.Hour, agents)
		}
	})
}

// BenchmarkRefused is a cycle in which all frameworks refuse all agents, but
// something changed that might have given hope.
func BenchmarkRefused(b *testing.B) {
	eachSize(b, func(b *testing.B, agents, frameworks, roles int) {
		a := cluster(b, agents, frameworks, roles)
		for _, g := range a.order {
			r := &refusal{agent: g, resources: g.Total}
			for _, c := range a.clients {
				r.clients.Add(c.index)
				c.refusing++
			}
			g.refusals = append(g.refusals, r)
		}
		for b.Loop() {
			a.epoch++
			if offers := a.Allocate(time.Unix(0, 0), nil); len(offers) > 0 {
				b.Fatal(offers)
			}
		}
	})
}

// BenchmarkAddAgents is the adding of all agents to a cluster of frameworks.
func BenchmarkAddAgents(b *testing.B) {
	eachSize(b, func(b *testing.B, agents, frameworks, roles int) {
		a := cluster(b, 0, frameworks, roles)
		total := resources.MustParse("cpus:24;disk:4096;mem:4096;ports:[31000-32000]")
		for b.Loop() {
			for i := range agents {
				if err := a.AddAgent(Agent{ID: ids.AgentID(fmt.Sprint(i)), Total: total}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			for i := range agents {
				if err := a.RemoveAgent(ids.AgentID(fmt.Sprint(agents - 1 - i))); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
		}
	})
}

func decline(b *testing.B, a *Allocator, now time.Time, offers []Offer, refuse time.Duration, want int) {
	if len(offers) != want {
		b.Fatalf("%d offers, want %d", len(offers), want)
	}
	for _, o := range offers {
		if err := a.Release(now, Release{o.Framework, o.Agent, o.Resources, refuse}); err != nil {
			b.Fatal(err)
		}
	}
}
