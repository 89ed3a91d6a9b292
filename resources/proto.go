package resources

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// FromProto takes resources from the wire, in the refined format, in the one
// before reservation refinement (role and reservation), or in the mix of both
// that operators are shown.
//
// Ownership: messages are not kept.
// Errors: errs.Invalid naming the resource and the value.
// Source: the rules are those of Resources::validate, mesos common/resources.cpp.
// Mesos differs: amounts above MaxScalar, a disk that is no scalar and an
// allocation without a role are refused too.
func FromProto(messages []*v1.Resource) (Resources, error) {
	items := make([]Resource, len(messages))
	for i, m := range messages {
		var err error
		if items[i], err = fromProto(m); err != nil {
			return Resources{}, fmt.Errorf("resource %q: %w", m.GetName(), err)
		}
	}
	return checkSums(collect(items))
}

// checkSums refuses amounts that only their sum makes too large.
func checkSums(r Resources) (Resources, error) {
	for _, item := range r.items {
		if item.scalar > MaxScalar {
			return Resources{}, fmt.Errorf("resource %q: sum %v is above %v: %w", item.name, item.scalar, MaxScalar, errs.Invalid)
		}
	}
	return r, nil
}

func fromProto(m *v1.Resource) (Resource, error) {
	r := Resource{name: m.GetName()}
	if r.name == "" {
		return r, fmt.Errorf("name is empty: %w", errs.Invalid)
	}
	if err := amountFromProto(&r, m); err != nil {
		return r, err
	}
	stack, err := stackFromProto(m)
	if err != nil {
		return r, err
	}
	if err := checkDisk(m); err != nil {
		return r, err
	}
	if m.AllocationInfo != nil {
		r.alloc = m.AllocationInfo.GetRole()
		if err := ValidateRole(r.alloc); err != nil {
			return r, fmt.Errorf("allocation: %w", err)
		}
	}
	a := attributes{
		reservations: stack,
		provider:     m.GetProviderId().GetValue(),
		revocable:    m.Revocable != nil,
		shared:       m.Shared != nil,
	}
	if d := m.Disk; d.GetPersistence() != nil || d.GetSource() != nil || d.GetVolume() != nil {
		a.disk = proto.CloneOf(d)
	}
	r.attr = a.seal()
	if r.Shared() {
		r.copies = 1
	}
	return r, nil
}

func amountFromProto(r *Resource, m *v1.Resource) (err error) {
	var fits bool
	switch {
	case m.Type == nil:
		return fmt.Errorf("type is missing: %w", errs.Invalid)
	case *m.Type == v1.Value_SCALAR:
		fits = m.Scalar != nil && m.Scalar.Value != nil && m.Ranges == nil && m.Set == nil
		r.kind = KindScalar
		r.scalar, err = ScalarOf(m.GetScalar().GetValue())
	case *m.Type == v1.Value_RANGES:
		fits = m.Scalar == nil && m.Ranges != nil && m.Set == nil
		r.kind = KindRanges
		var ranges Ranges
		ranges, err = rangesFromProto(m.GetRanges())
		r.hold(ranges, nil)
	case *m.Type == v1.Value_SET:
		fits = m.Scalar == nil && m.Ranges == nil && m.Set != nil
		r.kind = KindSet
		var set Set
		set, err = checkedSet(m.GetSet().GetItem())
		r.hold(nil, set)
	default:
		return fmt.Errorf("type %v is not one of a resource: %w", *m.Type, errs.Invalid)
	}
	if !fits {
		return fmt.Errorf("type is %v, the value is of another type or missing: %w", *m.Type, errs.Invalid)
	}
	return err
}

func rangesFromProto(m *v1.Value_Ranges) (Ranges, error) {
	rs := make([]Range, len(m.GetRange()))
	for i, r := range m.GetRange() {
		if r == nil || r.Begin == nil || r.End == nil || *r.Begin > *r.End {
			return nil, fmt.Errorf("range [%d-%d] has no begin, no end, or begins after its end: %w", r.GetBegin(), r.GetEnd(), errs.Invalid)
		}
		rs[i] = Range{*r.Begin, *r.End}
	}
	slices.SortFunc(rs, func(a, b Range) int { return cmp.Compare(a.Begin, b.Begin) })
	for i := 1; i < len(rs); i++ {
		if rs[i].Begin <= rs[i-1].End {
			return nil, fmt.Errorf("ranges %v overlap: %w", Ranges(rs[i-1:i+1]), errs.Invalid)
		}
	}
	return NewRanges(rs...), nil
}

func checkedSet(items []string) (Set, error) {
	s := NewSet(items...)
	if len(s) != len(items) {
		return nil, fmt.Errorf("set %.100q has an item twice: %w", items, errs.Invalid)
	}
	return s, nil
}

func checkDisk(m *v1.Resource) error {
	d := m.Disk
	switch {
	case m.Shared != nil && d.GetPersistence() == nil:
		return fmt.Errorf("only persistent volumes are shared: %w", errs.Invalid)
	case d == nil:
		return nil
	case m.GetName() != "disk" || m.GetType() != v1.Value_SCALAR:
		return fmt.Errorf("only a scalar called \"disk\" has disk info: %w", errs.Invalid)
	case d.Persistence != nil && d.Persistence.GetId() == "":
		return fmt.Errorf("persistence id is empty: %w", errs.Invalid)
	}
	if s := d.Source; s != nil {
		switch s.GetType() {
		case v1.Resource_DiskInfo_Source_PATH, v1.Resource_DiskInfo_Source_MOUNT:
		case v1.Resource_DiskInfo_Source_BLOCK, v1.Resource_DiskInfo_Source_RAW:
			if s.Path != nil || s.Mount != nil {
				return fmt.Errorf("disk source %v has a path or mount: %w", s.GetType(), errs.Invalid)
			}
		default:
			return fmt.Errorf("disk source type %v is not known: %w", s.GetType(), errs.Invalid)
		}
	}
	return nil
}

func labelsOf(m *v1.Labels) []Label {
	var labels []Label
	for _, l := range m.GetLabels() {
		labels = append(labels, Label{l.GetKey(), l.GetValue()})
	}
	slices.SortFunc(labels, compareLabels)
	return labels
}
