package mesosjson_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"mezzo/api/mesosjson"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

// offers is an event of n offers of four resources each.
func offers(n int) *scheduler.Event {
	e := &scheduler.Event{Type: scheduler.Event_OFFERS.Enum(), Offers: &scheduler.Event_Offers{}}
	for i := range n {
		o := &v1.Offer{
			Id:          &v1.OfferID{Value: proto.String(fmt.Sprintf("4d0b-O%d", i))},
			FrameworkId: &v1.FrameworkID{Value: proto.String("4d0b-0001")},
			AgentId:     &v1.AgentID{Value: proto.String("4d0b-S1")},
			Hostname:    proto.String("node1.example"),
		}
		for _, name := range []string{"cpus", "mem", "disk", "gpus"} {
			o.Resources = append(o.Resources, &v1.Resource{
				Name:           proto.String(name),
				Type:           v1.Value_SCALAR.Enum(),
				Scalar:         &v1.Value_Scalar{Value: proto.Float64(float64(i) + 0.5)},
				AllocationInfo: &v1.Resource_AllocationInfo{Role: proto.String("batch")},
			})
		}
		e.Offers.Offers = append(e.Offers.Offers, o)
	}
	return e
}

func BenchmarkMarshal(b *testing.B) {
	m := offers(20)
	for name, marshal := range map[string]func(proto.Message) ([]byte, error){
		"mesosjson": mesosjson.Marshal,
		"protojson": protojson.MarshalOptions{UseProtoNames: true}.Marshal,
		"protobuf":  proto.Marshal,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := marshal(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	text, err := mesosjson.Marshal(offers(20))
	if err != nil {
		b.Fatal(err)
	}
	for name, unmarshal := range map[string]func([]byte, proto.Message) error{
		"mesosjson": mesosjson.Unmarshal,
		"protojson": protojson.Unmarshal,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := unmarshal(text, &scheduler.Event{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
