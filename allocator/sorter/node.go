package sorter

import (
	"cmp"
	"slices"

	"mezzo/internal/ratio"
	"mezzo/resources"
)

// Node is a component of a path. A client whose path is above others' gets a
// child of its own with the name "", so that only leaves are clients.
type Node[T any] struct {
	name     string
	path     string // that of the parent if the name is ""
	parent   *Node[T]
	depth    int // of the root: 0
	children map[string]*Node[T]
	leaf     bool
	client   T // of a leaf

	active bool
	order  []*Node[T] // active children
	// version of the Totals by which order and the children's shares are made.
	// Another than the present one: order is in no order, shares are wrong.
	version uint64

	weight  uint32
	charged resources.Amounts // by dimension of the Totals
	share   ratio.Ratio       // the dominant one of charged
	times   uint64            // how often it was charged
}

// compare orders siblings.
func compare[T any](a, b *Node[T]) int {
	if c := a.share.CompareWeighted(a.weight, b.share, b.weight); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.times, b.times), cmp.Compare(a.name, b.name))
}

// index finds the active child c.
func (n *Node[T]) index(c *Node[T], fresh bool) int {
	if fresh {
		i, _ := slices.BinarySearchFunc(n.order, c, compare)
		return i
	}
	return slices.Index(n.order, c)
}

// move brings the child at from, the only one out of place, to its place.
func (n *Node[T]) move(from int) {
	c := n.order[from]
	if by, _ := slices.BinarySearchFunc(n.order[from+1:], c, compare); by > 0 {
		copy(n.order[from:], n.order[from+1:from+1+by])
		n.order[from+by] = c
		return
	}
	to, _ := slices.BinarySearchFunc(n.order[:from], c, compare)
	copy(n.order[to+1:from+1], n.order[to:from])
	n.order[to] = c
}
