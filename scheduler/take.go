package scheduler

import (
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// Take picks scalar resources out of an offer, fit for a task launched on it:
// reserved ones first, so that what others may use too is left to them. Volumes
// and revocable resources are not picked.
//
// Units: as on the wire: CPUs, and MiB for mem and disk; exact to thousandths.
// Ownership: the offer is not changed, the result is the caller's.
func Take(o *v1.Offer, want map[string]float64) (picked []*v1.Resource, ok bool) {
	all, ok := TakeAll(o, want)
	if !ok {
		return nil, false
	}
	return all[0], true
}

// TakeAll is Take for several at once, as the tasks of a group: all of them fit,
// or none is picked for.
func TakeAll(o *v1.Offer, wants ...map[string]float64) (picked [][]*v1.Resource, ok bool) {
	return take(o, func(r *v1.Resource) bool { return r.Revocable == nil }, wants)
}

// TakeRevocable is TakeAll with CPUs that may be taken back at any time, of which
// there are some where the framework has the capability REVOCABLE_RESOURCES and
// agents oversubscribe.
func TakeRevocable(o *v1.Offer, wants ...map[string]float64) (picked [][]*v1.Resource, ok bool) {
	return take(o, func(r *v1.Resource) bool { return (r.Revocable != nil) == (r.GetName() == "cpus") }, wants)
}

func take(o *v1.Offer, fit func(*v1.Resource) bool, wants []map[string]float64) (picked [][]*v1.Resource, ok bool) {
	rest := make([]int64, len(o.GetResources()))
	for i, r := range o.GetResources() {
		rest[i] = milli(r.GetScalar().GetValue())
	}
	for _, want := range wants {
		var part []*v1.Resource
		for _, name := range slices.Sorted(maps.Keys(want)) {
			left := milli(want[name])
			for _, reserved := range []bool{true, false} {
				for i, r := range o.GetResources() {
					if r.GetName() != name || !plain(r) || !fit(r) || isReserved(r) != reserved {
						continue
					}
					n := min(left, rest[i])
					if n <= 0 {
						continue
					}
					left -= n
					rest[i] -= n
					r = proto.CloneOf(r)
					r.Scalar.Value = proto.Float64(float64(n) / 1000)
					part = append(part, r)
				}
			}
			if left > 0 {
				return nil, false
			}
		}
		picked = append(picked, part)
	}
	return picked, true
}

func milli(v float64) int64 { return int64(math.Round(v * 1000)) }

func plain(r *v1.Resource) bool {
	return r.Scalar != nil && r.Disk == nil && r.Shared == nil
}

// isReserved knows both formats of the wire.
func isReserved(r *v1.Resource) bool {
	return len(r.GetReservations()) > 0 || r.GetRole() != "*" && r.GetRole() != ""
}
