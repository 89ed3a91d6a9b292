package resources

import (
	"iter"
	"slices"
)

// Resources is a bag of resources. The zero value is empty. See the package
// comment for its invariants.
type Resources struct{ items []Resource }

// collect makes Resources of items in any order. It owns items.
func collect(items []Resource) Resources {
	items = slices.DeleteFunc(items, func(r Resource) bool { return r.empty() })
	slices.SortStableFunc(items, func(a, b Resource) int { return compare(&a, &b) })
	out := items[:0]
	for i := range items {
		if n := len(out); n > 0 && out[n-1].merges() && compare(&out[n-1], &items[i]) == 0 {
			out[n-1].add(&items[i])
		} else {
			out = append(out, items[i])
		}
	}
	return Resources{out}
}

// IsEmpty tells whether there is nothing in r.
func (r Resources) IsEmpty() bool { return len(r.items) == 0 }

// Len is the number of items.
func (r Resources) Len() int { return len(r.items) }

// All iterates over the items in canonical order.
func (r Resources) All() iter.Seq[Resource] { return slices.Values(r.items) }

// Equal tells whether r and o hold the same.
func (r Resources) Equal(o Resources) bool {
	return r.same(o) || slices.EqualFunc(r.items, o.items, func(a, b Resource) bool { return a.equal(&b) })
}

// same tells, of some of the equal, that they are.
func (r Resources) same(o Resources) bool {
	return len(r.items) == len(o.items) && (len(r.items) == 0 || &r.items[0] == &o.items[0])
}

// Add is r and o together. A sum beyond the range of Scalar stays at its end.
func (r Resources) Add(o Resources) Resources {
	if r.IsEmpty() {
		return o
	}
	if o.IsEmpty() {
		return r
	}
	a, b := r.items, o.items
	out := make([]Resource, 0, len(a)+len(b)-overlap(a, b))
	for len(a) > 0 && len(b) > 0 {
		switch c := compare(&a[0], &b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a = append(out, a[0]), a[1:]
			if last := &out[len(out)-1]; last.merges() {
				last.add(&b[0])
				b = b[1:]
			}
		}
	}
	return Resources{append(append(out, a...), b...)}
}

// overlap counts the items of b that merge into one of a.
func overlap(a, b []Resource) int {
	n := 0
	for len(a) > 0 && len(b) > 0 {
		switch c := compare(&a[0], &b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			if a[0].merges() {
				n++
			}
			a, b = a[1:], b[1:]
		}
	}
	return n
}

// Sub is r without o. If r does not contain all of o it is false, and r is
// returned as it was.
func (r Resources) Sub(o Resources) (Resources, bool) {
	if o.IsEmpty() {
		return r, true
	}
	if len(o.items) > len(r.items) {
		return r, false
	}
	if r.same(o) {
		return Resources{}, true
	}
	a, b := r.items, o.items
	out := make([]Resource, 0, len(a))
	for len(b) > 0 {
		switch c := compareFirst(a, &b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0 || !a[0].contains(&b[0]):
			return r, false
		default:
			left := a[0]
			if left.sub(&b[0]) {
				out = append(out, left)
			}
			a, b = a[1:], b[1:]
		}
	}
	return Resources{append(out, a...)}, true
}

// Minus is what is left of r when of each item of o as much is taken as there
// is. Unlike Sub it always goes.
func (r Resources) Minus(o Resources) Resources {
	if o.IsEmpty() {
		return r
	}
	a, b := r.items, o.items
	out := make([]Resource, 0, len(a))
	for len(a) > 0 && len(b) > 0 {
		switch c := compare(&a[0], &b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			b = b[1:]
		default:
			if left := a[0]; left.sub(&b[0]) {
				out = append(out, left)
			}
			a, b = a[1:], b[1:]
		}
	}
	return Resources{append(out, a...)}
}

// Contains tells whether all of o is in r.
func (r Resources) Contains(o Resources) bool {
	if r.same(o) {
		return true
	}
	a, b := r.items, o.items
	for len(b) > 0 {
		switch c := compareFirst(a, &b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0 || !a[0].contains(&b[0]):
			return false
		default:
			a, b = a[1:], b[1:]
		}
	}
	return true
}

// compareFirst compares the first of items with r; no items come after all.
func compareFirst(items []Resource, r *Resource) int {
	if len(items) == 0 {
		return 1
	}
	return compare(&items[0], r)
}
