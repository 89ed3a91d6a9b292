package master_test

// Goal: what is not used of an agent can be offered to who gives it back at any
// time, and is taken back. Method: an agent and a scheduler on the wire.

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master"
)

// TestOversubscribed: what an agent has of revocable resources is offered, and
// taken back when it is less.
func TestOversubscribed(t *testing.T) {
	m := start(t, nil)
	a := register(t, m, "a1", "cpus:4;mem:4096")
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{
		User: proto.String("u"), Name: proto.String("n"),
		Capabilities: []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_REVOCABLE_RESOURCES.Enum()}},
	})
	s.offer()
	say := func(res string) {
		msg := &link.Oversubscribed{}
		if res != "" {
			msg.Resources = parse(t, res)
		}
		a.send(&link.FromAgent{Message: &link.FromAgent_Oversubscribed{Oversubscribed: msg}})
	}
	say("cpus{REV}:2")
	o := s.offer()
	if r := o.GetResources(); len(r) != 1 || r[0].Revocable == nil {
		t.Errorf("offered %v", r)
	}
	checkMetrics(t, m, map[string]float64{"master/cpus_revocable_total": 2, "master/messages_update_slave": 1})
	say("")
	if id := s.await(scheduler.Event_RESCIND).GetRescind().GetOfferId().GetValue(); id != o.GetId().GetValue() {
		t.Errorf("offer %s is rescinded, not %s", id, o.GetId().GetValue())
	}
}

// checkMetrics compares some metrics.
func checkMetrics(t *testing.T, m *master.Master, want map[string]float64) {
	t.Helper()
	_, body := fetch(t, m, "/metrics/snapshot")
	var have map[string]float64
	if err := json.Unmarshal([]byte(body), &have); err != nil {
		t.Fatal(err)
	}
	for name, v := range want {
		if have[name] != v {
			t.Errorf("%s is %v, want %v", name, have[name], v)
		}
	}
}
