package sorter

// Goal: lots are fair: who has twice the weight comes first twice as often, at
// each level of the tree, and everybody active comes once. Method: many draws of
// one seed.

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRandomDrawsByWeight(t *testing.T) {
	s := NewRandom[string](NewTotals(), rand.New(rand.NewPCG(1, 2)))
	paths := []string{"a", "b/x", "b/y", "c"}
	for _, p := range paths {
		s.SetActive(s.Add(p, p), true)
	}
	s.SetActive(s.Add("d", "d"), false)
	s.SetWeight("b", 2*WeightUnit)
	s.SetWeight("b/x", 3*WeightUnit)
	first := map[string]int{}
	const draws = 40_000
	for range draws {
		got := slices.Collect(s.Order())
		first[got[0]]++
		slices.Sort(got)
		if !slices.Equal(got, paths) {
			t.Fatalf("drew %v", got)
		}
	}
	// b is first in 2 of 4 draws, of which b/x has 3 of 4.
	for path, want := range map[string]float64{"a": 0.25, "b/x": 0.375, "b/y": 0.125, "c": 0.25} {
		if got := float64(first[path]) / draws; got < want-0.01 || got > want+0.01 {
			t.Errorf("%s is first in %.3f of all draws, want %.3f", path, got, want)
		}
	}
}

func TestRandomIsSeeded(t *testing.T) {
	order := func() (out []string) {
		s := NewRandom[string](NewTotals(), rand.New(rand.NewPCG(7, 0)))
		for _, p := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			s.SetActive(s.Add(p, p), true)
		}
		for range 5 {
			out = slices.AppendSeq(out, s.Order())
		}
		return out
	}
	if a, b := order(), order(); !slices.Equal(a, b) {
		t.Errorf("one seed gives %v and %v", a, b)
	}
}
