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
	for _, name := range slices.Sorted(maps.Keys(want)) {
		left := milli(want[name])
		for _, reserved := range []bool{true, false} {
			for _, r := range o.GetResources() {
				if left <= 0 || r.GetName() != name || !plain(r) || isReserved(r) != reserved {
					continue
				}
				part := min(left, milli(r.GetScalar().GetValue()))
				if part <= 0 {
					continue
				}
				left -= part
				r = proto.CloneOf(r)
				r.Scalar.Value = proto.Float64(float64(part) / 1000)
				picked = append(picked, r)
			}
		}
		if left > 0 {
			return nil, false
		}
	}
	return picked, true
}

func milli(v float64) int64 { return int64(math.Round(v * 1000)) }

func plain(r *v1.Resource) bool {
	return r.Scalar != nil && r.Disk == nil && r.Revocable == nil && r.Shared == nil
}

// isReserved knows both formats of the wire.
func isReserved(r *v1.Resource) bool {
	return len(r.GetReservations()) > 0 || r.GetRole() != "*" && r.GetRole() != ""
}
