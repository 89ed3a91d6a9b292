package quota

import "mezzo/resources"

// Room is what a role may still be given without its quota or that of others
// being broken.
type Room struct {
	head resources.Amounts   // of what is unreserved, all guarantees being kept
	left []resources.Amounts // under the limits of the role and those above, topmost first
}

// Measure makes r the room of c, free being what is unreserved and unused. If
// guaranteed is set, there is none beyond what is due to c of what is guaranteed.
func (r *Room) Measure(l *Ledger, c *Account, free resources.Amounts, guaranteed bool) {
	r.head = r.head[:0]
	for d := range l.Names {
		due, spare := c.due(d), max(0, free.At(d)-l.root.unmet.At(d))
		if guaranteed && due > 0 {
			spare = 0
		}
		r.head = append(r.head, due.Add(spare))
	}
	for len(r.left) < c.depth {
		r.left = append(r.left, nil)
	}
	r.left = r.left[:c.depth]
	for n := c; n.parent != nil; n = n.parent {
		v := r.left[n.depth-1][:0]
		for d := range l.Names {
			x := resources.Unlimited
			if d < len(n.limit) && n.limit[d] != noLimit {
				x = n.limit[d] - n.consumed.At(d)
			}
			v = append(v, x)
		}
		r.left[n.depth-1] = v
	}
}

// Of is the room in dimension d for what is reserved to a role with so many
// components, 0 standing for the unreserved: limits of the role that it is
// reserved to, and of those above, count it already.
func (r *Room) Of(d, depth int) resources.Scalar {
	x := resources.Unlimited
	if depth == 0 {
		x = r.head.At(d) // what nobody has there is no room for
	}
	for _, v := range r.left[depth:] {
		if d < len(v) {
			x = min(x, v[d])
		}
	}
	return x
}

// Take makes the room less by x.
func (r *Room) Take(d, depth int, x resources.Scalar) {
	if depth == 0 {
		r.head[d] -= x
	}
	for _, v := range r.left[depth:] {
		v[d] -= x
	}
}
