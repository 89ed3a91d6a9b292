package master

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/mesos/v1/master"
	"mezzo/master/core"
)

// news is one event for all who watch. It is encoded once in each form that is
// asked for, by whoever needs it first.
type news struct {
	size           int // in protobuf
	json, protobuf func() ([]byte, error)
}

func newNews(ev *master.Event) *news {
	encode := func(c codec.Codec) func() ([]byte, error) {
		return sync.OnceValues(func() ([]byte, error) { return c.Marshal(ev) })
	}
	return &news{size: proto.Size(ev), json: encode(codec.JSON), protobuf: encode(codec.Protobuf)}
}

func (n *news) encoded(c codec.Codec) ([]byte, error) {
	if c == codec.JSON {
		return n.json()
	}
	return n.protobuf()
}

// newsOf is what an effect tells those who watch; nil if nothing.
func newsOf(e core.Effect) *master.Event {
	switch e := e.(type) {
	case core.TaskAdded:
		return &master.Event{Type: master.Event_TASK_ADDED.Enum(), TaskAdded: &master.Event_TaskAdded{Task: e.Task.Proto()}}
	case core.TaskUpdated:
		return &master.Event{Type: master.Event_TASK_UPDATED.Enum(), TaskUpdated: &master.Event_TaskUpdated{
			FrameworkId: e.Task.Info.FrameworkId, Status: e.Task.Latest(), State: e.Task.State.Enum(),
		}}
	case core.AgentAdded:
		return &master.Event{Type: master.Event_AGENT_ADDED.Enum(), AgentAdded: &master.Event_AgentAdded{Agent: showAgent(&e.Agent)}}
	case core.AgentRemoved:
		return &master.Event{Type: master.Event_AGENT_REMOVED.Enum(), AgentRemoved: &master.Event_AgentRemoved{AgentId: e.Agent.ID.Proto()}}
	case core.FrameworkAdded:
		return &master.Event{Type: master.Event_FRAMEWORK_ADDED.Enum(), FrameworkAdded: &master.Event_FrameworkAdded{Framework: showFramework(&e.Framework)}}
	case core.FrameworkUpdated:
		return &master.Event{Type: master.Event_FRAMEWORK_UPDATED.Enum(), FrameworkUpdated: &master.Event_FrameworkUpdated{Framework: showFramework(&e.Framework)}}
	case core.FrameworkRemoved:
		return &master.Event{Type: master.Event_FRAMEWORK_REMOVED.Enum(), FrameworkRemoved: &master.Event_FrameworkRemoved{FrameworkInfo: e.Info}}
	}
	return nil
}

// heartbeatNews is sent when nothing else is.
var heartbeatNews = newNews(&master.Event{Type: master.Event_HEARTBEAT.Enum()})
