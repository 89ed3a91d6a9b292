package sorter

import "math/rand/v2"

// Random is the Sorter that draws lots, anew for each Order: of siblings, one
// of twice the weight comes first twice as often. Shares are kept and shown,
// but decide nothing.
type Random[T any] struct {
	*DRF[T]
	rand *rand.Rand
	lots []*Node[T] // of the nodes being drawn from, the root's first
}

var _ Sorter[int] = (*Random[int])(nil)

// NewRandom makes a sorter without clients.
//
// Ownership: t and r stay the caller's.
func NewRandom[T any](t *Totals, r *rand.Rand) *Random[T] {
	s := &Random[T]{DRF: NewDRF[T](t), rand: r}
	s.order = func(yield func(T) bool) { s.draw(s.root, yield) }
	return s
}

// Tied is always true: before the lot all are equal.
func (s *Random[T]) Tied(_, _ *Node[T]) bool { return true }

func (s *Random[T]) draw(n *Node[T], yield func(T) bool) bool {
	first, total := len(s.lots), uint64(0)
	s.lots = append(s.lots, n.order...)
	defer func() { s.lots = s.lots[:first] }()
	for _, c := range n.order {
		total += uint64(c.weight)
	}
	for left := len(n.order); left > 0; left-- {
		i, at := first, s.rand.Uint64N(total)
		for ; at >= uint64(s.lots[i].weight); i++ {
			at -= uint64(s.lots[i].weight)
		}
		c := s.lots[i]
		total -= uint64(c.weight)
		s.lots[i] = s.lots[first+left-1]
		if c.leaf && !yield(c.client) || !c.leaf && !s.draw(c, yield) {
			return false
		}
	}
	return true
}
