package master

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"mezzo/api/codec"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
)

// texts remembers what was written of tasks, executors and agents, in one form: of a
// large cluster, most of a document is what it was a moment before. A new sample of
// what they use changes nothing of it.
type texts struct {
	form form

	mu        sync.Mutex
	tasks     map[*v1.Task]taskText // by Info
	executors map[*v1.ExecutorInfo]executorText
	agents    map[ids.AgentID]agentText
	err       error       // the first, in the document that is made
	fading    *time.Timer // runs out when nobody asked for a while
}

// written is texts in all forms.
type written struct {
	legacy *texts
	calls  map[codec.Codec]*texts
}

func newWritten() written {
	return written{
		legacy: &texts{form: legacyForm},
		calls:  map[codec.Codec]*texts{codec.JSON: {form: callForm(codec.JSON)}, codec.Protobuf: {form: callForm(codec.Protobuf)}},
	}
}

// form is how one of them is written.
type form struct {
	comma    string // before each; see pieces.appendList
	task     func(*core.Task) ([]byte, error)
	executor func(*core.Executor) ([]byte, error)
	agent    func(*core.Agent) ([]byte, error)
}

// legacyForm is that of /state.
var legacyForm = form{
	comma:    ",",
	task:     func(t *core.Task) ([]byte, error) { return json.Marshal(modelTask(t)) },
	executor: func(x *core.Executor) ([]byte, error) { return json.Marshal(modelExecutor(x)) },
	agent:    func(a *core.Agent) ([]byte, error) { return json.Marshal(modelAgent(a)) },
}

// callForm is that of GET_STATE.
func callForm(out codec.Codec) form {
	comma := ""
	if out == codec.JSON {
		comma = ","
	}
	return form{
		comma:    comma,
		task:     func(t *core.Task) ([]byte, error) { return out.Marshal(t.Proto()) },
		executor: func(x *core.Executor) ([]byte, error) { return out.Marshal(showExecutor(x)) },
		agent:    func(a *core.Agent) ([]byte, error) { return out.Marshal(showAgent(a)) },
	}
}

type taskText struct {
	task *core.Task
	text []byte
}

type executorText struct {
	executor *core.Executor
	text     []byte
}

type agentText struct {
	agent core.Agent
	text  []byte
}

const (
	// minTexts are remembered in any case,
	minTexts = 1000
	// for so long after anybody asked.
	keepTexts = 5 * time.Minute
)

// use makes a document of s. If much more is remembered than there is in s, or
// something went wrong, all of that is forgotten.
func (x *texts) use(s *core.Snapshot, making func() (pieces, error)) (pieces, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tasks == nil {
		x.tasks, x.executors, x.agents = map[*v1.Task]taskText{}, map[*v1.ExecutorInfo]executorText{}, map[ids.AgentID]agentText{}
	}
	x.err = nil
	text, err := making()
	if err == nil {
		err = x.err
	}
	remembered, there := len(x.tasks)+len(x.executors)+len(x.agents), countTasks(s)+len(s.Executors)+len(s.Agents)
	if err != nil || remembered > there+there/2+minTexts {
		x.clear()
	}
	if x.fading == nil {
		x.fading = time.AfterFunc(keepTexts, x.forget)
	}
	x.fading.Reset(keepTexts)
	if err != nil {
		return nil, err
	}
	return text, nil
}

func (x *texts) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.clear()
}

func (x *texts) clear() { x.tasks, x.executors, x.agents = nil, nil, nil }

func countTasks(s *core.Snapshot) (n int) {
	for _, list := range [][]core.FrameworkView{s.Frameworks, s.Completed} {
		for i := range list {
			n += len(list[i].Tasks) + len(list[i].Unreachable) + len(list[i].Finished)
		}
	}
	return n
}

// failed notes what went wrong.
func (x *texts) failed(err error) {
	if err != nil && x.err == nil {
		x.err = err
	}
}

// element is a text as it stands in a list.
func (x *texts) element(text []byte, err error) []byte {
	x.failed(err)
	return append([]byte(x.form.comma), text...)
}

func (x *texts) taskList(list []*core.Task) [][]byte {
	out := make([][]byte, len(list))
	for i, t := range list {
		was, ok := x.tasks[t.Info]
		if !ok || was.task != t {
			if !ok || !sameTask(was.task, t) {
				was.text = x.element(x.form.task(t))
			}
			was.task = t
			x.tasks[t.Info] = was
		}
		out[i] = was.text
	}
	return out
}

func (x *texts) executorList(list []*core.Executor) [][]byte {
	out := make([][]byte, len(list))
	for i, e := range list {
		was, ok := x.executors[e.Info]
		if !ok || was.executor != e {
			if !ok || !sameExecutor(was.executor, e) {
				was.text = x.element(x.form.executor(e))
			}
			was.executor = e
			x.executors[e.Info] = was
		}
		out[i] = was.text
	}
	return out
}

func (x *texts) agentList(list []core.Agent) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		a := &list[i]
		was, ok := x.agents[a.ID]
		if !ok || !sameAgent(&was.agent, a) {
			was = agentText{*a, x.element(x.form.agent(a))}
			was.agent.Usage, was.agent.Sampled = nil, nil // nothing of which is shown
			x.agents[a.ID] = was
		}
		out[i] = was.text
	}
	return out
}

// sameTask tells whether nothing has changed that is shown of a task with the same
// Info.
func sameTask(a, b *core.Task) bool {
	return a.State == b.State && a.Agent == b.Agent && a.Told == b.Told && slices.Equal(a.ToldUUID, b.ToldUUID) &&
		slices.Equal(a.Statuses, b.Statuses) && a.Resources.Equal(b.Resources)
}

func sameExecutor(a, b *core.Executor) bool {
	return a.Agent == b.Agent && a.Resources.Equal(b.Resources)
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
