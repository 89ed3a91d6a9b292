package core

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/task"
	"mezzo/agent/updates"
	"mezzo/api/ids"
	"mezzo/api/labels"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
)

// entry is one task: its life, its container and its updates.
type entry struct {
	framework *framework
	info      *v1.TaskInfo
	agent     ids.AgentID // whose sandbox it has
	container ids.ContainerID
	limits    isolator.Limits
	grace     time.Duration

	life     *task.Task
	probes   probes
	stream   updates.Stream
	statuses []*v1.TaskStatus // the newest of each run of one state
	pid      uint32
	held     bool     // a container exists, or a launch may still make one
	told     *v1.Task // cache of proto

	executor    *executor // who runs it, or whose group it is in; nil: it is alone
	groupNumber int64     // tasks with the same live and die together; 0: none
	killing     bool      // its executor was told to end it

	arrived   int64     // orders tasks
	completed time.Time // when nothing was owed any more; zero: something is
	fixed     bool      // what never changes is saved
	dirty     bool      // in Core.dirty
	forgotten bool      // not kept any more
}

func (e *entry) id() string { return e.info.GetTaskId().GetValue() }

func (e *entry) attrs(more ...Attr) []Attr {
	return append([]Attr{
		{"framework_id", e.framework.id()}, {"task_id", e.id()}, {"container_id", string(e.container)},
	}, more...)
}

// newEntry makes a live task.
func (c *Core) newEntry(f *framework, ev RunTask) *entry {
	e := &entry{
		framework: f,
		info:      ev.Task,
		agent:     ids.AgentID(c.agentID()),
		container: containerID(c.cfg.NewID()),
		limits:    ev.Limits,
		grace:     graceOf(ev.Task),
	}
	e.probes = newProbes(ev.Task)
	c.lastArrived = max(c.lastArrived+1, c.now.UnixNano())
	e.arrived = c.lastArrived
	e.life = task.New(c.taskConfig(f, ev.Task, ev.What, ev.Limits))
	f.tasks = append(f.tasks, e)
	c.live = append(c.live, e)
	c.containers[e.container] = e
	return e
}

func (c *Core) taskConfig(f *framework, i *v1.TaskInfo, what string, l isolator.Limits) task.Config {
	return task.Config{
		What:          what,
		Grace:         graceOf(i),
		MaxCompletion: span(i.GetMaxCompletionTime().GetNanoseconds()),
		MemLimitBytes: l.MemLimitBytes,
		DiskBytes:     diskBytes(i.GetResources()),
		TellKilling:   f.has(v1.FrameworkInfo_Capability_TASK_KILLING_STATE),
	}
}

func graceOf(i *v1.TaskInfo) time.Duration {
	if g := i.GetKillPolicy().GetGracePeriod(); g != nil {
		return span(g.GetNanoseconds())
	}
	return task.DefaultGrace
}

// containerID writes a random id as UUIDs are written.
func containerID(b [16]byte) ids.ContainerID {
	return ids.ContainerID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}

// step lets ev happen to e and passes on what it causes.
func (c *Core) step(e *entry, ev task.Event) {
	c.save(e)
	from := e.life.State()
	effects, err := e.life.Step(c.now, ev)
	if err != nil {
		c.trace(Warn, "event out of turn", e.attrs(Attr{"err", err.Error()})...)
		return
	}
	for _, effect := range effects {
		switch effect := effect.(type) {
		case task.Update:
			c.update(e, effect)
		case task.Launch:
			e.held = true
			c.emit(c.launch(e))
		case task.PassKill:
			e.killing = true
			c.tellKill(e.executor, e, effect.Grace)
		case task.Abort:
			c.emit(Abort{e.container})
		case task.Terminate:
			c.emit(Terminate{e.container})
		case task.Slay:
			c.emit(Slay{e.container})
		case task.Destroy:
			c.emit(Destroy{e.container})
		}
	}
	if e.life.State() == task.Done {
		c.overIfDone(e)
	}
	if to := e.life.State(); to != from {
		c.trace(Debug, "task moved", e.attrs(Attr{"from", from.String()}, Attr{"to", to.String()})...)
	}
}

func (c *Core) launch(e *entry) Launch {
	l := Launch{Container: e.container, Agent: e.agent, Framework: e.framework.info, Task: e.info, DiskBytes: diskBytes(e.info.GetResources())}
	if e.executor != nil {
		l.Parent, l.ExecutorID = e.executor.container, ids.ExecutorID(e.executor.id())
		l.Limits = e.executor.limits
	}
	return l
}

// newsDelay leaves a framework that is there the time to acknowledge.
const newsDelay = time.Second

// update puts a new status on the task's stream.
func (c *Core) update(e *entry, u task.Update) {
	id := c.cfg.NewID()
	s := c.status(e, u)
	s.Uuid = id[:]
	c.record(e, s, id, u)
	if e.life.State() == task.Done {
		c.endGroup(e)
	}
}

