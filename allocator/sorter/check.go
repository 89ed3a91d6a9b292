package sorter

import (
	"fmt"
	"slices"

	"mezzo/internal/errs"
	"mezzo/resources"
)

// Check verifies the invariants of the package comment, and that each client
// is charged what charged says.
//
// Errors: errs.Corrupt naming the node.
func (s *DRF) Check(charged func(ID) resources.Quantities) error {
	for id, n := range s.clients {
		if n == nil {
			continue
		}
		want := make([]resources.Scalar, len(n.charged))
		for _, q := range charged(ID(id)) {
			if d := s.totals.dimension(q.Name); d >= 0 {
				want = append(want, make([]resources.Scalar, max(0, d+1-len(want)))...)
				want[d] = q.Amount
			}
		}
		if n.client != ID(id) || len(n.children) > 0 || !slices.Equal(n.charged, want) {
			return fmt.Errorf("client %d at %q: has the id %d, %d children, is charged %v for %v: %w",
				id, n.path, n.client, len(n.children), n.charged, want, errs.Corrupt)
		}
	}
	return s.check(s.root)
}

func (s *DRF) check(n *node) error {
	sum := make([]resources.Scalar, len(s.totals.names))
	actives := 0
	for _, c := range n.children {
		if err := s.check(c); err != nil {
			return err
		}
		for d, amount := range c.charged {
			sum[d] += amount
		}
		if c.active {
			actives++
		}
		if c.active != slices.Contains(n.order, c) {
			return fmt.Errorf("node %q is active: %t, but not so in the order: %w", c.path, c.active, errs.Corrupt)
		}
	}
	charged := make([]resources.Scalar, len(sum))
	copy(charged, n.charged)
	switch {
	case actives != len(n.order):
		return fmt.Errorf("node %q orders %d children of %d active: %w", n.path, len(n.order), actives, errs.Corrupt)
	case n.leaf():
		return nil
	case n.active != (actives > 0):
		return fmt.Errorf("node %q is active: %t, with %d active children: %w", n.path, n.active, actives, errs.Corrupt)
	case !slices.Equal(charged, sum):
		return fmt.Errorf("node %q is charged %v, its children %v: %w", n.path, charged, sum, errs.Corrupt)
	case s.fresh(n) && !slices.IsSortedFunc(n.order, compare):
		return fmt.Errorf("children of %q are out of order: %w", n.path, errs.Corrupt)
	}
	return nil
}
