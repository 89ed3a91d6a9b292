package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"mezzo/agent/core"
	"mezzo/agent/fetch"
	"mezzo/agent/launch"
	"mezzo/agent/sandbox"
	"mezzo/agent/task"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
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
	// recoveryTimeout is how long executors wait for an agent that is away, and
	// subscriptionBackoffMax the longest they wait between two tries.
	//
	// Source: mesos slave/flags.cpp, slave/constants.hpp.
	recoveryTimeout        = 15 * time.Minute
	subscriptionBackoffMax = 2 * time.Second
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
	executor  ids.ExecutorID // whose container it is; empty: a task's
	limits    isolator.Limits
	group     ids.ContainerID    // empty: it is in none
	abort     context.CancelFunc // of its launch
	running   bool
	ending    bool            // it is being destroyed
	last      *isolator.Usage // the newest sample; never changed
	resizing  sync.Mutex      // held by the worker that changes its limits
	// throttleMilli is the most CPU that it may have for now, in 1/1000; 0: what
	// its limits say.
	throttleMilli int64
}

// runTask plans a task, to know whether it ever can run here.
func (l *loop) runTask(r *link.RunTask) {
	if r.GetFramework() == nil || r.GetTask() == nil {
		l.log.Warn("ignored a task without framework or task")
		return
	}
	l.step(l.planTask(r.Framework, r.Task, ""))
}

// planTask describes a task to the core; parent is the sandbox of its group.
func (l *loop) planTask(f *v1.FrameworkInfo, info *v1.TaskInfo, parent string) core.RunTask {
	ev := core.RunTask{Framework: f, Task: info, What: launch.Describe(info)}
	if info.GetExecutor() != nil {
		ev.Executor = &core.RunExecutor{Info: info.GetExecutor()}
		ev.Executor.What, ev.Executor.Limits, ev.Refusal = l.planExecutor(f, info.GetExecutor())
		var err error
		if ev.Limits, err = launch.Limits(info); ev.Refusal == nil {
			ev.Refusal = err
		}
		return ev
	}
	p, err := launch.New(launch.Task{Framework: f, Info: info, Endpoint: l.endpoint, Sandbox: "/", Parent: parent})
	if err == nil {
		err = fetch.Check(p.URIs)
	}
	ev.Refusal, ev.Limits = err, p.Spec.Limits
	return ev
}

// planExecutor describes a framework's own executor to the core.
func (l *loop) planExecutor(f *v1.FrameworkInfo, info *v1.ExecutorInfo) (what string, limits isolator.Limits, refusal error) {
	as := &v1.TaskInfo{Command: info.GetCommand(), Container: info.GetContainer(), Resources: info.GetResources()}
	if info.GetType() == v1.ExecutorInfo_DEFAULT { // the agent itself
		limits, refusal = launch.Limits(as)
		return "", limits, refusal
	}
	p, err := launch.NewExecutor(l.executor(core.Launch{Framework: f, Executor: info}, "/"))
	if err == nil {
		err = fetch.Check(p.URIs)
	}
	return launch.Describe(as), p.Spec.Limits, err
}

// executor is what an executor's container is planned from.
func (l *loop) executor(e core.Launch, sandbox string) launch.Executor {
	return launch.Executor{
		Container: e.Container, Agent: e.Agent, Endpoint: l.endpoint, Framework: e.Framework, Info: e.Executor, Sandbox: sandbox,
		Times: launch.Times{Recovery: recoveryTimeout, SubscriptionBackoffMax: subscriptionBackoffMax, ShutdownGrace: l.cfg.ExecutorShutdownGrace},
	}
}

// runGroup plans a group of tasks.
func (l *loop) runGroup(r *link.RunTaskGroup) {
	if r.GetFramework() == nil || r.GetExecutor() == nil || len(r.GetGroup().GetTasks()) == 0 {
		l.log.Warn("ignored a task group without framework, executor or tasks")
		return
	}
	ev := core.RunGroup{Framework: r.Framework, Executor: core.RunExecutor{Info: r.Executor}}
	ev.Executor.What, ev.Executor.Limits, ev.Refusal = l.planExecutor(r.Framework, r.Executor)
	for _, info := range r.GetGroup().GetTasks() {
		ev.Tasks = append(ev.Tasks, l.planTask(r.Framework, info, "/"))
	}
	l.step(ev)
}

// resize gives a container other limits.
func (l *loop) resize(e core.Resize) {
	c := l.containers[e.Container]
	if c == nil {
		return // it has ended
	}
	c.limits = e.Limits
	l.applyLimits(e.Container, c)
}

