package sorter

import (
	"iter"
	"math/rand/v2"
	"slices"
)

// Random is the Sorter that draws lots, anew for each Order: of siblings, one
// of twice the weight comes first twice as often. Shares are kept and shown,
// but decide nothing.
type Random[T any] struct {
	*DRF[T]
	rand *rand.Rand
}

var _ Sorter[int] = Random[int]{}

// NewRandom makes a sorter without clients.
//
// Ownership: t and r stay the caller's.
func NewRandom[T any](t *Totals, r *rand.Rand) Random[T] { return Random[T]{NewDRF[T](t), r} }

// Order iterates over the active clients in an order drawn by lot.
func (s Random[T]) Order() iter.Seq[T] {
	return func(yield func(T) bool) { s.draw(s.root, yield) }
}

// Tied is always true: before the lot all are equal.
func (s Random[T]) Tied(_, _ *Node[T]) bool { return true }

func (s Random[T]) draw(n *Node[T], yield func(T) bool) bool {
	left, total := slices.Clone(n.order), uint64(0)
	for _, c := range left {
		total += uint64(c.weight)
	}
	for len(left) > 0 {
		i, at := 0, s.rand.Uint64N(total)
		for ; at >= uint64(left[i].weight); i++ {
			at -= uint64(left[i].weight)
		}
		c := left[i]
		total -= uint64(c.weight)
		left = slices.Delete(left, i, i+1)
		if c.leaf && !yield(c.client) || !c.leaf && !s.draw(c, yield) {
			return false
		}
	}
	return true
}
