package core

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/probe"
	"mezzo/agent/task"
	v1 "mezzo/api/mesos/v1"
)

// ProbeKind says which of a task's checks is meant.
type ProbeKind int

// Kinds of checks: TaskInfo.health_check and TaskInfo.check.
const (
	HealthCheck ProbeKind = iota
	GeneralCheck
)

// probes are the checks of one task, and what was told of them last.
type probes struct {
	health  *probe.Health
	check   *probe.Check
	healthy *bool
	status  *v1.CheckStatusInfo
}

func newProbes(i *v1.TaskInfo) (p probes) {
	if h := i.GetHealthCheck(); h != nil {
		p.health = probe.NewHealth(probe.OfHealthCheck(h))
	}
	if c := i.GetCheck(); c != nil {
		p.check = probe.NewCheck(c.GetType(), probe.OfCheck(c))
		p.status = p.check.Status()
	}
	return p
}

// restore takes over what the newest status told.
func (p *probes) restore(statuses []*v1.TaskStatus) {
	if len(statuses) == 0 {
		return
	}
	last := statuses[len(statuses)-1]
	if p.healthy = last.Healthy; last.GetCheckStatus() != nil {
		p.status = last.GetCheckStatus()
	}
}

// startProbes begins the checks of a task that runs.
func (c *Core) startProbes(e *entry) {
	if e.probes.health != nil {
		e.probes.health.Start(c.now)
	}
	if e.probes.check != nil {
		e.probes.check.Start(c.now)
	}
}

// resumeProbes goes on with those of a task that an earlier process began.
func (c *Core) resumeProbes(e *entry) {
	if e.probes.health != nil {
		e.probes.health.Resume(c.now, e.probes.healthy)
	}
	if e.probes.check != nil {
		e.probes.check.Resume(c.now)
	}
}

// fireProbes asks for the attempts that are due.
func (c *Core) fireProbes(e *entry) {
	if e.life.State() != task.Running {
		return
	}
	ask := func(k ProbeKind, a probe.Attempt) {
		c.emit(Probe{Container: e.container, PID: e.pid, Kind: k, Attempt: a, Task: e.info})
	}
	if h := e.probes.health; h != nil {
		if a, ok := h.Due(c.now); ok {
			ask(HealthCheck, a)
		}
	}
	if g := e.probes.check; g != nil {
		if a, ok := g.Due(c.now); ok {
			ask(GeneralCheck, a)
		}
	}
}

// probed judges the outcome of an attempt. A task that is being ended is not
// probed any more.
func (c *Core) probed(ev Probed) {
	e := c.containers[ev.Container]
	if e == nil || e.life.State() != task.Running {
		return
	}
	switch {
	case ev.Kind == HealthCheck && e.probes.health != nil:
		c.judgeHealth(e, ev)
	case ev.Kind == GeneralCheck && e.probes.check != nil:
		if e.probes.check.Result(c.now, ev.Number, ev.Outcome) {
			e.probes.status = e.probes.check.Status()
			c.news(e, v1.TaskStatus_REASON_TASK_CHECK_STATUS_UPDATED, ev.Outcome.Why)
		}
	}
}

func (c *Core) judgeHealth(e *entry, ev Probed) {
	h := e.probes.health
	v := h.Result(c.now, ev.Number, ev.Outcome.OK)
	if !v.Tell {
		return
	}
	e.probes.healthy = proto.Bool(v.Healthy)
	if !v.Kill {
		c.news(e, v1.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED, ev.Outcome.Why)
		return
	}
	c.step(e, task.Kill{End: task.End{
		Reason:  v1.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED.Enum(),
		Message: fmt.Sprintf("Killed for its health: checked %d times in a row without success; %s", h.Failures(), ev.Outcome.Why),
	}})
}

// news tells something of a task that runs. Of what waits to be told, the newest
// will do.
func (c *Core) news(e *entry, reason v1.TaskStatus_Reason, message string) {
	e.stream.Supersede(v1.TaskState_TASK_RUNNING)
	c.step(e, task.News{Reason: reason, Message: message})
}
