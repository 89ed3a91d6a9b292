package resources

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// Kind is the type of a resource's amount, numbered as Value.Type is.
type Kind uint8

// Kinds of amounts.
const (
	KindScalar Kind = iota
	KindRanges
	KindSet
)

// Resource is one item of Resources: a name, an amount and an identity.
type Resource struct {
	name   string
	alloc  string // role it is allocated to; empty: to none
	attr   *attributes
	scalar Scalar // also of a shared volume: its size
	copies int32  // of a shared resource: how many times it is held
	kind   Kind
	many   *many
}

// many is an amount of a KindRanges or KindSet, not changed once made. It is
// apart, since nearly all resources are scalars.
type many struct {
	ranges Ranges
	set    Set
}

// hold makes the amount of r, of a KindRanges or KindSet, what it is told.
func (r *Resource) hold(ranges Ranges, set Set) {
	if r.many = nil; len(ranges)+len(set) > 0 {
		r.many = &many{ranges, set}
	}
}

func (r *Resource) ranges() Ranges {
	if r.many == nil {
		return nil
	}
	return r.many.ranges
}

func (r *Resource) set() Set {
	if r.many == nil {
		return nil
	}
	return r.many.set
}

// Name is "cpus", "mem", "ports" and so on.
func (r Resource) Name() string { return r.name }

// Kind tells which of Scalar, Ranges and Set holds the amount.
func (r Resource) Kind() Kind { return r.kind }

// Scalar is the amount of a KindScalar; 0 for others.
func (r Resource) Scalar() Scalar { return r.scalar }

// Ranges is the amount of a KindRanges, a copy.
func (r Resource) Ranges() Ranges { return slices.Clone(r.ranges()) }

// Set is the amount of a KindSet, a copy.
func (r Resource) Set() Set { return slices.Clone(r.set()) }

// AllocatedTo is the role it is allocated to; empty if to none.
func (r Resource) AllocatedTo() string { return r.alloc }

// Reservations is the stack of reservations, outermost first, a copy.
//
// Ownership: their labels are shared and must not be changed.
func (r Resource) Reservations() []Reservation {
	if r.attr == nil {
		return nil
	}
	return slices.Clone(r.attr.reservations)
}

// ReservedTo is the role of the innermost reservation; empty if unreserved.
func (r Resource) ReservedTo() string {
	if r.attr == nil || len(r.attr.reservations) == 0 {
		return ""
	}
	return r.attr.reservations[len(r.attr.reservations)-1].Role
}

// Depth is how many reservations are stacked on it; above 1 they are refined.
func (r Resource) Depth() int {
	if r.attr == nil {
		return 0
	}
	return len(r.attr.reservations)
}

// Dynamic tells whether the innermost reservation was made at run time.
func (r Resource) Dynamic() bool {
	return r.ReservedTo() != "" && r.attr.reservations[len(r.attr.reservations)-1].Dynamic
}

// AllocatableTo tells whether role may use it: it is unreserved, or reserved
// to role or to a role above it.
func (r Resource) AllocatableTo(role string) bool {
	to := r.ReservedTo()
	return to == "" || Within(role, to)
}

// Revocable tells whether it may be taken back at any time.
func (r Resource) Revocable() bool { return r.attr != nil && r.attr.revocable }

// Shared tells whether it may be used by many at once.
func (r Resource) Shared() bool { return r.attr != nil && r.attr.shared }

// PersistenceID is the id of a persistent volume; empty for all else.
func (r Resource) PersistenceID() string { return r.diskInfo().GetPersistence().GetId() }

// Disk is what the wire says of a disk, a copy; nil if nothing.
func (r Resource) Disk() *v1.Resource_DiskInfo {
	d := r.diskInfo()
	if d == nil {
		return nil
	}
	return proto.CloneOf(d)
}

// whole tells whether it cannot be split.
func (r *Resource) whole() bool { return r.attr != nil && r.attr.whole }

func (r Resource) diskInfo() *v1.Resource_DiskInfo {
	if r.attr == nil {
		return nil
	}
	return r.attr.disk
}

func (r *Resource) empty() bool {
	return r.scalar == 0 && r.many == nil
}

// compare orders by identity. Equal and splittable items add up; of whole
// ones the size is part of the identity.
func compare(a, b *Resource) int {
	if c := strings.Compare(a.name, b.name); c != 0 {
		return c
	}
	if a.kind != b.kind {
		return int(a.kind) - int(b.kind)
	}
	if a.attr != b.attr {
		if c := strings.Compare(a.attr.text(), b.attr.text()); c != 0 {
			return c
		}
	}
	if c := strings.Compare(a.alloc, b.alloc); c != 0 {
		return c
	}
	if a.whole() {
		return cmp.Compare(a.scalar, b.scalar)
	}
	return 0
}

// merges tells whether items of equal identity become one. Two volumes that
// look the same stay two.
func (r *Resource) merges() bool { return !r.whole() || r.attr.shared }

// add merges o, of equal identity, into r.
func (r *Resource) add(o *Resource) {
	switch {
	case r.Shared():
		r.copies += o.copies
	case r.kind == KindScalar:
		r.scalar = r.scalar.Add(o.scalar)
	case r.kind == KindRanges:
		r.hold(r.ranges().Union(o.ranges()), nil)
	default:
		r.hold(nil, r.set().Union(o.set()))
	}
}

// contains tells whether o, of equal identity, is part of r.
func (r *Resource) contains(o *Resource) bool {
	switch {
	case r.Shared():
		return r.copies >= o.copies
	case r.kind == KindScalar:
		return r.scalar >= o.scalar
	case r.kind == KindRanges:
		return r.many == o.many || r.ranges().Contains(o.ranges())
	default:
		return r.set().Contains(o.set())
	}
}

// sub takes of o, of equal identity, as much out of r as there is. Nothing is
// left if it says false.
func (r *Resource) sub(o *Resource) bool {
	switch {
	case r.Shared():
		r.copies -= o.copies
		return r.copies > 0
	case r.kind == KindScalar:
		r.scalar = max(0, r.scalar-o.scalar)
	case r.kind == KindRanges:
		r.hold(r.ranges().Minus(o.ranges()), nil)
	default:
		r.hold(nil, r.set().Minus(o.set()))
	}
	return !r.empty()
}

func (r *Resource) equal(o *Resource) bool {
	return compare(r, o) == 0 && r.scalar == o.scalar && r.copies == o.copies &&
		(r.many == o.many || slices.Equal(r.ranges(), o.ranges()) && slices.Equal(r.set(), o.set()))
}