// record puts a status that is made on the task's stream.
func (c *Core) record(e *entry, s *v1.TaskStatus, id updates.UUID, u task.Update) {
	if _, err := e.stream.Add(updates.Update{UUID: id, Status: s, Terminal: task.Terminal(u.State)}); err != nil {
		c.trace(Warn, "dropped a status", e.attrs(Attr{"state", u.State.String()}, Attr{"err", err.Error()})...)
		return
	}
	if task.Terminal(u.State) {
		// A framework that is away acknowledges nothing, and the retries of what it
		// was sent before may be minutes apart; the task's resources are free now.
		e.stream.Hasten(c.now.Add(newsDelay))
	}
	if n := len(e.statuses); n > 0 && e.statuses[n-1].GetState() == u.State {
		e.statuses = e.statuses[:n-1]
	}
	e.statuses = append(e.statuses[:len(e.statuses):len(e.statuses)], s)
	e.changed()
	c.counters.count(u)
	attrs := e.attrs(Attr{"state", u.State.String()})
	if u.Reason != nil {
		attrs = append(attrs, Attr{"reason", u.Reason.String()})
	}
	if u.Message != "" {
		attrs = append(attrs, Attr{"message", u.Message})
	}
	c.trace(Info, "task state changed", attrs...)
}

// status is u as the framework will read it.
func (c *Core) status(e *entry, u task.Update) *v1.TaskStatus {
	s := &v1.TaskStatus{
		TaskId:     e.info.GetTaskId(),
		State:      u.State.Enum(),
		AgentId:    e.info.GetAgentId(),
		ExecutorId: e.executorID().Proto(),
		Timestamp:  proto.Float64(seconds(c.now)),
		Source:     u.Source.Enum(),
		Reason:     u.Reason,
	}
	if u.Message != "" {
		s.Message = proto.String(u.Message)
	}
	if len(u.Limitation) > 0 {
		s.Limitation = &v1.TaskResourceLimitation{Resources: u.Limitation}
	}
	if u.ExitCode != nil {
		s.Labels = labels.WithExitCode(*u.ExitCode)
	}
	if s.Healthy = e.probes.healthy; u.State != v1.TaskState_TASK_STARTING {
		s.CheckStatus = e.probes.status
	}
	if e.held || e.life.State() == task.Given {
		s.ContainerStatus = c.containerStatus(e)
	}
	return s
}

// containerStatus tells where a task's container is: on the host's network.
func (c *Core) containerStatus(e *entry) *v1.ContainerStatus {
	id, pid := e.container.Proto(), e.pid
	switch x := e.executor; {
	case x == nil:
	case x.group:
		id.Parent = x.container.Proto()
	default:
		id, pid = x.container.Proto(), x.pid
	}
	s := &v1.ContainerStatus{
		ContainerId: id,
		NetworkInfos: []*v1.NetworkInfo{{IpAddresses: []*v1.NetworkInfo_IPAddress{{
			Protocol: v1.NetworkInfo_IPv4.Enum(), IpAddress: proto.String(c.cfg.IP),
		}}}},
	}
	if pid != 0 {
		s.ExecutorPid = proto.Uint32(pid)
	}
	return s
}

// send puts an update on the stream to the master, with the newest state if
// that is another.
func (c *Core) send(e *entry, u updates.Update) {
	m := &link.StatusUpdate{FrameworkId: e.framework.info.GetId(), Status: u.Status}
	if newest, _ := e.stream.Latest(); newest.UUID != u.UUID {
		m.Latest = newest.Status
	}
	c.emit(Send{&link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: m}}})
}

// executorID is the task's own id where no executor has it.
func (e *entry) executorID() ids.ExecutorID {
	if e.executor != nil {
		return ids.ExecutorID(e.executor.id())
	}
	return ids.ExecutorID(e.id())
}

// changed drops what was derived from the statuses.
func (e *entry) changed() { e.told = nil }

// proto is the task as masters and readers know it; never changed once made.
func (e *entry) proto() *v1.Task {
	if e.told != nil {
		return e.told
	}
	t := &v1.Task{
		Name:        proto.String(e.info.GetName()),
		TaskId:      e.info.GetTaskId(),
		FrameworkId: e.framework.info.GetId(),
		ExecutorId:  e.executorID().Proto(),
		AgentId:     e.info.GetAgentId(),
		State:       v1.TaskState_TASK_STAGING.Enum(),
		Resources:   e.info.GetResources(),
		Statuses:    e.statuses,
		Labels:      e.info.GetLabels(),
		Discovery:   e.info.GetDiscovery(),
		Container:   e.info.GetContainer(),
		HealthCheck: e.info.GetHealthCheck(),
		KillPolicy:  e.info.GetKillPolicy(),
		Limits:      e.info.GetLimits(),
	}
	if n := len(e.statuses); n > 0 {
		t.State = e.statuses[n-1].State
	}
	if u, ok := e.stream.Head(); ok {
		t.StatusUpdateState, t.StatusUpdateUuid = u.Status.State, u.UUID[:]
	}
	if user := e.info.GetCommand().GetUser(); user != "" {
		t.User = proto.String(user)
	} else if user := e.framework.info.GetUser(); user != "" {
		t.User = proto.String(user)
	}
	e.told = t
	return t
}

// seconds is a time as the wire has it.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
