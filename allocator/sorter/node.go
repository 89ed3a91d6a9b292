package sorter

import (
	"cmp"
	"slices"

	"mezzo/internal/ratio"
	"mezzo/internal/slots"
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
	slots    slots.Slots[*Node[T]] // the children again
	slot     int32                 // of its parent's
	leaf     bool
	client   T // of a leaf

	active bool
	order  []int32 // slots of the active children: what has no pointers moves fast
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

// place puts c below n.
func (n *Node[T]) place(c *Node[T]) {
	if n.children == nil {
		n.children = map[string]*Node[T]{}
	}
	n.children[c.name], c.parent, c.slot = c, n, n.slots.Add(c)
}

// search finds where c is, or would be, in a part of the order.
func (n *Node[T]) search(order []int32, c *Node[T]) int {
	i, _ := slices.BinarySearchFunc(order, c, func(slot int32, c *Node[T]) int { return compare(n.slots.At(slot), c) })
	return i
}

// index finds the active child c.
func (n *Node[T]) index(c *Node[T], fresh bool) int {
	if fresh {
		return n.search(n.order, c)
	}
	return slices.Index(n.order, c.slot)
}

// move brings the child at from, the only one out of place, to its place.
func (n *Node[T]) move(from int) {
	c := n.slots.At(n.order[from])
	if by := n.search(n.order[from+1:], c); by > 0 {
		copy(n.order[from:], n.order[from+1:from+1+by])
		n.order[from+by] = c.slot
		return
	}
	to := n.search(n.order[:from], c)
	copy(n.order[to+1:from+1], n.order[to:from])
	n.order[to] = c.slot
}
