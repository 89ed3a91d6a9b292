package core

import (
	"time"

	"mezzo/agent/task"
	"mezzo/api/ids"
	"mezzo/internal/errs"
)

// of returns the live task of a container; nil and a trace if there is none.
func (c *Core) of(id ids.ContainerID, event string) *entry {
	e := c.containers[id]
	if e == nil {
		c.trace(Warn, "event of an unknown container", Attr{"container_id", string(id)}, Attr{"event", event})
	}
	return e
}

func (c *Core) launched(ev Launched) {
	if x := c.executors[ev.Container]; x != nil {
		c.executorLaunched(x, ev.PID)
		return
	}
	if e := c.of(ev.Container, "launched"); e != nil {
		e.pid = ev.PID
		c.save(e)
		c.step(e, task.Launched{})
		if e.life.State() == task.Running {
			c.startProbes(e)
		}
	}
}

// progressEvery is the least time between two updates that tell of a launch.
const progressEvery = 5 * time.Second

// progressed tells of a launch that takes its time, once the framework has
// taken what it was told before.
func (c *Core) progressed(ev Progressed) {
	e := c.containers[ev.Container]
	if e == nil || e.life.State() != task.Starting || e.stream.Pending() > 0 {
		return
	}
	if last := e.statuses[len(e.statuses)-1]; seconds(c.now)-last.GetTimestamp() >= progressEvery.Seconds() {
		c.step(e, task.Progress{What: ev.What})
	}
}

func (c *Core) launchFailed(ev LaunchFailed) {
	if x := c.executors[ev.Container]; x != nil {
		c.executorLaunchFailed(x, ev)
		return
	}
	e := c.of(ev.Container, "launch failed")
	if e == nil {
		return
	}
	if e.life.State() == task.Starting {
		c.counters.LaunchErrors++
	}
	c.step(e, task.LaunchFailed{Why: errs.Text(ev.Err), ExitCode: ev.ExitCode})
	e.held = false
	c.save(e)
	c.retire(e)
}

func (c *Core) exited(ev Exited) {
	if x := c.executors[ev.Container]; x != nil {
		c.executorExited(x, ev.Exit)
		return
	}
	if e := c.of(ev.Container, "exited"); e != nil {
		c.step(e, ev.Exit)
	}
}

// destroyed lets a container go. One that could not be removed is not waited
// for: the shell goes on trying, and the next recovery finds what is left.
func (c *Core) destroyed(ev Destroyed) {
	if x := c.executors[ev.Container]; x != nil {
		c.executorDestroyed(x, ev.Err)
		return
	}
	e := c.of(ev.Container, "destroyed")
	if e == nil {
		return
	}
	if ev.Err != nil {
		c.counters.DestroyErrors++
		c.trace(Warn, "container left behind", e.attrs(Attr{"err", ev.Err.Error()})...)
	}
	e.held = false
	c.save(e)
	c.retire(e)
}
