package master

import (
	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/mesos/v1/master"
	"mezzo/master/core"
)

// longAnswers are the calls whose answers are long lists of tasks, executors and
// agents, with the part of the answer that holds them.
var longAnswers = map[master.Call_Type]struct {
	of   master.Response_Type
	part func(*composer) part
}{
	master.Call_GET_STATE:     {master.Response_GET_STATE, (*composer).state},
	master.Call_GET_TASKS:     {master.Response_GET_TASKS, (*composer).tasks},
	master.Call_GET_EXECUTORS: {master.Response_GET_EXECUTORS, (*composer).executors},
	master.Call_GET_AGENTS:    {master.Response_GET_AGENTS, (*composer).agents},
}

// longAnswer is the answer to one of these.
func (m *Master) longAnswer(out codec.Codec, call master.Call_Type, s *core.Snapshot) (pieces, error) {
	a := longAnswers[call]
	return m.compose(out, s, func(c *composer) *composite {
		return c.message(&master.Response{Type: a.of.Enum()}, a.part(c))
	})
}

// subscribed is the event that begins a subscription: the state that the events after
// it change.
func (m *Master) subscribed(out codec.Codec, s *core.Snapshot) (pieces, error) {
	return m.compose(out, s, func(c *composer) *composite {
		return c.message(&master.Event{Type: master.Event_SUBSCRIBED.Enum()}, part{name: "subscribed", one: c.message(
			&master.Event_Subscribed{HeartbeatIntervalSeconds: proto.Float64(heartbeatInterval.Seconds())}, c.state())})
	})
}

func (m *Master) compose(out codec.Codec, s *core.Snapshot, making func(*composer) *composite) (pieces, error) {
	x := m.texts.calls[out]
	return x.use(s, func() (pieces, error) {
		whole := making(&composer{out, s, x})
		if x.err != nil {
			return nil, x.err
		}
		return whole.encode(), nil
	})
}

// composer makes a message of what a snapshot shows. What goes wrong is noted in texts.
type composer struct {
	out   codec.Codec
	shown *core.Snapshot
	texts *texts
}

func (c *composer) message(own proto.Message, parts ...part) *composite {
	m, err := compose(c.out, own, parts...)
	c.texts.failed(err)
	return m
}

func (c *composer) state() part {
	frameworks := part{name: "get_frameworks", one: c.message(showFrameworks(c.shown))}
	return part{name: "get_state", one: c.message(&master.Response_GetState{}, c.tasks(), c.executors(), frameworks, c.agents())}
}

func (c *composer) tasks() part {
	var there, over, lost [][]byte
	for _, list := range [][]core.FrameworkView{c.shown.Frameworks, c.shown.Completed} {
		for i := range list {
			there = append(there, c.texts.taskList(list[i].Tasks)...)
			over = append(over, c.texts.taskList(list[i].Finished)...)
			lost = append(lost, c.texts.taskList(list[i].Unreachable)...)
		}
	}
	return part{name: "get_tasks", one: c.message(&master.Response_GetTasks{},
		part{name: "tasks", list: there}, part{name: "completed_tasks", list: over}, part{name: "unreachable_tasks", list: lost})}
}

func (c *composer) executors() part {
	return part{name: "get_executors", one: c.message(&master.Response_GetExecutors{},
		part{name: "executors", list: c.texts.executorList(c.shown.Executors)})}
}

func (c *composer) agents() part {
	var recovered [][]byte
	for _, info := range c.shown.Recovered {
		recovered = append(recovered, c.texts.element(c.out.Marshal(info)))
	}
	return part{name: "get_agents", one: c.message(&master.Response_GetAgents{},
		part{name: "agents", list: c.texts.agentList(c.shown.Agents)}, part{name: "recovered_agents", list: recovered})}
}
