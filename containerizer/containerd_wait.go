package containerizer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// How long to wait before asking a containerd that did not answer again.
const (
	retryMin = 50 * time.Millisecond
	retryMax = 2 * time.Second
)

// wait asks until it is told. An answer that is an error says nothing about the
// container, only its state does: containerd may have restarted, or the shim
// may be gone and the exit with it. So it is, too, if the container ended while
// containerd was down: from 1.7 on it takes a shim without processes for a
// leftover when it starts, and ends it (seen with 2.4.2, not with 1.6.20).
func (e *containerdEngine) wait(ctx context.Context, id isolator.ID) (exit, error) {
	ctx = e.context(ctx)
	for delay := retryMin; ; delay = min(2*delay, retryMax) {
		r, err := e.client.TaskService().Wait(ctx, &tasks.WaitRequest{ContainerID: string(id)})
		if err == nil {
			return exit{code: int(r.ExitStatus), at: r.ExitedAt.AsTime()}, nil
		}
		x, ended, err := e.ended(ctx, id)
		if ended || errors.Is(err, errs.NotFound) {
			return x, err
		}
		select {
		case <-ctx.Done():
			return exit{}, ctx.Err()
		case <-time.After(delay):
		}
	}
}

// ended asks for a container's exit without waiting for it.
func (e *containerdEngine) ended(ctx context.Context, id isolator.ID) (exit, bool, error) {
	rec, p, err := e.look(ctx, id)
	switch {
	case err != nil:
		return exit{}, false, err
	case rec.state == absent:
		return exit{unknown: true, at: time.Now()}, true, nil
	case rec.state == stopped:
		return exit{code: int(p.ExitStatus), at: p.ExitedAt.AsTime()}, true, nil
	}
	return exit{}, false, nil
}

func (e *containerdEngine) find(ctx context.Context, id isolator.ID) (record, error) {
	rec, _, err := e.look(e.context(ctx), id)
	return rec, err
}

// look finds a container's record and its process, which is nil if absent.
func (e *containerdEngine) look(ctx context.Context, id isolator.ID) (record, *task.Process, error) {
	c, err := e.client.ContainerService().Get(ctx, string(id))
	if err != nil {
		return record{}, nil, fmt.Errorf("container %s: %w", id, classify(err))
	}
	rec := record{id: id, labels: c.Labels}
	r, err := e.client.TaskService().Get(ctx, &tasks.GetRequest{ContainerID: string(id)})
	if err := classify(errgrpc.ToNative(err)); errors.Is(err, errs.NotFound) {
		return rec, nil, nil
	} else if err != nil {
		return record{}, nil, fmt.Errorf("process of container %s: %w", id, err)
	}
	rec.pid, rec.state = r.Process.Pid, stateOf(r.Process.Status)
	return rec, r.Process, nil
}

func stateOf(s task.Status) state {
	switch s {
	case task.Status_CREATED:
		return created
	case task.Status_STOPPED:
		return stopped
	default: // paused ones live as well
		return running
	}
}

// list finds what is ours: records, pins without a record, and root directories
// of containers on the host's file system.
func (e *containerdEngine) list(ctx context.Context, owner string) ([]record, error) {
	ctx = e.context(ctx)
	filter := fmt.Sprintf("labels.%q==%q", labelOwner, owner)
	found, err := e.client.ContainerService().List(ctx, filter)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", classify(err))
	}
	held, err := e.client.LeasesService().List(ctx, filter)
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", classify(err))
	}
	roots, err := os.ReadDir(filepath.Dir(e.hostRoot("any")))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var all []record
	seen := make(map[isolator.ID]bool)
	add := func(rec record) {
		if !seen[rec.id] {
			seen[rec.id] = true
			all = append(all, rec)
		}
	}
	for _, c := range found {
		rec, err := e.find(ctx, isolator.ID(c.ID))
		if errors.Is(err, errs.NotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		add(rec)
	}
	for _, l := range held {
		add(record{id: isolator.ID(l.ID)})
	}
	for _, d := range roots {
		add(record{id: isolator.ID(d.Name())})
	}
	return all, nil
}
