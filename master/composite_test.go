package master

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/internal/randproto"
)

// TestComposite: goal, the same bytes as of the whole message; method, random tasks and
// agents in lists of all lengths, composed and whole.
func TestComposite(t *testing.T) {
	g := &randproto.Generator{
		Rand: rand.New(rand.NewPCG(1, 2)),
		Keep: func(fd protoreflect.FieldDescriptor) (may, always bool) { return !fd.IsMap(), false }, // they have no order
	}
	for n := range 40 {
		var tasks, over []*v1.Task
		var infos []*v1.AgentInfo
		for range n % 7 {
			one, other, info := &v1.Task{}, &v1.Task{}, &v1.AgentInfo{}
			for _, m := range []proto.Message{one, other, info} {
				g.Fill(m.ProtoReflect())
			}
			tasks, over = append(tasks, one, other), append(over, other)
			if n%2 == 0 {
				infos = append(infos, info)
			}
		}
		whole := &master.Response{Type: master.Response_GET_STATE.Enum(), GetState: &master.Response_GetState{
			GetTasks:      &master.Response_GetTasks{Tasks: tasks, CompletedTasks: over},
			GetFrameworks: &master.Response_GetFrameworks{},
			GetAgents:     &master.Response_GetAgents{RecoveredAgents: infos},
		}}
		for _, out := range []codec.Codec{codec.JSON, codec.Protobuf} {
			c := &composer{out: out, texts: &texts{}}
			state := c.message(&master.Response_GetState{},
				part{name: "get_tasks", one: c.message(&master.Response_GetTasks{},
					part{name: "tasks", list: encodeAll(t, out, tasks)}, part{name: "completed_tasks", list: encodeAll(t, out, over)})},
				part{name: "get_frameworks", one: c.message(&master.Response_GetFrameworks{})},
				part{name: "get_agents", one: c.message(&master.Response_GetAgents{}, part{name: "recovered_agents", list: encodeAll(t, out, infos)})})
			composed := c.message(&master.Response{Type: whole.Type}, part{name: "get_state", one: state})
			want, err := out.Marshal(whole)
			if err != nil || c.texts.err != nil {
				t.Fatal(err, c.texts.err)
			}
			got := composed.encode().join()
			if !bytes.Equal(got, want) {
				t.Errorf("%s of %d: got\n%q, want\n%q", out.ContentType(), n, got, want)
			}
		}
	}
}

func encodeAll[M proto.Message](t *testing.T, out codec.Codec, list []M) (all [][]byte) {
	t.Helper()
	for _, m := range list {
		text, err := out.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if out == codec.JSON {
			text = append([]byte(","), text...)
		}
		all = append(all, text)
	}
	return all
}
