package scheduler_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/scheduler"
)

func resource(name string, v float64, change func(*v1.Resource)) *v1.Resource {
	r := &v1.Resource{Name: &name, Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: &v}}
	if change != nil {
		change(r)
	}
	return r
}

// Goal: what is picked was offered, sums to what was wanted and is taken in the
// right order. Method: a table over one offer.
func TestTake(t *testing.T) {
	offer := &v1.Offer{Resources: []*v1.Resource{
		resource("cpus", 1.5, nil),
		resource("cpus", 8, func(r *v1.Resource) { r.Revocable = &v1.Resource_RevocableInfo{} }),
		resource("cpus", 0.3, func(r *v1.Resource) {
			r.Reservations = []*v1.Resource_ReservationInfo{{Role: proto.String("eng")}}
		}),
		resource("mem", 512, func(r *v1.Resource) { r.Role = proto.String("eng") }),
		resource("mem", 64, nil),
		resource("disk", 100, func(r *v1.Resource) { r.Disk = &v1.Resource_DiskInfo{} }),
		{Name: proto.String("ports"), Type: v1.Value_RANGES.Enum(), Ranges: &v1.Value_Ranges{}},
	}}
	for _, tc := range []struct {
		want string
		take map[string]float64
		ok   bool
	}{
		{"", nil, true},
		{"", map[string]float64{"cpus": 0}, true},
		{"cpus:0.2", map[string]float64{"cpus": 0.2}, true},
		{"cpus:0.3 cpus:0.7", map[string]float64{"cpus": 1}, true},
		{"cpus:0.3 cpus:1.5", map[string]float64{"cpus": 1.8}, true},
		{"", map[string]float64{"cpus": 1.801}, false},
		{"cpus:0.1 mem:512 mem:1", map[string]float64{"mem": 513, "cpus": 0.1}, true},
		{"", map[string]float64{"cpus": 0.1, "disk": 1}, false},
		{"", map[string]float64{"gpus": 1}, false},
		{"", map[string]float64{"ports": 1}, false},
	} {
		got, ok := scheduler.Take(offer, tc.take)
		var text []string
		for _, r := range got {
			text = append(text, fmt.Sprintf("%s:%v", r.GetName(), r.GetScalar().GetValue()))
		}
		if s := strings.Join(text, " "); s != tc.want || ok != tc.ok {
			t.Errorf("Take(%v) = %q, %t; want %q, %t", tc.take, s, ok, tc.want, tc.ok)
		}
	}
	picked, ok := scheduler.TakeRevocable(offer, map[string]float64{"cpus": 5, "mem": 32}, map[string]float64{"cpus": 3})
	if !ok || len(picked) != 2 || picked[0][0].Revocable == nil || picked[0][0].GetScalar().GetValue() != 5 || picked[0][1].Revocable != nil || picked[1][0].GetScalar().GetValue() != 3 {
		t.Errorf("TakeRevocable picked %v, %t", picked, ok)
	}
	if got, ok := scheduler.TakeRevocable(offer, map[string]float64{"cpus": 5}, map[string]float64{"cpus": 3.1}); ok {
		t.Errorf("more than there is: %v", got)
	}
	if got, ok := scheduler.TakeAll(offer, map[string]float64{"cpus": 1}, map[string]float64{"cpus": 0.7}, map[string]float64{"cpus": 0.1}); !ok || len(got) != 3 {
		t.Errorf("TakeAll picked %v, %t", got, ok)
	}
	if offer.GetResources()[0].GetScalar().GetValue() != 1.5 {
		t.Error("the offer was changed")
	}
}
