package containerizer

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// drainTimeout bounds the wait for the last output after the end. The logger
// needs a few milliseconds; a disk may hang for ever.
const drainTimeout = 2 * time.Second

// Wait returns how a container ended, once it has: its exit, whether a limit
// ended it, and what it used. By then its output is in the files. It may be
// called by several, and again after a restart of the agent, until Destroy.
//
// Errors: errs.NotFound if there is no such container.
func (c *Containerizer) Wait(ctx context.Context, id isolator.ID) (Termination, error) {
	t := c.turns.enter(id)
	defer c.turns.leave(id, t)
	c.turns.await(t, 1)
	defer c.turns.await(t, -1)

	x, waitErr := c.engine.wait(ctx, id)
	if ctx.Err() != nil {
		return Termination{}, fmt.Errorf("wait for container %s: %w", id, ctx.Err())
	}
	release, err := t.take(ctx)
	if err != nil {
		return Termination{}, fmt.Errorf("wait for container %s: %w", id, err)
	}
	defer release()
	if end := c.turns.theEnd(t); end != nil {
		return *end, nil // destroyed while we waited; what it knew is more
	}
	if waitErr != nil {
		return Termination{}, fmt.Errorf("wait for container %s: %w", id, waitErr)
	}
	return c.termination(ctx, id, x), nil
}

// termination adds to an exit what is known of it elsewhere. What cannot be
// had is left out and logged: the exit must be told in any case.
func (c *Containerizer) termination(ctx context.Context, id isolator.ID, x exit) Termination {
	log := c.log.With("container_id", id)
	end := Termination{Code: x.code, At: x.at, Unknown: x.unknown, Unstarted: !c.surelyStarted(id) && c.engine.startCut(id)}
	if err := c.drain(ctx, id); err != nil {
		log.Warn("output may be incomplete", "err", err)
	}
	var err error
	if end.Limitation, err = c.isolators.Explain(ctx, id); err != nil {
		log.Warn("container's end cannot be explained", "err", err)
	}
	if end.Usage, err = c.Usage(ctx, id); err != nil {
		log.Debug("container's last usage is not known", "err", err)
	}
	log.Info("container ended", "code", end.Code, "unknown", end.Unknown, "unstarted", end.Unstarted, "limitation", end.Limitation)
	return end
}

func (c *Containerizer) drain(ctx context.Context, id isolator.ID) error {
	rec, err := c.engine.find(ctx, id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	return drained(ctx, rec.labels[labelSandbox])
}

// Signal sends sig to the container's first process. One that has no handler for
// SIGTERM, SIGINT, SIGHUP or SIGQUIT would never know: in its place, the others
// in the container get it or, if it is alone, it is ended. One that has ended is
// no error. SIGKILL ends all processes, where isolators can without containerd.
//
// Errors: errs.NotFound if there is no such container.
func (c *Containerizer) Signal(ctx context.Context, id isolator.ID, sig syscall.Signal) error {
	killed := false
	if sig == syscall.SIGKILL {
		killed = c.isolators.Kill(ctx, id) == nil // if not, the runtime has its own way
	}
	if err := c.engine.kill(ctx, id, int(sig)); err != nil && (!killed || errors.Is(err, errs.NotFound)) {
		return fmt.Errorf("signal container %s: %w", id, err)
	}
	return nil
}

// Destroy kills what runs in a container, all at once, and removes everything
// that was made for it; its sandbox stays. A launch that is under way ends. It
// may be repeated, and a container that is not there is no error. It goes on
// when ctx ends, for a while, so that little is left half done.
func (c *Containerizer) Destroy(ctx context.Context, id isolator.ID) error {
	t := c.turns.enter(id)
	defer c.turns.leave(id, t)
	c.turns.overtake(t, errOvertaken)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	release, err := t.take(ctx)
	if err != nil {
		return fmt.Errorf("destroy container %s: %w", id, err)
	}
	defer release()
	if err := c.remove(ctx, id, t); err != nil {
		return fmt.Errorf("destroy container %s: %w", id, err)
	}
	return nil
}

// remove is Destroy for who has the turn. The end is kept for those who wait
// for it; a nil t has none.
func (c *Containerizer) remove(ctx context.Context, id isolator.ID, t *turn) error {
	// First, since it works without containerd, too.
	killed := c.isolators.Kill(ctx, id)
	if errors.Is(killed, errs.Unsupported) {
		killed = nil
	}
	rec, err := c.engine.find(ctx, id)
	if err != nil && !errors.Is(err, errs.NotFound) {
		return errors.Join(killed, err)
	}
	if rec.state != absent {
		if err := c.finish(ctx, id, t); err != nil {
			return errors.Join(killed, err)
		}
	}
	if err := c.engine.remove(ctx, id); err != nil {
		return errors.Join(killed, err)
	}
	return errors.Join(killed, c.isolators.Cleanup(ctx, id), c.unmarkStarted(id))
}

// finish ends the process, and looks at the end if somebody waits for it.
func (c *Containerizer) finish(ctx context.Context, id isolator.ID, t *turn) error {
	if err := c.engine.kill(ctx, id, int(syscall.SIGKILL)); err != nil {
		return err
	}
	x, err := c.engine.wait(ctx, id)
	if err != nil {
		return fmt.Errorf("await the end: %w", err)
	}
	if t != nil && c.turns.awaited(t) {
		end := c.termination(ctx, id, x)
		c.turns.ended(t, &end)
	}
	return nil
}

// Usage is what a container uses now: what the isolators say or, where none
// does, what the shim measures.
//
// Errors: errs.NotFound if there is no such container.
func (c *Containerizer) Usage(ctx context.Context, id isolator.ID) (isolator.Usage, error) {
	u, err := c.isolators.Usage(ctx, id)
	if errors.Is(err, errs.Unsupported) {
		u, err = c.engine.usage(ctx, id)
	}
	if err != nil {
		return isolator.Usage{}, fmt.Errorf("usage of container %s: %w", id, err)
	}
	return u, nil
}

// DiskUsage is what a container wrote over its image, in bytes; 0 without one.
//
// Errors: errs.NotFound if there is no such container.
func (c *Containerizer) DiskUsage(ctx context.Context, id isolator.ID) (int64, error) {
	n, err := c.engine.diskUsage(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("disk usage of container %s: %w", id, err)
	}
	return n, nil
}
