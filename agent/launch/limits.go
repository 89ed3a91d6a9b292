package launch

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
	"mezzo/resources"
)

// Limits is what a task is guaranteed, its resources, and what it may use at
// most: its limits, or else its resources.
func Limits(i *v1.TaskInfo) (isolator.Limits, error) {
	r, err := resources.FromProto(i.GetResources())
	if err != nil {
		return isolator.Limits{}, fmt.Errorf("resources: %w", err)
	}
	l := isolator.Limits{
		CPURequestMilli: r.CPUMilli(), CPULimitMilli: r.CPUMilli(),
		MemRequestBytes: r.MemBytes(), MemLimitBytes: r.MemBytes(),
		Revocable: r.Revocable().CPUMilli() > 0,
	}
	for _, name := range slices.Sorted(maps.Keys(i.GetLimits())) {
		value := i.GetLimits()[name].GetValue()
		var request int64
		var limit *int64
		var amount func(resources.Resources) int64
		switch name {
		case "cpus":
			request, limit, amount = l.CPURequestMilli, &l.CPULimitMilli, resources.Resources.CPUMilli
		case "mem":
			request, limit, amount = l.MemRequestBytes, &l.MemLimitBytes, resources.Resources.MemBytes
		default:
			return isolator.Limits{}, invalid("limits: %q is neither cpus nor mem", name)
		}
		if math.IsInf(value, 1) {
			*limit = isolator.Unlimited
			continue
		}
		r, err := resources.FromProto([]*v1.Resource{{
			Name: proto.String(name), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(value)},
		}})
		if err != nil {
			return isolator.Limits{}, fmt.Errorf("limits: %w", err)
		}
		if *limit = amount(r); *limit < request {
			return isolator.Limits{}, invalid("limits: %s is %v, less than what the task's resources guarantee", name, value)
		}
	}
	return l, nil
}
