package core_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
)

// TestUsageInterval: agents are told to report less often the more tasks there are.
func TestUsageInterval(t *testing.T) {
	w := newWorld(t, core.Config{MaxUsageSamples: 4})
	name := "h"
	hello := &link.Hello{
		Agent:      &v1.AgentInfo{Hostname: &name, Resources: mustResources(t, "cpus:64;mem:65536")},
		Frameworks: []*v1.FrameworkInfo{{Id: &v1.FrameworkID{Value: proto.String("f")}}},
	}
	for n := range 10 {
		hello.Tasks = append(hello.Tasks, &v1.Task{
			TaskId: taskID(fmt.Sprint("t", n)), FrameworkId: hello.Frameworks[0].Id,
			State: v1.TaskState_TASK_RUNNING.Enum(), Resources: mustResources(t, "cpus@*:1;mem@*:32"),
		})
	}
	told := func(effects []core.Effect) (millis []int64) {
		for _, e := range effects {
			if e, ok := e.(core.SendAgent); ok {
				if m := e.Message.GetWelcome(); m != nil {
					millis = append(millis, m.GetUsageIntervalMillis())
				}
				if m := e.Message.GetPing(); m != nil {
					millis = append(millis, m.GetUsageIntervalMillis())
				}
			}
		}
		return millis
	}
	w.core.Step(w.now, core.AgentHello{Conn: 1, IP: name, Hello: hello})
	other := "other"
	effects := w.core.Step(w.now, core.AgentHello{Conn: 2, IP: other, Hello: &link.Hello{Agent: &v1.AgentInfo{Hostname: &other, Resources: mustResources(t, "cpus:1")}}})
	if got := told(effects); !slices.Equal(got, []int64{2500}) {
		t.Errorf("in the Welcome: %v, want 2500 ms for 10 tasks", got)
	}
	w.now = w.now.Add(15 * time.Second)
	if got := told(w.core.Step(w.now, core.Tick{})); !slices.Equal(got, []int64{2500, 2500}) {
		t.Errorf("in Pings: %v", got)
	}
}
