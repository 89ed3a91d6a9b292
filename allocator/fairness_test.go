package allocator

// Goal: who goes on taking what is offered ends up with what Dominant Resource
// Fairness gives, and nobody waits forever. Method: frameworks that always want
// one more task, against the ideal worked out from the paper's equations; crowds
// that decline everything.

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mezzo/api/ids"
	"mezzo/resources"
)

func newAllocator(t *rapid.T, cfg Config) *Allocator {
	cfg.SetDefaults()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// demand is what each task of a framework takes.
type demand struct{ cpus, mem float64 }

func (d demand) resources() resources.Resources {
	return resources.MustParse(fmt.Sprintf("cpus:%v;mem:%v", d.cpus, d.mem))
}

// TestNearIdeal holds the allocator to the equal dominant share of Ghodsi et al.
// (NSDI 2011, section 4.1), which tasks that can't be divided miss by little.
func TestNearIdeal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := demand{float64(rapid.IntRange(40, 200).Draw(t, "cpus")), float64(rapid.IntRange(40, 200).Draw(t, "mem"))}
		a, now := newAllocator(t, Config{WholeAgents: true, MinAllocatable: resources.Alternatives{}}), time.Unix(0, 0)
		must(t, a.AddAgent(Agent{ID: "n", Total: total.resources()}, nil))
		wants := map[ids.FrameworkID]demand{}
		weights := map[ids.FrameworkID]float64{}
		for i := range rapid.IntRange(2, 5).Draw(t, "frameworks") {
			id := ids.FrameworkID(fmt.Sprint("f", i))
			wants[id] = demand{float64(rapid.IntRange(1, 5).Draw(t, "cpus")), float64(rapid.IntRange(1, 5).Draw(t, "mem"))}
			weight := rapid.SampledFrom([]uint32{1000, 1000, 2000, 500}).Draw(t, "weight")
			weights[id] = float64(weight) / 1000
			must(t, a.SetWeight("r-"+string(id), weight))
			must(t, a.AddFramework(Framework{ID: id, Roles: []string{"r-" + string(id)}}))
		}
		tasks := map[ids.FrameworkID]float64{}
		for {
			offers := a.Allocate(now, nil)
			if len(offers) == 0 {
				break
			}
			o := offers[0]
			rest, refuse := o.Resources, time.Hour
			if left, ok := o.Resources.Sub(wants[o.Framework].resources().Allocated(o.Role)); ok {
				rest, refuse = left, 0
				tasks[o.Framework]++
			}
			must(t, a.Release(now, Release{o.Framework, o.Agent, rest, refuse}))
		}
		must(t, a.Check())
		// At the ideal all dominant shares over weight are level, and the level is
		// as high as the scarcest resource lets it be. What ends it here is that
		// the next task of the one who has least does not fit, when the others
		// are above it by a task each, at most.
		dominant := func(id ids.FrameworkID) float64 {
			return max(wants[id].cpus/total.cpus, wants[id].mem/total.mem) / weights[id]
		}
		level, slack := math.Inf(1), 0.0
		for _, of := range []func(demand) float64{func(d demand) float64 { return d.cpus }, func(d demand) float64 { return d.mem }} {
			var perLevel, oneEach, largest float64
			for id, d := range wants {
				perLevel += of(d) / dominant(id)
				oneEach += of(d)
				largest = max(largest, of(d))
			}
			level, slack = min(level, of(total)/perLevel), max(slack, (oneEach+largest)/perLevel)
		}
		for id := range wants {
			if got := tasks[id] * dominant(id); got < level-slack-1e-9 {
				t.Fatalf("framework %s is at %v with %v tasks, the ideal is %v, less %v for what can't be divided", id, got, tasks[id], level, slack)
			}
		}
	})
}

// TestNobodyStarves: among those who decline everything, without refusing it,
// each comes round as soon as the others have.
func TestNobodyStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Bool().Draw(t, "whole agents")
		a, now := newAllocator(t, Config{WholeAgents: whole, Seed: rapid.Uint64().Draw(t, "seed")}), time.Unix(0, 0)
		agents, frameworks := rapid.IntRange(1, 8).Draw(t, "agents"), rapid.IntRange(1, 30).Draw(t, "frameworks")
		for i := range agents {
			must(t, a.AddAgent(Agent{ID: ids.AgentID(fmt.Sprint("n", i)), Total: resources.MustParse("cpus:8;mem:8192")}, nil))
		}
		for i := range frameworks {
			must(t, a.AddFramework(Framework{ID: ids.FrameworkID(fmt.Sprint("f", i)), Roles: []string{"r"}}))
		}
		perCycle := agents
		if !whole {
			perCycle = min(frameworks, agents*8)
		}
		seen := map[ids.FrameworkID]bool{}
		for range (frameworks + perCycle - 1) / perCycle {
			for _, o := range a.Allocate(now, nil) {
				seen[o.Framework] = true
				must(t, a.Release(now, Release{o.Framework, o.Agent, o.Resources, 0}))
			}
		}
		if len(seen) != frameworks {
			t.Fatalf("%d of %d frameworks were offered something", len(seen), frameworks)
		}
	})
}
