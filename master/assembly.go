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
func (x *texts) assemble(s *core.Snapshot, making func(*assembly) any) (pieces, error) {
	return x.use(s, func() (pieces, error) {
		a := &assembly{mark: rand.Text(), texts: x}
		head, err := json.Marshal(making(a))
		if err == nil {
			err = x.err
		}
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
func (a *assembly) splice(head []byte) (all pieces) {
	mark := []byte(`"` + a.mark)
	for {
		before, rest, ok := bytes.Cut(head, mark)
		all = append(all, before)
		if !ok {
			return all
		}
		number, after, _ := bytes.Cut(rest, []byte(`"`))
		n, err := strconv.Atoi(string(number))
		if err != nil || n >= len(a.lists) {
			panic(fmt.Sprintf("mark %q in a document", number)) // of our own making
		}
		all = all.appendList(a.lists[n])
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
