package sorter

import (
	"iter"
	"math/rand/v2"
	"slices"
)

// Random is the Sorter that draws lots, anew for each Order: of siblings, one
// of twice the weight comes first twice as often. Shares are kept and shown,
// but decide nothing.
type Random struct {
	*DRF
	rand  *rand.Rand
	even  bool // nobody was given a weight
	order iter.Seq[ID]
}

var _ Sorter = (*Random)(nil)

// NewRandom makes a sorter without clients.
//
// Ownership: t and r stay the caller's.
func NewRandom(t *Totals, r *rand.Rand) *Random {
	s := &Random{DRF: NewDRF(t), rand: r, even: true}
	s.order = func(yield func(ID) bool) { s.draw(s.root, yield) }
	return s
}

// Order iterates over the active clients in an order drawn by lot.
func (s *Random) Order() iter.Seq[ID] { return s.order }

// Tied is always true: before the lot all are equal.
func (s *Random) Tied(_, _ ID) bool { return true }

// SetWeight sets the weight of the node at path.
func (s *Random) SetWeight(path string, weight uint32) {
	s.even = false
	s.DRF.SetWeight(path, weight)
}

func (s *Random) draw(n *node, yield func(ID) bool) bool {
	left, total := slices.Clone(n.order), uint64(0)
	for _, c := range left {
		total += uint64(c.weight)
	}
	for len(left) > 0 {
		i := s.lot(left, total)
		c, last := left[i], len(left)-1
		total -= uint64(c.weight)
		left[i] = left[last]
		left = left[:last]
		if c.leaf() {
			if !yield(c.client) {
				return false
			}
		} else if !s.draw(c, yield) {
			return false
		}
	}
	return true
}

// lot draws the position of one of nodes, whose weights sum up to total.
func (s *Random) lot(nodes []*node, total uint64) int {
	at := s.rand.Uint64N(total)
	if i := int(at / uint64(nodes[0].weight)); i < len(nodes) && s.even {
		return i
	}
	for i, n := range nodes {
		if at < uint64(n.weight) {
			return i
		}
		at -= uint64(n.weight)
	}
	return len(nodes) - 1
}
