package bitset

// Goal: a Set is a set. Method: a rapid state machine against a map.

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, o Set
		m := map[int32]bool{}
		for _, i := range rapid.SliceOf(rapid.Int32Range(0, 200)).Draw(t, "in") {
			s.Add(i)
			m[i] = true
		}
		for _, i := range rapid.SliceOf(rapid.Int32Range(0, 300)).Draw(t, "out") {
			if i%2 == 0 {
				s.Remove(i)
			} else {
				o.Add(i)
			}
			delete(m, i)
		}
		s.RemoveAll(o)
		if s.Len() != len(m) || s.IsEmpty() != (len(m) == 0) {
			t.Fatalf("has %d, empty: %t, want %d", s.Len(), s.IsEmpty(), len(m))
		}
		for i := range int32(400) {
			if s.Has(i) != m[i] {
				t.Fatalf("has %d: %t", i, s.Has(i))
			}
		}
	})
}
