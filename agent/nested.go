package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/core"
	"mezzo/agent/fetch"
	"mezzo/agent/launch"
	"mezzo/agent/nested"
	"mezzo/agent/sandbox"
	"mezzo/agent/task"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/containerizer"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// guest is what the shell knows of a container that a call launched, from its
// launch to its removal.
type guest struct {
	abort    context.CancelFunc // of its launch
	launched chan struct{}      // closed once the launch is over
	ended    chan struct{}      // closed once its end is durable, or it is forgotten
	gone     chan struct{}      // closed once nothing but its sandbox is left
	ending   bool               // with the one around it
	end      nested.End         // set before ended is closed
}

func newGuest(abort context.CancelFunc) *guest {
	return &guest{abort: abort, launched: make(chan struct{}), ended: make(chan struct{}), gone: make(chan struct{})}
}

// launchReply answers a launch.
type launchReply struct {
	there bool
	err   error
}

func (l *loop) launchNested(ctx context.Context, c *agent.Call_LaunchContainer) (there bool, err error) {
	reply := make(chan launchReply, 1)
	if err := l.post(ctx, func() { l.admitNested(c, reply) }); err != nil {
		return false, err
	}
	select {
	case r := <-reply:
		return r.there, r.err
	case <-l.done:
		return false, errEnded
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// admitNested takes a container in, writes that down, and launches it.
func (l *loop) admitNested(c *agent.Call_LaunchContainer, reply chan launchReply) {
	if err := nested.Check(c.GetContainerId()); err != nil {
		reply <- launchReply{err: err}
		return
	}
	if l.nested.Get(nested.Name(c.GetContainerId())) != nil {
		reply <- launchReply{there: true}
		return
	}
	n, how, err := l.planNested(c)
	if err != nil {
		reply <- launchReply{err: err}
		return
	}
	ctx, abort := context.WithCancel(l.ctx)
	l.nested.Add(n)
	l.guests[n.Name] = newGuest(abort)
	l.journal.note(n.Name, n.Record(), func() { l.startNested(ctx, n.Name, how, reply) })
}

// nestedPlan is how a container is to be started.
type nestedPlan struct {
	launch.Plan
	dir   string      // sandbox below the work_dir
	group sandbox.Run // that it is in, if it is in one
}

// planNested checks a call. That a group's sandbox is shared with it, and no task's,
// is because a task could put a link where a mount goes through.
func (l *loop) planNested(c *agent.Call_LaunchContainer) (nested.Container, nestedPlan, error) {
	view := l.core.View()
	n := nested.Container{ID: c.GetContainerId(), Name: nested.Name(c.GetContainerId()), Resources: c.GetResources(), Ceilings: c.GetLimits()}
	p := launch.Nested{
		Name: n.Name, Path: nested.Path(n.ID), Agent: ids.AgentID(view.Agent.GetId().GetValue()), Endpoint: l.endpoint,
		Command: c.GetCommand(), Container: c.GetContainer(), Resources: n.Resources, Ceilings: n.Ceilings,
	}
	var how nestedPlan
	if n.ID.GetParent() != nil {
		around, err := l.around(n.ID.GetParent())
		if err != nil {
			return n, how, err
		}
		n.Within, n.InGroup, n.Framework, n.Executor = around.id, around.group, around.framework, around.executor
		p.Executor = around.executor
		for _, f := range view.Frameworks {
			if f.Info.GetId().GetValue() == string(n.Framework) {
				p.Framework = f.Info
			}
		}
		if p.Within = n.Within; n.InGroup {
			how.group = around.run
			p.Within, p.Group, p.Parent = "", n.Within, around.run.Path(l.cfg.WorkDir)
			p.Own = l.ownOfGroup(view, around.id)
		}
	}
	how.dir = sandboxOf(n)
	p.Sandbox = filepath.Join(l.cfg.WorkDir, how.dir)
	var err error
	if how.Plan, err = launch.NewNested(p); err == nil {
		err = fetch.Check(how.URIs)
	}
	n.Limits = how.Spec.Limits
	return n, how, err
}

// ownOfGroup is what a group may use beside what its tasks may.
func (l *loop) ownOfGroup(view *core.View, group ids.ContainerID) (own isolator.Limits) {
	for _, f := range view.Frameworks {
		for _, x := range f.Executors {
			if x.Container == group {
				_, own, _ = l.planExecutor(f.Info, x.Info) // it was planned before
			}
		}
	}
	return own
}

// sandboxOf is where a container's sandbox is below the work_dir.
func sandboxOf(c nested.Container) string {
	if c.Within == "" {
		return sandbox.Standalone(ids.ContainerID(c.ID.GetValue()))
	}
	return sandbox.Nested(c.Name)
}

// around finds the container that another is to be nested in, which has to run.
func (l *loop) around(id *v1.ContainerID) (held, error) {
	s := &snapshot{View: l.core.View(), nested: l.nested.All()}
	h, err := s.find(id)
	if err != nil {
		return h, err
	}
	if !l.holds(h) {
		return h, fmt.Errorf("container %q does not run: %w", nested.Path(id), errs.Conflict)
	}
	return h, nil
}

// holds tells whether a container runs, and is to go on, so that another can be
// nested in it.
func (l *loop) holds(h held) bool {
	if h.group {
		for _, c := range l.containers {
			if c.group == h.id && c.running && !c.ending {
				return true
			}
		}
		return false
	}
	if n := l.nested.Get(h.id); n != nil {
		return n.State == nested.Running && !l.guests[h.id].ending
	}
	c := l.containers[h.id]
	return c != nil && c.running && !c.ending
}

// startNested starts a container that was admitted.
func (l *loop) startNested(ctx context.Context, name ids.ContainerID, how nestedPlan, reply chan launchReply) {
	g := l.guests[name]
	if g == nil || g.ending { // it ended with the one around it, before it was durable
		if reply <- (launchReply{err: fmt.Errorf("launch container %s: the one around it ended: %w", name, errs.Conflict)}); g != nil {
			close(g.launched)
		}
		return
	}
	l.workers.Go(func() {
		launched, err := l.fillAndLaunch(ctx, how)
		if err != nil {
			if id := isolator.ID(name); l.remove(l.ctx, id) != nil {
				l.workers.Go(func() { l.goOnRemoving(id) })
			}
		}
		close(g.launched)
		l.result(func() {
			n := l.nested.Get(name)
			switch {
			case n == nil:
			case err != nil:
				l.forgetNested(name)
			default:
				n.State, n.PID = nested.Running, launched.PID
				l.journal.note(name, n.Record(), func() { reply <- launchReply{} })
				l.awaitNested(name)
				return
			}
			if err == nil {
				err = fmt.Errorf("launch container %s: the one around it ended: %w", name, errs.Conflict)
			}
			reply <- launchReply{err: err}
		})
	})
}

// fillAndLaunch makes the sandbox and the container, in a worker.
func (l *loop) fillAndLaunch(ctx context.Context, how nestedPlan) (containerizer.Launched, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return containerizer.Launched{}, ctx.Err()
	}
	if err := sandbox.MakeAt(l.cfg.WorkDir, how.dir, how.Dirs, how.group, how.ParentDirs); err != nil {
		return containerizer.Launched{}, err
	}
	if len(how.URIs) > 0 {
		how.Spec.Fill = func(ctx context.Context, uid, gid uint32) error { return l.fill(ctx, how.Plan, uid, gid) }
	}
	return l.launchWithPatience(ctx, how.Spec)
}

// awaitNested waits for a container's end, writes it down, and clears up.
func (l *loop) awaitNested(name ids.ContainerID) {
	l.workers.Go(func() {
		t, err := l.await(isolator.ID(name))
		if err != nil {
			return // the agent ends
		}
		l.result(func() {
			n, g := l.nested.Get(name), l.guests[name]
			if n == nil || g.ending {
				return
			}
			n.State, n.End = nested.Ended, endOf(t)
			g.end = n.End
			l.journal.note(name, n.Record(), func() {
				close(g.ended)
				l.clearNested(name)
			})
		})
	})
}

// endOf is what a caller is told of an end.
func endOf(t containerizer.Termination) nested.End {
	verdict := task.Exited{Code: t.Code, Unknown: t.Unknown, Unstarted: t.Unstarted, Limitation: t.Limitation}.Verdict()
	end := nested.End{Message: verdict.Message}
	if !t.Unknown && !t.Unstarted {
		end.Status = proto.Int32(waitStatus(t.Code))
	}
	if t.Limitation != nil || t.Unstarted {
		end.Reason = verdict.Reason
	}
	return end
}

// clearNested removes what an ended container leaves but its sandbox, and what is
// nested in it.
func (l *loop) clearNested(name ids.ContainerID) {
	g, inside := l.guests[name], l.endInside(name)
	l.workers.Go(func() {
		l.removeAll(inside)
		if err := l.remove(l.ctx, isolator.ID(name)); err != nil {
			l.goOnRemoving(isolator.ID(name))
		}
		l.result(func() {
			l.forgetNested(inside...)
			close(g.gone)
		})
	})
}

// endInside begins to end what is nested in a container, and returns its names,
// the innermost first: for removeAll and then forgetNested.
func (l *loop) endInside(name ids.ContainerID) []ids.ContainerID {
	inside := l.nested.Inside(name)
	for _, n := range inside {
		g := l.guests[n]
		g.ending = true
		g.abort()
	}
	return inside
}

// removeAll removes containers one after the other, in a worker.
func (l *loop) removeAll(names []ids.ContainerID) {
	for _, name := range names {
		g, err := ask(l.ctx, l, func() *guest { return l.guests[name] })
		if err != nil || g == nil {
			continue
		}
		select {
		case <-g.launched:
		case <-l.ctx.Done():
			return
		}
		if err := l.remove(l.ctx, isolator.ID(name)); err != nil {
			l.log.Warn("nested container left behind", "container_id", name, "err", err)
			l.workers.Go(func() { l.goOnRemoving(isolator.ID(name)) })
		}
	}
}

// forgetNested takes containers out, and tells who waits for their end.
func (l *loop) forgetNested(names ...ids.ContainerID) {
	for _, name := range names {
		g := l.guests[name]
		if g == nil {
			continue // a caller removed it
		}
		l.nested.Remove(name)
		delete(l.guests, name)
		l.journal.note(name, nil, func() {
			select {
			case <-g.ended:
			default:
				g.end = nested.End{Message: "It ended with the container around it"}
				close(g.ended)
			}
		})
	}
}

// endIdle ends what is nested in a group of which nothing runs any more.
func (l *loop) endIdle(group ids.ContainerID) {
	for _, c := range l.containers {
		if group == "" || c.group == group {
			return
		}
	}
	inside := l.endInside(group)
	if len(inside) == 0 {
		return
	}
	l.workers.Go(func() {
		l.removeAll(inside)
		l.result(func() { l.forgetNested(inside...) })
	})
}

// endStandalone ends all that is standalone, and returns once it is gone. Nobody
// is in the loop any more.
func (l *loop) endStandalone(ctx context.Context) error {
	var all error
	for _, name := range l.nested.Standalone() {
		for _, n := range append(l.nested.Inside(name), name) {
			l.guests[n].abort()
			all = errors.Join(all, l.remove(ctx, isolator.ID(n)))
			l.journal.note(n, nil, func() {})
		}
	}
	l.journal.commit()
	return all
}

// guestOf finds a container that a call names.
func (l *loop) guestOf(ctx context.Context, id *v1.ContainerID) (g *guest, c nested.Container, err error) {
	err = nested.Check(id)
	if err != nil {
		return nil, c, err
	}
	known, err := ask(ctx, l, func() *nested.Container {
		n := l.nested.Get(nested.Name(id))
		if n == nil {
			return nil
		}
		g, c = l.guests[n.Name], *n
		return n
	})
	if err == nil && known == nil {
		err = fmt.Errorf("container %q: %w", nested.Path(id), errs.NotFound)
	}
	return g, c, err
}

func (l *loop) waitNested(ctx context.Context, id *v1.ContainerID) (nested.End, error) {
	g, _, err := l.guestOf(ctx, id)
	if err != nil {
		return nested.End{}, err
	}
	select {
	case <-g.ended:
		return g.end, nil
	case <-l.done:
		return nested.End{}, errEnded
	case <-ctx.Done():
		return nested.End{}, ctx.Err()
	}
}

func (l *loop) signalNested(ctx context.Context, id *v1.ContainerID, sig syscall.Signal) error {
	g, c, err := l.guestOf(ctx, id)
	if err != nil || c.State == nested.Ended {
		return err
	}
	select { // what is being launched gets it once it runs
	case <-g.launched:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.deps.Containers.Signal(ctx, isolator.ID(c.Name), sig); !errors.Is(err, errs.NotFound) {
		return err
	}
	return nil // it has ended meanwhile
}

func (l *loop) removeNested(ctx context.Context, id *v1.ContainerID) error {
	g, c, err := l.guestOf(ctx, id)
	if errors.Is(err, errs.NotFound) {
		return nil // as in Mesos, it may be asked for again
	}
	if err != nil {
		return err
	}
	if c.State != nested.Ended {
		return fmt.Errorf("container %q runs, kill it first: %w", nested.Path(id), errs.Conflict)
	}
	select {
	case <-g.gone:
	case <-l.done:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := sandbox.Remove(l.cfg.WorkDir, sandboxOf(c)); err != nil {
		return err
	}
	forgotten := make(chan struct{})
	err = l.post(ctx, func() {
		if l.guests[c.Name] != g {
			close(forgotten)
			return
		}
		l.nested.Remove(c.Name)
		delete(l.guests, c.Name)
		l.journal.note(c.Name, nil, func() { close(forgotten) })
	})
	if err != nil {
		return err
	}
	select {
	case <-forgotten:
		return nil
	case <-l.done:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}
