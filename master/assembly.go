package master

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"

	"mezzo/master/core"
)

// assembly is a document while it is made: what is small is encoded as ever, with
// marks where the long lists belong.
type assembly struct {
	mark  string // nobody can guess it, so that nobody can write one
	lists [][][]byte
	texts *texts
}

// assemble makes a document of s by what making returns.
func (x *texts) assemble(s *core.Snapshot, making func(*assembly) any) ([]byte, error) {
	return x.use(s, func() ([]byte, error) {
		a := &assembly{mark: rand.Text(), texts: x}
		head, err := json.Marshal(making(a))
		if err != nil {
			return nil, err
		}
		return a.splice(head), nil
	})
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

func (a *assembly) taskList(list []*core.Task) json.RawMessage {
	return a.later(a.texts.taskList(list))
}

func (a *assembly) executorList(list []*core.Executor) json.RawMessage {
	return a.later(a.texts.executorList(list))
}

// agentList is that of all, or of the one of that id.
func (a *assembly) agentList(list []core.Agent, id string) json.RawMessage {
	if id == "" {
		return a.later(a.texts.agentList(list))
	}
	for i := range list {
		if string(list[i].ID) == id {
			return a.later(a.texts.agentList(list[i : i+1]))
		}
	}
	return a.later(nil)
}
