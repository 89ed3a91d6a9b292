package resources

import (
	"cmp"
	"slices"
)

// Find takes what want asks for out of r, for use by role: of its amounts
// only, whatever they are reserved to, first from what is reserved to role,
// then to the roles above it, then from the unreserved. Disks with a source
// or volume, shared things, and revocable ones unless want is revocable, are
// left alone. What it returns has the identities it has in r.
//
// It is false if r has not enough.
func (r Resources) Find(want Resources, role string) (Resources, bool) {
	var found []Resource
	for i := range want.items {
		left := want.items[i]
		for _, have := range r.candidates(&left, role) {
			taken := left.meet(&have)
			if taken.empty() {
				continue
			}
			part := have
			part.scalar, part.many = taken.scalar, taken.many
			found = append(found, part)
			if !left.sub(&taken) {
				break
			}
		}
		if !left.empty() {
			return Resources{}, false
		}
	}
	return collect(found), true
}

// candidates is the items of r that w may be taken from, the closest
// reservation first.
func (r Resources) candidates(w *Resource, role string) []Resource {
	var out []Resource
	for _, i := range r.items {
		if i.name == w.name && i.kind == w.kind && i.diskInfo() == nil &&
			i.Revocable() == w.Revocable() && i.AllocatableTo(role) {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b Resource) int {
		return cmp.Compare(len(b.ReservedTo()), len(a.ReservedTo()))
	})
	return out
}

// meet is w with only the amount that have has too.
func (w Resource) meet(have *Resource) Resource {
	w.scalar = min(w.scalar, have.scalar)
	ranges, set := have.ranges(), have.set()
	w.hold(ranges.Minus(ranges.Minus(w.ranges())), set.Minus(set.Minus(w.set())))
	return w
}
