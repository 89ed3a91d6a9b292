package executor

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/internal/errs"
)

// pending is what the agent may not have in safety, and so what the next
// SUBSCRIBE has to carry. It is pure: no I/O, clock or randomness. The zero
// value is empty.
//
//	launch ──► tasks ─────┐
//	                      ├──► acknowledge(uuid): out of both
//	update ──► updates ───┘
//
// Messages in it are its own and never change.
type pending struct {
	tasks   []*v1.TaskInfo   // no update acknowledged, in the order of launch
	updates []*v1.TaskStatus // not acknowledged, oldest first

	// Launched, until its terminal update is acknowledged; true: that was made.
	ended map[ids.TaskID]bool
}

// launch takes in tasks that the agent hands over, all or none.
//
// Errors: errs.Exists if one is here already.
func (p *pending) launch(tasks ...*v1.TaskInfo) error {
	for i, t := range tasks {
		id := taskID(t)
		same := func(other *v1.TaskInfo) bool { return taskID(other) == id }
		if _, here := p.ended[id]; here || slices.ContainsFunc(tasks[:i], same) {
			return fmt.Errorf("launch task %q again: %w", id, errs.Exists)
		}
	}
	if p.ended == nil {
		p.ended = make(map[ids.TaskID]bool)
	}
	for _, t := range tasks {
		p.ended[taskID(t)] = false
		p.tasks = append(p.tasks, proto.CloneOf(t))
	}
	return nil
}

// update keeps s, which has a uuid of its own and is pending's from now on. A
// task that was not launched here may have updates, too: the answer to a kill.
//
// Errors: errs.Conflict after the terminal update.
func (p *pending) update(s *v1.TaskStatus) error {
	id := ids.TaskID(s.GetTaskId().GetValue())
	ended, here := p.ended[id]
	if ended {
		return fmt.Errorf("update %s of task %q after the terminal one: %w", s.GetState(), id, errs.Conflict)
	}
	if here && terminal(s.GetState()) {
		p.ended[id] = true
	}
	p.updates = append(p.updates, s)
	return nil
}

// acknowledge forgets the update that the agent has, and the task as one to be
// told of: the agent knows it if it knows its update. It returns the update, nil
// if it is not here (any more).
func (p *pending) acknowledge(id ids.TaskID, uuid []byte) *v1.TaskStatus {
	s := p.remove(id, uuid)
	if s == nil {
		return nil
	}
	p.tasks = slices.DeleteFunc(p.tasks, func(t *v1.TaskInfo) bool { return taskID(t) == id })
	if terminal(s.GetState()) {
		delete(p.ended, id)
	}
	return s
}

// withdraw forgets an update that the agent will never take, as if it had not
// been made.
func (p *pending) withdraw(s *v1.TaskStatus) {
	id := ids.TaskID(s.GetTaskId().GetValue())
	removed := p.remove(id, s.GetUuid())
	if _, here := p.ended[id]; here && terminal(removed.GetState()) {
		p.ended[id] = false
	}
}

func (p *pending) remove(id ids.TaskID, uuid []byte) *v1.TaskStatus {
	i := slices.IndexFunc(p.updates, func(s *v1.TaskStatus) bool {
		return s.GetTaskId().GetValue() == string(id) && bytes.Equal(s.GetUuid(), uuid)
	})
	if i < 0 {
		return nil
	}
	s := p.updates[i]
	p.updates = slices.Delete(p.updates, i, i+1)
	return s
}

// subscribe is what the next SUBSCRIBE carries.
func (p *pending) subscribe() *wire.Call_Subscribe {
	sub := &wire.Call_Subscribe{UnacknowledgedTasks: slices.Clone(p.tasks)}
	for _, s := range p.updates {
		sub.UnacknowledgedUpdates = append(sub.UnacknowledgedUpdates, &wire.Call_Update{Status: s})
	}
	return sub
}

func taskID(t *v1.TaskInfo) ids.TaskID { return ids.TaskID(t.GetTaskId().GetValue()) }

// terminal says that no update follows one of state s.
func terminal(s v1.TaskState) bool {
	switch s {
	case v1.TaskState_TASK_FINISHED, v1.TaskState_TASK_FAILED, v1.TaskState_TASK_KILLED,
		v1.TaskState_TASK_LOST, v1.TaskState_TASK_ERROR, v1.TaskState_TASK_DROPPED,
		v1.TaskState_TASK_GONE, v1.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	default:
		return false
	}
}
