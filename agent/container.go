package agent

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"mezzo/agent/core"
	"mezzo/agent/fetch"
	"mezzo/agent/launch"
	"mezzo/agent/sandbox"
	"mezzo/agent/task"
	"mezzo/api/ids"
	"mezzo/api/link"
	"mezzo/containerizer"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

const (
	// maxLaunches may be under way at once; images bound their pulls themselves.
	maxLaunches = 32

	signalTimeout  = 10 * time.Second
	destroyTimeout = 30 * time.Second
	destroyTries   = 3
	// launchPatience is how long a launch waits for a containerd that is away.
	launchPatience = 30 * time.Second
	// retryPause is between two tries of what failed for a reason that may pass,
	// such as a containerd that restarts.
	retryPause = time.Second
	// maxRemovePause is the longest between two rounds of such tries.
	maxRemovePause = 10 * time.Minute
)

const (
	term = syscall.SIGTERM
	kill = syscall.SIGKILL
)

// container is what the shell knows of one: from the launch to the end of its
// destruction.
type container struct {
	framework ids.FrameworkID
	task      ids.TaskID
	limits    isolator.Limits
	abort     context.CancelFunc // of its launch
	running   bool
	last      *isolator.Usage // the newest sample; never changed
}

// runTask plans a task, to know whether it ever can run here.
func (l *loop) runTask(r *link.RunTask) {
	if r.GetFramework() == nil || r.GetTask() == nil {
		l.log.Warn("ignored a task without framework or task")
		return
	}
	p, err := launch.New(launch.Task{Framework: r.Framework, Info: r.Task, Endpoint: l.endpoint, Sandbox: "/"})
	if err == nil {
		err = fetch.Check(p.URIs)
	}
	l.step(core.RunTask{
		Framework: r.Framework, Task: r.Task, Refusal: err,
		What: launch.Describe(r.Task), Limits: p.Spec.Limits,
	})
}

// launch starts a container.
func (l *loop) launch(e core.Launch) {
	ctx, abort := context.WithCancel(l.ctx)
	c := &container{
		framework: ids.FrameworkID(e.Framework.GetId().GetValue()),
		task:      ids.TaskID(e.Task.GetTaskId().GetValue()),
		abort:     abort,
	}
	l.containers[e.Container] = c
	l.workers.Go(func() {
		defer abort()
		spec, launched, err := l.start(ctx, e)
		l.result(func() {
			if err != nil {
				delete(l.containers, e.Container)
				failed := core.LaunchFailed{Container: e.Container, Err: err}
				if command := (*containerizer.CommandError)(nil); errors.As(err, &command) {
					failed.ExitCode = &command.Code
				}
				l.step(failed)
				return
			}
			c.running, c.limits = true, spec.Limits
			l.step(core.Launched{Container: e.Container, PID: launched.PID})
			l.wait(e.Container)
		})
		// A launch that fails leaves nothing, unless containerd went away under it.
		if id := isolator.ID(e.Container); err != nil && l.remove(l.ctx, id) != nil {
			l.goOnRemoving(id)
		}
	})
}

// start makes the sandbox and the container, in a worker.
func (l *loop) start(ctx context.Context, e core.Launch) (containerizer.Spec, containerizer.Launched, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return containerizer.Spec{}, containerizer.Launched{}, ctx.Err()
	}
	run := sandbox.Run{
		Agent:     e.Agent,
		Framework: ids.FrameworkID(e.Framework.GetId().GetValue()),
		Executor:  ids.ExecutorID(e.Task.GetTaskId().GetValue()),
		Container: e.Container,
	}
	p, err := launch.New(launch.Task{
		Container: e.Container, Agent: e.Agent, Endpoint: l.endpoint,
		Framework: e.Framework, Info: e.Task, Sandbox: run.Path(l.cfg.WorkDir),
	})
	if err != nil {
		return p.Spec, containerizer.Launched{}, err
	}
	if _, err := sandbox.Make(l.cfg.WorkDir, run, p.Dirs); err != nil {
		return p.Spec, containerizer.Launched{}, err
	}
	if len(p.URIs) > 0 {
		p.Spec.Fill = func(ctx context.Context, uid, gid uint32) error { return l.fill(ctx, p, uid, gid) }
	}
	launched, err := l.launchWithPatience(ctx, p.Spec)
	return p.Spec, launched, err
}

