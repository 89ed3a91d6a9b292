package sorter

import (
	"iter"
	"slices"
	"strings"

	"mezzo/resources"
)

// DRF is the Sorter of Dominant Resource Fairness.
type DRF struct {
	totals  *Totals
	root    *node
	clients []*node // by ID; nil where free
	free    []ID
	weights map[string]uint32
	order   iter.Seq[ID] // what Order returns, made once
}

var _ Sorter = (*DRF)(nil)

// NewDRF makes a sorter without clients that takes shares of t.
//
// Ownership: t stays the caller's, who may change it at any time.
func NewDRF(t *Totals) *DRF {
	s := &DRF{totals: t, root: &node{client: none, weight: WeightUnit}, weights: map[string]uint32{}}
	s.order = func(yield func(ID) bool) { s.walk(s.root, yield) }
	return s
}

// Add makes a client. Among equal shares it starts level with the active
// sibling that was charged least often.
//
// Mesos differs: there it starts at zero and, until it has caught up, is
// offered everything before its equals.
func (s *DRF) Add(path string) ID {
	n := s.root
	for part := range strings.SplitSeq(path, "/") {
		if n.leaf() {
			s.descend(n)
		}
		n = s.child(n, part)
	}
	if len(n.children) > 0 {
		n = s.child(n, "")
	}
	if k := len(s.free); k > 0 {
		n.client, s.free = s.free[k-1], s.free[:k-1]
		s.clients[n.client] = n
	} else {
		n.client = ID(len(s.clients))
		s.clients = append(s.clients, n)
	}
	return n.client
}

// child finds or makes the child of n.
func (s *DRF) child(n *node, name string) *node {
	if c := n.children[name]; c != nil {
		return c
	}
	c := &node{name: name, path: n.path, parent: n, depth: n.depth + 1, client: none, weight: WeightUnit}
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
		n.children = map[string]*node{}
	}
	n.children[name] = c
	return c
}

// descend turns the leaf n into an inner node with the client below it.
func (s *DRF) descend(n *node) {
	c := s.child(n, "")
	c.client, n.client = n.client, none
	c.charged, c.share, c.times = slices.Clone(n.charged), n.share, n.times
	s.clients[c.client] = c
	if n.active {
		c.active = true
		n.order = append(n.order, c)
	}
}

// Remove forgets a client and what it is still charged.
func (s *DRF) Remove(id ID) {
	n := s.clients[id]
	s.setActive(n, false)
	for up := n.parent; up != nil; up = up.parent {
		s.change(up, func() {
			for d, amount := range n.charged {
				up.charged[d] -= amount
			}
		})
	}
	s.clients[id], n.client = nil, none
	s.free = append(s.free, id)
	for ; n.parent != nil && len(n.children) == 0; n = n.parent {
		delete(n.parent.children, n.name)
	}
}

// SetActive puts a client in the order or leaves it out.
func (s *DRF) SetActive(id ID, on bool) { s.setActive(s.clients[id], on) }

func (s *DRF) setActive(n *node, on bool) {
	p := n.parent
	switch {
	case n.active == on:
		return
	case p == nil:
	case !on:
		i := p.index(n, s.fresh(p))
		p.order = slices.Delete(p.order, i, i+1)
	case s.fresh(p):
		n.share = dominant(n.charged, s.totals.amounts)
		p.order = slices.Insert(p.order, p.index(n, true), n)
	default:
		p.order = append(p.order, n)
	}
	n.active = on
	if p != nil {
		s.setActive(p, len(p.order) > 0)
	}
}

// SetWeight sets the weight of the node at path.
func (s *DRF) SetWeight(path string, weight uint32) {
	s.weights[path] = weight
	if n := s.find(path); n != nil {
		s.change(n, func() { n.weight = weight })
	}
}

// Charge counts q against a client and all above it.
func (s *DRF) Charge(id ID, q resources.Quantities) { s.charge(id, q, 1) }

// Refund gives back what was charged.
func (s *DRF) Refund(id ID, q resources.Quantities) { s.charge(id, q, -1) }

func (s *DRF) charge(id ID, q resources.Quantities, sign resources.Scalar) {
	for n := s.clients[id]; n != nil; n = n.parent {
		s.change(n, func() {
			for _, v := range q {
				d := s.totals.dimension(v.Name)
				if d < 0 {
					continue
				}
				for len(n.charged) <= d {
					n.charged = append(n.charged, 0)
				}
				n.charged[d] += sign * v.Amount
			}
			if sign > 0 {
				n.times++
			}
		})
	}
}

// change applies f to n, renews its share, and moves it to its place.
func (s *DRF) change(n *node, f func()) {
	p := n.parent
	if p == nil || !n.active || !s.fresh(p) {
		f()
		return
	}
	from := p.index(n, true)
	f()
	n.share = dominant(n.charged, s.totals.amounts)
	p.move(from)
}

// Order iterates over the active clients, the least served first.
func (s *DRF) Order() iter.Seq[ID] { return s.order }

func (s *DRF) walk(n *node, yield func(ID) bool) bool {
	if !s.fresh(n) {
		s.resort(n)
	}
	for _, c := range n.order {
		if c.leaf() {
			if !yield(c.client) {
				return false
			}
		} else if !s.walk(c, yield) {
			return false
		}
	}
	return true
}

func (s *DRF) fresh(n *node) bool { return n.version == s.totals.version }

// resort orders the children of n by the totals as they are now.
func (s *DRF) resort(n *node) {
	for _, c := range n.order {
		c.share = dominant(c.charged, s.totals.amounts)
	}
	slices.SortFunc(n.order, compare)
	n.version = s.totals.version
}

// Tied tells whether the shares of two active clients are equal where their
// paths part.
func (s *DRF) Tied(a, b ID) bool {
	m, n := s.clients[a], s.clients[b]
	for m.depth > n.depth {
		m = m.parent
	}
	for n.depth > m.depth {
		n = n.parent
	}
	for m.parent != n.parent {
		m, n = m.parent, n.parent
	}
	if m == n {
		return true
	}
	if !s.fresh(m.parent) {
		s.resort(m.parent)
	}
	return m.share.compareWeighted(m.weight, n.share, n.weight) == 0
}

// Dominant tells the share of the node at path: used and total of its
// dominant resource, or 0 and 0.
func (s *DRF) Dominant(path string) (used, total resources.Scalar) {
	n := s.find(path)
	if n == nil {
		return 0, 0
	}
	d := dominant(n.charged, s.totals.amounts)
	return resources.Scalar(d.used), resources.Scalar(d.total)
}

func (s *DRF) find(path string) *node {
	n := s.root
	for part := range strings.SplitSeq(path, "/") {
		if n = n.children[part]; n == nil {
			return nil
		}
	}
	return n
}
