package slots

// Goal: each value keeps its number, no number is given twice at a time. Method:
// random histories against a map.

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Slots[string]
		have := map[int32]string{}
		most := 0
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			v := rapid.StringN(1, 3, -1).Draw(t, "value")
			switch n := rapid.IntRange(0, 4).Draw(t, "step"); {
			case n < 2 || len(have) == 0:
				i := s.Add(v)
				if _, taken := have[i]; taken {
					t.Fatalf("%d is given twice", i)
				}
				have[i] = v
			default:
				var numbers []int32
				for i := range s.All() {
					if _, ok := have[int32(i)]; ok {
						numbers = append(numbers, int32(i))
					}
				}
				i := rapid.SampledFrom(numbers).Draw(t, "number")
				if n == 2 {
					s.Set(i, v)
					have[i] = v
				} else {
					s.Remove(i)
					delete(have, i)
				}
			}
			most = max(most, len(have))
			for i, v := range s.All() {
				if v != have[int32(i)] || s.At(int32(i)) != v {
					t.Fatalf("%d is %q, want %q", i, v, have[int32(i)])
				}
			}
			if len(s.All()) > most {
				t.Fatalf("%d numbers for %d values at most", len(s.All()), most)
			}
		}
	})
}
