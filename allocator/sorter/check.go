package sorter

import (
	"fmt"
	"slices"

	"mezzo/internal/errs"
	"mezzo/resources"
)

// Check verifies the invariants; what it finds is errs.Corrupt.
func (s *DRF[T]) Check(charged func(T) resources.Quantities) error {
	return s.check(s.root, charged)
}

func (s *DRF[T]) check(n *Node[T], charged func(T) resources.Quantities) error {
	var sum resources.Amounts
	active := n.leaf && n.active
	if n.leaf {
		s.totals.count(&sum, charged(n.client), 1)
	}
	for _, c := range n.children {
		if err := s.check(c, charged); err != nil {
			return err
		}
		for d, amount := range c.charged {
			sum.Add(d, amount)
		}
		if active = active || c.active; c.active != slices.Contains(n.order, c.slot) || c.parent != n || n.slots.At(c.slot) != c {
			return fmt.Errorf("node %q is active: %t, but not so in the order: %w", c.path, c.active, errs.Corrupt)
		}
	}
	for d := range max(len(sum), len(n.charged)) {
		if sum.At(d) != n.charged.At(d) {
			return fmt.Errorf("node %q is charged %v, those below it %v: %w", n.path, n.charged, sum, errs.Corrupt)
		}
	}
	if n.active != active && n.parent != nil || n.leaf && len(n.children) > 0 || s.fresh(n) && !slices.IsSortedFunc(n.order, func(a, b int32) int { return compare(n.slots.At(a), n.slots.At(b)) }) {
		return fmt.Errorf("node %q: active: %t, should be %t; its children may be out of order: %w", n.path, n.active, active, errs.Corrupt)
	}
	return nil
}
