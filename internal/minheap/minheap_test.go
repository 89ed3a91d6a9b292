package minheap

// Goal: values come out in order, whatever went in and was filtered out.
// Method: a rapid state machine against a sorted slice.

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAgainstSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := New(func(a, b *int) bool { return *a < *b })
		var want []int
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				v := rapid.IntRange(0, 20).Draw(t, "v")
				h.Push(v)
				want = append(want, v)
				slices.Sort(want)
			},
			"pop": func(t *rapid.T) {
				if len(want) == 0 {
					t.Skip()
				}
				if got := h.Pop(); got != want[0] {
					t.Fatalf("popped %d, want %d", got, want[0])
				}
				want = want[1:]
			},
			"filter": func(t *rapid.T) {
				odd := rapid.IntRange(2, 5).Draw(t, "odd")
				h.Filter(func(v *int) bool { return *v%odd != 0 })
				want = slices.DeleteFunc(want, func(v int) bool { return v%odd == 0 })
			},
			"": func(t *rapid.T) {
				if h.Len() != len(want) || len(h.All()) != len(want) {
					t.Fatalf("has %d values, want %d", h.Len(), len(want))
				}
				if m := h.Min(); (m == nil) != (len(want) == 0) || m != nil && *m != want[0] {
					t.Fatalf("least is %v of %v", m, want)
				}
			},
		})
	})
}
