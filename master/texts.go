package master

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"mezzo/api/ids"
	"mezzo/master/core"
)

// texts remembers what was written of tasks, which never change, and of agents, which
// seldom do: of a large cluster, most of a document is what it was a moment before.
type texts struct {
	mu     sync.Mutex
	tasks  map[*core.Task][]byte
	agents map[ids.AgentID]agentText
}

type agentText struct {
	agent core.Agent
	text  []byte
}

// assembly is a document while it is made: what is small is encoded as ever, with
// marks where the long lists belong.
type assembly struct {
	mark  string // nobody can guess it, so that nobody can write one
	lists [][][]byte
	err   error
	texts *texts
}

// minTexts are remembered in any case.
const minTexts = 1000

// assemble makes a document of s by what making returns. If much more is remembered
// than there is in s, or something went wrong, all of that is forgotten.
func (x *texts) assemble(s *core.Snapshot, making func(*assembly) any) ([]byte, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tasks == nil {
		x.tasks, x.agents = map[*core.Task][]byte{}, map[ids.AgentID]agentText{}
	}
	a := &assembly{mark: rand.Text(), texts: x}
	head, err := json.Marshal(making(a))
	if err == nil {
		err = a.err
	}
	if tasks, agents := countTasks(s), len(s.Agents); err != nil || len(x.tasks) > tasks+tasks/2+minTexts || len(x.agents) > agents+agents/2+minTexts {
		x.tasks, x.agents = nil, nil
	}
	if err != nil {
		return nil, err
	}
	return a.splice(head), nil
}

func countTasks(s *core.Snapshot) (n int) {
	for _, list := range [][]core.FrameworkView{s.Frameworks, s.Completed} {
		for i := range list {
			n += len(list[i].Tasks) + len(list[i].Unreachable) + len(list[i].Finished)
		}
	}
	return n
}

// later stands for a list in what is encoded.
func (a *assembly) later(list [][]byte) json.RawMessage {
	a.lists = append(a.lists, list)
	return json.RawMessage(`"` + a.mark + strconv.Itoa(len(a.lists)-1) + `"`)
}

// splice puts the lists where their marks are.
func (a *assembly) splice(head []byte) []byte {
	size := len(head)
	for _, list := range a.lists {
		for _, text := range list {
			size += len(text) + 1
		}
	}
	out := make([]byte, 0, size)
	mark := []byte(`"` + a.mark)
	for {
		before, rest, ok := bytes.Cut(head, mark)
		out = append(out, before...)
		if !ok {
			return out
		}
		number, after, _ := bytes.Cut(rest, []byte(`"`))
		n, err := strconv.Atoi(string(number))
		if err != nil || n >= len(a.lists) {
			panic(fmt.Sprintf("mark %q in a document", number)) // of our own making
		}
		out = append(out, '[')
		for i, text := range a.lists[n] {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, text...)
		}
		out = append(out, ']')
		head = after
	}
}

// encode is v as JSON.
func (a *assembly) encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		a.err = err
	}
	return text
}

func (a *assembly) taskList(list []*core.Task) json.RawMessage {
	out := make([][]byte, len(list))
	for i, t := range list {
		text, ok := a.texts.tasks[t]
		if !ok {
			text = a.encode(modelTask(t))
			a.texts.tasks[t] = text
		}
		out[i] = text
	}
	return a.later(out)
}

func (a *assembly) agentList(list []core.Agent, id string) json.RawMessage {
	var out [][]byte
	for i := range list {
		one := &list[i]
		if id != "" && string(one.ID) != id {
			continue
		}
		was, ok := a.texts.agents[one.ID]
		if !ok || !sameAgent(&was.agent, one) {
			was = agentText{*one, a.encode(modelAgent(one))}
			a.texts.agents[one.ID] = was
		}
		out = append(out, was.text)
	}
	return a.later(out)
}

// sameAgent tells whether nothing has changed that is shown of an agent. Messages in
// it are replaced whole.
func sameAgent(a, b *core.Agent) bool {
	return a.ID == b.ID && a.Info == b.Info && a.Version == b.Version && a.Address == b.Address && a.IP == b.IP &&
		slices.Equal(a.Capabilities, b.Capabilities) && a.Connected == b.Connected && a.Deactivated == b.Deactivated &&
		a.Drain == b.Drain && a.DrainStarted.Equal(b.DrainStarted) && a.Unavailability == b.Unavailability &&
		a.Registered.Equal(b.Registered) && a.Reregistered.Equal(b.Reregistered) &&
		a.Total.Equal(b.Total) && a.Used.Equal(b.Used) && a.Offered.Equal(b.Offered)
}
