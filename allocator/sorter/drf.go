package sorter

import (
	"iter"
	"slices"
	"strings"

	"mezzo/resources"
)

// DRF is the Sorter of Dominant Resource Fairness.
type DRF[T any] struct {
	totals  *Totals
	root    *Node[T]
	weights map[string]uint32
	order   iter.Seq[T] // what Order returns, made once
}

var _ Sorter[int] = (*DRF[int])(nil)

// NewDRF makes a sorter without clients that takes shares of t.
//
// Ownership: t stays the caller's, who may change it at any time.
func NewDRF[T any](t *Totals) *DRF[T] {
	s := &DRF[T]{totals: t, root: &Node[T]{weight: WeightUnit}, weights: map[string]uint32{}}
	s.order = func(yield func(T) bool) { s.walk(s.root, yield) }
	return s
}

// Add makes a client. Among equal shares it starts level with the active
// sibling that was charged least often.
//
// Mesos differs: there it starts at zero and, until it has caught up, is
// offered everything before its equals.
func (s *DRF[T]) Add(path string, client T) *Node[T] {
	n := s.root
	for part := range strings.SplitSeq(path, "/") {
		if n.leaf {
			n = s.descend(n)
		}
		n = s.child(n, part)
	}
	if len(n.children) > 0 {
		n = s.child(n, "")
	}
	n.leaf, n.client = true, client
	return n
}

// child finds or makes the child of n.
func (s *DRF[T]) child(n *Node[T], name string) *Node[T] {
	if c := n.children[name]; c != nil {
		return c
	}
	c := &Node[T]{name: name, path: n.path, parent: n, depth: n.depth + 1, weight: WeightUnit}
	if name != "" {
		if n != s.root {
			c.path += "/"
		}
		c.path += name
		if w := s.weights[c.path]; w != 0 {
			c.weight = w
		}
	}
	for i, sibling := range n.order {
		if i == 0 || sibling.times < c.times {
			c.times = sibling.times
		}
	}
	if n.children == nil {
		n.children = map[string]*Node[T]{}
	}
	n.children[name] = c
	return c
}

// descend puts a node above the leaf n, in its place, and returns it.
func (s *DRF[T]) descend(n *Node[T]) *Node[T] {
	up := *n
	up.leaf, up.client, up.charged = false, *new(T), slices.Clone(n.charged)
	up.children = map[string]*Node[T]{"": n}
	n.parent.children[n.name] = &up
	if n.active {
		n.parent.order[slices.Index(n.parent.order, n)] = &up
		up.order = []*Node[T]{n}
	}
	n.name, n.parent, n.depth, n.weight = "", &up, n.depth+1, WeightUnit
	return &up
}

// Remove forgets a client and what it is still charged.
func (s *DRF[T]) Remove(n *Node[T]) {
	s.SetActive(n, false)
	for up := n.parent; up != nil; up = up.parent {
		s.change(up, func() {
			for d, amount := range n.charged {
				up.charged[d] -= amount
			}
		})
	}
	for n.leaf = false; n.parent != nil && len(n.children) == 0; n = n.parent {
		delete(n.parent.children, n.name)
	}
}

// SetActive puts a client in the order or leaves it out.
func (s *DRF[T]) SetActive(n *Node[T], on bool) {
	p := n.parent
	switch {
	case n.active == on:
		return
	case p == nil:
	case !on:
		i := p.index(n, s.fresh(p))
		p.order = slices.Delete(p.order, i, i+1)
	case s.fresh(p):
		n.share = s.totals.share(n.charged)
		p.order = slices.Insert(p.order, p.index(n, true), n)
	default:
		p.order = append(p.order, n)
	}
	n.active = on
	if p != nil {
		s.SetActive(p, len(p.order) > 0)
	}
}

// SetWeight sets the weight of the node at path.
func (s *DRF[T]) SetWeight(path string, weight uint32) {
	s.weights[path] = weight
	if n := s.find(path); n != nil {
		s.change(n, func() { n.weight = weight })
	}
}

// Charge counts q against a client and all above it.
func (s *DRF[T]) Charge(n *Node[T], q resources.Quantities) { s.charge(n, q, 1) }

// Refund gives back what was charged.
func (s *DRF[T]) Refund(n *Node[T], q resources.Quantities) { s.charge(n, q, -1) }

func (s *DRF[T]) charge(n *Node[T], q resources.Quantities, sign resources.Scalar) {
	for ; n != nil; n = n.parent {
		s.change(n, func() {
			s.totals.count(&n.charged, q, sign)
			if sign > 0 {
				n.times++
			}
		})
	}
}

// change applies f to n, renews its share, and moves it to its place.
func (s *DRF[T]) change(n *Node[T], f func()) {
	p := n.parent
	if p == nil || !n.active || !s.fresh(p) {
		f()
		return
	}
	from := p.index(n, true)
	f()
	n.share = s.totals.share(n.charged)
	p.move(from)
}

// Order iterates over the active clients, the least served first.
func (s *DRF[T]) Order() iter.Seq[T] { return s.order }

func (s *DRF[T]) walk(n *Node[T], yield func(T) bool) bool {
	s.freshen(n)
	for _, c := range n.order {
		if c.leaf {
			if !yield(c.client) {
				return false
			}
		} else if !s.walk(c, yield) {
			return false
		}
	}
	return true
}

func (s *DRF[T]) fresh(n *Node[T]) bool { return n.version == s.totals.version }

// freshen orders the children of n by the totals as they are now.
func (s *DRF[T]) freshen(n *Node[T]) {
	if s.fresh(n) {
		return
	}
	for _, c := range n.order {
		c.share = s.totals.share(c.charged)
	}
	slices.SortFunc(n.order, compare)
	n.version = s.totals.version
}

// Tied tells whether the shares of two active clients are equal where their
// paths part.
func (s *DRF[T]) Tied(a, b *Node[T]) bool {
	for a.depth > b.depth {
		a = a.parent
	}
	for b.depth > a.depth {
		b = b.parent
	}
	for a.parent != b.parent {
		a, b = a.parent, b.parent
	}
	if a == b {
		return true
	}
	s.freshen(a.parent)
	return a.share.CompareWeighted(a.weight, b.share, b.weight) == 0
}

// Dominant tells the share of the node at path.
func (s *DRF[T]) Dominant(path string) Share {
	n := s.find(path)
	if n == nil {
		return Share{}
	}
	d, part := s.totals.dominant(n.charged)
	if d < 0 {
		return Share{}
	}
	return Share{s.totals.names[d], resources.Scalar(part.Num), resources.Scalar(part.Den)}
}

func (s *DRF[T]) find(path string) *Node[T] {
	n := s.root
	for part := range strings.SplitSeq(path, "/") {
		if n = n.children[part]; n == nil {
			return nil
		}
	}
	return n
}