// launchWithPatience tries again for a while if containerd can't be reached: a
// launch may be repeated, and a task should not fail for a restart.
func (l *loop) launchWithPatience(ctx context.Context, s containerizer.Spec) (containerizer.Launched, error) {
	deadline := time.Now().Add(launchPatience)
	for {
		launched, err := l.deps.Containers.Launch(ctx, s)
		if errors.Is(err, containerizer.ErrEnded) { // it was started by a try before
			return launched, nil
		}
		if err == nil || !containerizer.DaemonAway(err) || ctx.Err() != nil || time.Now().After(deadline) {
			return launched, err
		}
		l.log.Warn("launch a container, again soon", "container_id", s.ID, "err", err)
		l.progressed(ids.ContainerID(s.ID), "Waiting: "+errs.Text(err))
		if pause(ctx, retryPause) != nil {
			return launched, err
		}
	}
}

// adopt waits for a container that an earlier agent launched.
func (l *loop) adopt(e core.Adopt) {
	l.containers[e.Container] = &container{
		framework: e.Framework, task: e.Task, limits: e.Limits, abort: func() {}, running: true,
	}
	l.wait(e.Container)
}

// wait reports the exit of a container, once.
func (l *loop) wait(id ids.ContainerID) {
	l.workers.Go(func() {
		t, err := l.await(isolator.ID(id))
		if err != nil {
			return // the agent ends
		}
		l.result(func() {
			if c := l.containers[id]; c != nil {
				c.running = false
				l.lastSample(id, c, t.Usage)
			}
			l.step(core.Exited{Container: id, Exit: task.Exited{Code: t.Code, Unknown: t.Unknown, Limitation: t.Limitation}})
		})
	})
}

// await waits through whatever passes. An error means that the agent ends.
func (l *loop) await(id isolator.ID) (containerizer.Termination, error) {
	for {
		t, err := l.deps.Containers.Wait(l.ctx, id)
		switch {
		case err == nil:
			return t, nil
		case l.ctx.Err() != nil:
			return t, l.ctx.Err()
		case errors.Is(err, errs.NotFound):
			return containerizer.Termination{Unknown: true}, nil
		}
		l.log.Warn("wait for a container, again soon", "container_id", id, "err", err)
		if err := pause(l.ctx, retryPause); err != nil {
			return t, err
		}
	}
}

// signal sends sig, and again if containerd is not there for a moment. That it
// arrived is seen by the exit, that it didn't by the next of the core's tries.
func (l *loop) signal(id ids.ContainerID, sig syscall.Signal) {
	l.workers.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, signalTimeout)
		defer cancel()
		for {
			err := l.deps.Containers.Signal(ctx, isolator.ID(id), sig)
			if err == nil || errors.Is(err, errs.NotFound) {
				return
			}
			l.log.Warn("signal a container", "container_id", id, "signal", sig, "err", err)
			if !errors.Is(err, errs.Unavailable) || pause(ctx, retryPause) != nil {
				return
			}
		}
	})
}

// destroy removes what is left of a container.
func (l *loop) destroy(id ids.ContainerID) {
	l.workers.Go(func() {
		err := l.remove(l.ctx, isolator.ID(id))
		l.result(func() {
			delete(l.containers, id)
			l.step(core.Destroyed{Container: id, Err: err})
		})
		if err != nil {
			l.goOnRemoving(isolator.ID(id))
		}
	})
}

// goOnRemoving tries to remove a container that resists, less and less often,
// until it is gone or the agent ends.
func (l *loop) goOnRemoving(id isolator.ID) {
	for wait := retryPause; pause(l.ctx, wait) == nil; wait = min(2*wait, maxRemovePause) {
		if err := l.remove(l.ctx, id); err != nil {
			l.log.Warn("container resists its removal", "container_id", id, "err", err)
			continue
		}
		l.log.Info("container left behind is removed", "container_id", id)
		return
	}
}

// remove destroys a container, in a few tries.
func (l *loop) remove(ctx context.Context, id isolator.ID) (err error) {
	for try := range destroyTries {
		if try > 0 {
			if err := pause(ctx, retryPause); err != nil {
				return fmt.Errorf("destroy container %s: %w", id, err)
			}
		}
		once, cancel := context.WithTimeout(ctx, destroyTimeout)
		err = l.deps.Containers.Destroy(once, id)
		cancel()
		if err == nil || errors.Is(err, errs.NotFound) {
			return nil
		}
	}
	return err
}
