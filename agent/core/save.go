package core

import (
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/task"
	"mezzo/agent/updates"
	"mezzo/api/checkpoint"
	v1 "mezzo/api/mesos/v1"
)

// Key names a record of what outlives the process.
type Key struct {
	Kind RecordKind
	ID   string // a framework's, or a container's
}

// RecordKind says what a record is.
type RecordKind int

// Kinds of records: checkpoint.Framework, Task, Life, Executor, Operation, and the
// one Converted.
const (
	FrameworkRecord RecordKind = iota
	TaskRecord
	LifeRecord
	ExecutorRecord
	OperationRecord
	ConvertedRecord
)

// Save asks for a record to be made durable before any effect after it is
// carried out; a nil Record for its removal.
type Save struct {
	Key    Key
	Record proto.Message
}

func (Save) isEffect() {}

// save notes that what is kept of e is no longer true.
func (c *Core) save(e *entry) {
	if !e.dirty {
		e.dirty = true
		c.dirty = append(c.dirty, e)
	}
}

// saves are the records that changed in a step.
func (c *Core) saves() []Effect {
	var out []Effect
	for _, f := range c.dirtyFrameworks {
		f.dirty = false
		out = append(out, f.save())
	}
	for _, x := range c.dirtyExecutors {
		x.dirty = false
		out = append(out, x.save(c.now))
	}
	for _, e := range c.dirty {
		e.dirty = false
		life, fixed := Key{LifeRecord, string(e.container)}, Key{TaskRecord, string(e.container)}
		if e.forgotten {
			out = append(out, Save{Key: life}, Save{Key: fixed})
			continue
		}
		if !e.fixed {
			e.fixed = true
			out = append(out, Save{fixed, e.fixedRecord()})
		}
		out = append(out, Save{life, e.lifeRecord(c.now)})
	}
	c.dirty, c.dirtyFrameworks, c.dirtyExecutors = nil, nil, nil
	return out
}

func (c *Core) saveFramework(f *framework) {
	if !f.dirty {
		f.dirty = true
		c.dirtyFrameworks = append(c.dirtyFrameworks, f)
	}
}

func (f *framework) save() Save {
	key := Key{FrameworkRecord, f.id()}
	if f.forgotten {
		return Save{Key: key}
	}
	return Save{key, &checkpoint.Framework{Info: f.info, Removed: f.removed}}
}

func (c *Core) saveExecutor(x *executor) {
	if !x.dirty {
		x.dirty = true
		c.dirtyExecutors = append(c.dirtyExecutors, x)
	}
}

func (x *executor) save(now time.Time) Save {
	key := Key{ExecutorRecord, string(x.container)}
	if x.forgotten {
		return Save{Key: key}
	}
	r := &checkpoint.Executor{
		FrameworkId: x.framework.info.GetId(), ContainerId: string(x.container), AgentId: x.agent.Proto(),
		Info: x.info, Arrived: x.arrived, Group: x.group, Pid: x.pid, Held: x.held, Given: x.given,
	}
	if !x.group {
		r.State, r.Deadline, r.EndMessage = uint32(x.life.State), nanos(x.life.Deadline), x.life.End.Message
		r.Left = left(now, x.life.Deadline)
		if reason := x.life.End.Reason; reason != nil {
			r.EndReason = proto.Int32(int32(*reason))
		}
	}
	return Save{key, r}
}

// left is what a deadline leaves; nil: there is none. Whoever writes it down adds
// since when.
func left(now, deadline time.Time) *checkpoint.Left {
	if deadline.IsZero() {
		return nil
	}
	return &checkpoint.Left{Time: int64(deadline.Sub(now))}
}

func (e *entry) fixedRecord() *checkpoint.Task {
	t := &checkpoint.Task{
		FrameworkId: e.framework.info.GetId(), ContainerId: string(e.container), AgentId: e.agent.Proto(),
		Info: e.info, Arrived: e.arrived, Group: e.groupNumber,
	}
	if e.executor != nil {
		t.ExecutorId, t.ExecutorContainerId = e.executor.id(), string(e.executor.container)
	}
	return t
}

func (e *entry) lifeRecord(now time.Time) *checkpoint.Life {
	life, stream := e.life.Save(), e.stream.Save()
	r := &checkpoint.Life{
		State: uint32(life.State), EndState: int32(life.End.State), EndMessage: life.End.Message,
		Grace: int64(life.Grace), Deadline: nanos(life.Deadline), Left: left(now, life.Deadline),
		Statuses: e.statuses, Ended: stream.Ended, Pid: e.pid, Held: e.held, Completed: nanos(e.completed), Killing: e.killing,
	}
	if life.End.Reason != nil {
		r.EndReason = proto.Int32(int32(*life.End.Reason))
	}
	for _, u := range stream.Queue {
		r.Unacknowledged = append(r.Unacknowledged, u.Status)
	}
	for _, id := range stream.Acked {
		r.Acknowledged = append(r.Acknowledged, id[:])
	}
	return r
}

// restore makes the parts of e that change of their record.
func (e *entry) restore(cfg task.Config, r *checkpoint.Life) (err error) {
	saved := task.Saved{
		State: task.State(r.GetState()), Grace: span(r.GetGrace()), Deadline: moment(r.GetDeadline()),
		End: task.End{State: v1.TaskState(r.GetEndState()), Message: r.GetEndMessage()},
	}
	if r.EndReason != nil {
		saved.End.Reason = v1.TaskStatus_Reason(r.GetEndReason()).Enum()
	}
	if e.life, err = task.Restore(cfg, saved); err != nil {
		return err
	}
	stream := updates.Saved{Ended: r.GetEnded()}
	for _, s := range r.GetUnacknowledged() {
		id, err := updates.ParseUUID(s.GetUuid())
		if err != nil {
			return err
		}
		stream.Queue = append(stream.Queue, updates.Update{UUID: id, Status: s, Terminal: task.Terminal(s.GetState())})
	}
	for _, b := range r.GetAcknowledged() {
		id, err := updates.ParseUUID(b)
		if err != nil {
			return err
		}
		stream.Acked = append(stream.Acked, id)
	}
	e.stream, e.statuses = updates.Restore(stream), r.GetStatuses()
	e.pid, e.held, e.completed, e.killing = r.GetPid(), r.GetHeld(), moment(r.GetCompleted()), r.GetKilling()
	return nil
}
