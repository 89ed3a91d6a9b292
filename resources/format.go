package resources

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// Format is how reservations are written on the wire.
type Format uint8

// Formats. FromProto reads all of them.
const (
	Refined  Format = iota // "reservations", the stack
	Legacy                 // "role" and "reservation", for who lacks RESERVATION_REFINEMENT
	Endpoint               // both where both can say it, for operators
)

// Proto writes r to the wire in the refined format, in canonical order. A
// shared resource held n times is written n times.
func (r Resources) Proto() []*v1.Resource {
	var out []*v1.Resource
	for i := range r.items {
		for range max(1, r.items[i].copies) {
			out = append(out, r.items[i].proto())
		}
	}
	return out
}

// ProtoAs writes r in format f.
//
// Errors: errs.Unsupported if f is Legacy and a reservation is refined.
func (r Resources) ProtoAs(f Format) ([]*v1.Resource, error) {
	out := r.Proto()
	if f == Refined {
		return out, nil
	}
	for _, m := range out {
		switch n := len(m.Reservations); {
		case n == 0:
			m.Role = proto.String(DefaultRole)
		case n == 1:
			v := m.Reservations[0]
			m.Role = v.Role
			if v.GetType() == v1.Resource_ReservationInfo_DYNAMIC {
				m.Reservation = &v1.Resource_ReservationInfo{Principal: v.Principal, Labels: v.Labels}
			}
			if f == Legacy {
				m.Reservations = nil
			}
		case f == Legacy:
			return nil, fmt.Errorf("resource %q: reservation for %q is refined and has no older form: %w",
				m.GetName(), m.Reservations[n-1].GetRole(), errs.Unsupported)
		}
	}
	return out, nil
}

func (r *Resource) proto() *v1.Resource {
	m := &v1.Resource{Name: proto.String(r.name)}
	switch r.kind {
	case KindScalar:
		m.Type = v1.Value_SCALAR.Enum()
		m.Scalar = &v1.Value_Scalar{Value: proto.Float64(r.scalar.Float())}
	case KindRanges:
		m.Type = v1.Value_RANGES.Enum()
		m.Ranges = new(v1.Value_Ranges)
		for _, v := range r.ranges() {
			m.Ranges.Range = append(m.Ranges.Range, &v1.Value_Range{Begin: proto.Uint64(v.Begin), End: proto.Uint64(v.End)})
		}
	case KindSet:
		m.Type = v1.Value_SET.Enum()
		m.Set = &v1.Value_Set{Item: r.Set()}
	}
	if r.alloc != "" {
		m.AllocationInfo = &v1.Resource_AllocationInfo{Role: proto.String(r.alloc)}
	}
	if a := r.attr; a != nil {
		for _, v := range a.reservations {
			m.Reservations = append(m.Reservations, v.proto())
		}
		m.Disk = r.Disk()
		if a.provider != "" {
			m.ProviderId = &v1.ResourceProviderID{Value: proto.String(a.provider)}
		}
		if a.revocable {
			m.Revocable = new(v1.Resource_RevocableInfo)
		}
		if a.shared {
			m.Shared = new(v1.Resource_SharedInfo)
		}
	}
	return m
}

func (r Reservation) proto() *v1.Resource_ReservationInfo {
	m := &v1.Resource_ReservationInfo{
		Type: v1.Resource_ReservationInfo_STATIC.Enum(),
		Role: proto.String(r.Role),
	}
	if r.Dynamic {
		m.Type = v1.Resource_ReservationInfo_DYNAMIC.Enum()
	}
	if r.Principal != "" {
		m.Principal = proto.String(r.Principal)
	}
	if len(r.Labels) > 0 {
		m.Labels = new(v1.Labels)
	}
	for _, l := range r.Labels {
		label := &v1.Label{Key: proto.String(l.Key)}
		if l.Value != "" {
			label.Value = proto.String(l.Value)
		}
		m.Labels.Labels = append(m.Labels.Labels, label)
	}
	return m
}

// stackFromProto reads the reservations of any Format.
func stackFromProto(m *v1.Resource) ([]Reservation, error) {
	if len(m.Reservations) == 0 {
		return stackFromLegacy(m)
	}
	stack := make([]Reservation, len(m.Reservations))
	for i, v := range m.Reservations {
		switch v.GetType() {
		case v1.Resource_ReservationInfo_STATIC, v1.Resource_ReservationInfo_DYNAMIC:
		default:
			return nil, fmt.Errorf("reservation type %v is not known: %w", v.GetType(), errs.Invalid)
		}
		stack[i] = reservationFromProto(v)
		stack[i].Dynamic = v.GetType() == v1.Resource_ReservationInfo_DYNAMIC
		stack[i].Role = v.GetRole()
	}
	if err := checkStack(stack); err != nil {
		return nil, err
	}
	return stack, checkEndpoint(m, stack)
}

// stackFromLegacy reads role and reservation, when there is no stack.
func stackFromLegacy(m *v1.Resource) ([]Reservation, error) {
	role, v := m.GetRole(), m.Reservation
	if err := ValidateRole(role); err != nil {
		return nil, err
	}
	switch {
	case v == nil && role == DefaultRole:
		return nil, nil
	case v == nil:
		return []Reservation{{Role: role}}, nil
	case v.Type != nil || v.Role != nil:
		return nil, fmt.Errorf("field \"reservation\" has a type or role: %w", errs.Invalid)
	case role == DefaultRole:
		return nil, fmt.Errorf("role %q cannot be reserved: %w", role, errs.Invalid)
	}
	r := reservationFromProto(v)
	r.Dynamic, r.Role = true, role
	return []Reservation{r}, nil
}

// checkEndpoint checks that role and reservation, if set beside a stack, say
// the same as it.
func checkEndpoint(m *v1.Resource, stack []Reservation) error {
	if m.Role == nil && m.Reservation == nil {
		return nil
	}
	first := stack[0]
	same := len(stack) == 1 && m.Role != nil && *m.Role == first.Role &&
		first.Dynamic == (m.Reservation != nil)
	if same && m.Reservation != nil {
		r := reservationFromProto(m.Reservation)
		r.Dynamic, r.Role = true, first.Role
		same = r.Equal(first)
	}
	if !same {
		return fmt.Errorf("fields \"role\" %q and \"reservation\" differ from \"reservations\": %w", m.GetRole(), errs.Invalid)
	}
	return nil
}

func reservationFromProto(v *v1.Resource_ReservationInfo) Reservation {
	return Reservation{Principal: v.GetPrincipal(), Labels: labelsOf(v.GetLabels())}
}
