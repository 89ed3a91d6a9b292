package resources

import (
	"iter"
	"slices"
)

// Filter is the items that keep says yes to.
func (r Resources) Filter(keep func(Resource) bool) Resources {
	first := slices.IndexFunc(r.items, func(i Resource) bool { return !keep(i) })
	if first < 0 {
		return r
	}
	out := slices.Clone(r.items[:first])
	for _, item := range r.items[first+1:] {
		if keep(item) {
			out = append(out, item)
		}
	}
	return Resources{out}
}

// Reserved is what is reserved to exactly role; "" means to any role.
func (r Resources) Reserved(role string) Resources {
	return r.Filter(func(i Resource) bool {
		to := i.ReservedTo()
		return to != "" && (role == "" || role == to)
	})
}

// Unreserved is what is reserved to no role.
func (r Resources) Unreserved() Resources {
	return r.Filter(func(i Resource) bool { return i.ReservedTo() == "" })
}

// ForRole is what role may use: unreserved, or reserved to it or to a role
// above it.
func (r Resources) ForRole(role string) Resources {
	return r.Filter(func(i Resource) bool { return i.AllocatableTo(role) })
}

// Revocable is what may be taken back at any time.
func (r Resources) Revocable() Resources { return r.Filter(Resource.Revocable) }

// NonRevocable is what may not be taken back.
func (r Resources) NonRevocable() Resources {
	return r.Filter(func(i Resource) bool { return !i.Revocable() })
}

// Shared is what may be used by many at once.
func (r Resources) Shared() Resources { return r.Filter(Resource.Shared) }

// NonShared is what is used by one at a time.
func (r Resources) NonShared() Resources {
	return r.Filter(func(i Resource) bool { return !i.Shared() })
}

// Named is what is called name.
func (r Resources) Named(name string) Resources {
	return r.Filter(func(i Resource) bool { return i.name == name })
}

// Allocated is r with all of it allocated to role.
func (r Resources) Allocated(role string) Resources {
	return r.with(func(i *Resource) { i.alloc = role })
}

// Unallocated is r with none of it allocated.
func (r Resources) Unallocated() Resources { return r.Allocated("") }

// Allocations iterates over the roles that r is allocated to, ascending, with
// what is allocated to each. What is allocated to none comes under "".
func (r Resources) Allocations() iter.Seq2[string, Resources] {
	return func(yield func(string, Resources) bool) {
		for role, ok := r.allocatedAfter(""); ok; role, ok = r.allocatedAfter(role + "\x00") {
			if !yield(role, r.AllocatedTo(role)) {
				return
			}
		}
	}
}

// AllocatedTo is what is allocated to role.
func (r Resources) AllocatedTo(role string) Resources {
	return r.Filter(func(i Resource) bool { return i.alloc == role })
}

// IsAllocatedTo tells whether any of it is.
func (r Resources) IsAllocatedTo(role string) bool {
	return slices.ContainsFunc(r.items, func(i Resource) bool { return i.alloc == role })
}

// allocatedAfter is the first role, from the given one on, that something is
// allocated to.
func (r Resources) allocatedAfter(from string) (role string, ok bool) {
	for i := range r.items {
		if a := r.items[i].alloc; a >= from && (!ok || a < role) {
			role, ok = a, true
		}
	}
	return role, ok
}

// PushReservation reserves all of r one level deeper.
//
// Ownership: the labels of v are kept.
// Errors: errs.Invalid if v does not refine what r is reserved to.
func (r Resources) PushReservation(v Reservation) (Resources, error) {
	for i := range r.items {
		if err := checkStack(append(r.items[i].Reservations(), v)); err != nil {
			return r, err
		}
	}
	return r.with(func(i *Resource) { i.attr = i.attr.reserved(append(i.Reservations(), v)) }), nil
}

// PopReservation takes the innermost reservation off all of r; what is
// unreserved stays so.
func (r Resources) PopReservation() Resources {
	return r.with(func(i *Resource) {
		if stack := i.Reservations(); len(stack) > 0 {
			i.attr = i.attr.reserved(stack[:len(stack)-1])
		}
	})
}

// WithoutReservations is r with all of it unreserved.
func (r Resources) WithoutReservations() Resources {
	return r.with(func(i *Resource) {
		if i.ReservedTo() != "" {
			i.attr = i.attr.reserved(nil)
		}
	})
}

// with changes the identity of a copy of each item and merges what became equal.
func (r Resources) with(change func(*Resource)) Resources {
	out := slices.Clone(r.items)
	for i := range out {
		change(&out[i])
	}
	return collect(out)
}