// applyLimits changes a container's limits to what is wanted of them, in a worker.
// The newest of several wins in the end: each asks when it has its turn.
func (l *loop) applyLimits(id ids.ContainerID, c *container) {
	l.workers.Go(func() {
		c.resizing.Lock()
		defer c.resizing.Unlock()
		limits, err := ask(l.ctx, l, c.wanted)
		if err != nil {
			return // the agent ends
		}
		ctx, cancel := context.WithTimeout(l.ctx, signalTimeout)
		defer cancel()
		err = l.deps.Containers.Update(ctx, isolator.ID(id), limits)
		if err != nil && !errors.Is(err, errs.NotFound) {
			l.log.Warn("change a container's limits", "container_id", id, "err", err)
		}
	})
}

// launch starts a container.
func (l *loop) launch(e core.Launch) {
	ctx, abort := context.WithCancel(l.ctx)
	c := &container{
		framework: ids.FrameworkID(e.Framework.GetId().GetValue()),
		task:      ids.TaskID(e.Task.GetTaskId().GetValue()),
		executor:  ids.ExecutorID(e.Executor.GetExecutorId().GetValue()),
		limits:    e.Limits,
		group:     e.Parent,
		abort:     abort,
	}
	l.containers[e.Container] = c
	l.workers.Go(func() {
		defer abort()
		spec, launched, err := l.start(ctx, e)
		l.result(func() {
			if err != nil {
				delete(l.containers, e.Container)
				l.endIdle(c.group)
				failed := core.LaunchFailed{Container: e.Container, Err: err}
				if command := (*containerizer.CommandError)(nil); errors.As(err, &command) {
					failed.ExitCode = &command.Code
				}
				l.step(failed)
				return
			}
			if c.running = true; e.Executor == nil {
				c.limits = spec.Limits
			}
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
	run, p, err := l.plan(e)
	if err != nil {
		return p.Spec, containerizer.Launched{}, err
	}
	if _, err := sandbox.Make(l.cfg.WorkDir, run, p.Dirs, p.ParentDirs); err != nil {
		return p.Spec, containerizer.Launched{}, err
	}
	for _, v := range p.Volumes {
		if err := sandbox.EnsureVolume(v.Host, v.Shared); err != nil {
			return p.Spec, containerizer.Launched{}, err
		}
	}
	l.limitDisk(p.Spec.Sandbox, e.DiskBytes)
	if len(p.URIs) > 0 {
		p.Spec.Fill = func(ctx context.Context, uid, gid uint32) error { return l.fill(ctx, p, uid, gid) }
	}
	launched, err := l.launchWithPatience(ctx, p.Spec)
	return p.Spec, launched, err
}

// plan is what is to be launched, and where its sandbox is.
func (l *loop) plan(e core.Launch) (sandbox.Run, launch.Plan, error) {
	run := sandbox.Run{Agent: e.Agent, Framework: ids.FrameworkID(e.Framework.GetId().GetValue()), Container: e.Container}
	if e.Executor != nil {
		run.Executor = ids.ExecutorID(e.Executor.GetExecutorId().GetValue())
		x := l.executor(e, run.Path(l.cfg.WorkDir))
		x.Volumes = l.volumesOf(e.Executor.GetResources())
		p, err := launch.NewExecutor(x)
		p.Spec.Limits = e.Limits
		return run, p, err
	}
	t := launch.Task{
		Container: e.Container, Agent: e.Agent, Endpoint: l.endpoint, Framework: e.Framework, Info: e.Task, Executor: e.ExecutorID,
	}
	if run.Executor = ids.ExecutorID(e.Task.GetTaskId().GetValue()); e.Parent != "" {
		run.Executor, run.Container = e.ExecutorID, e.Parent
		t.Parent = run.Path(l.cfg.WorkDir)
		run.Task = ids.TaskID(e.Task.GetTaskId().GetValue())
		t.Group = &isolator.Group{ID: isolator.ID(e.Parent), Own: e.Limits}
	}
	t.Sandbox, t.Volumes = run.Path(l.cfg.WorkDir), l.volumesOf(e.Task.GetResources())
	p, err := launch.New(t)
	return run, p, err
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
		framework: e.Framework, task: e.Task, executor: e.Executor, limits: e.Limits, group: e.Group, abort: func() {}, running: true,
	}
	if e.Limits.Revocable { // it may be throttled still
		l.applyLimits(e.Container, l.containers[e.Container])
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
			l.step(core.Exited{Container: id, Exit: task.Exited{Code: t.Code, Unknown: t.Unknown, Unstarted: t.Unstarted, Limitation: t.Limitation}})
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
	l.hangUp(id) // an executor's stream ends with it
	if c := l.containers[id]; c != nil {
		c.ending = true
	}
	inside := l.endInside(id)
	l.workers.Go(func() {
		l.removeAll(inside)
		err := l.remove(l.ctx, isolator.ID(id))
		l.result(func() {
			l.forgetNested(inside...)
			if c := l.containers[id]; c != nil {
				delete(l.containers, id)
				l.endIdle(c.group)
			}
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
