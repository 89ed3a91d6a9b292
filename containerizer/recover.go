package containerizer

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mezzo/isolator"
)

// Recover takes the containers of an earlier run over: after it, Wait works for
// those of known that it returns as taken. Orphans are what is ours but not
// known, to be destroyed. A container that was made but never started counts as
// not known, wherever it is listed: it can be launched anew.
//
// Errors: nothing is taken over; call it again.
func (c *Containerizer) Recover(ctx context.Context, known []isolator.ID) (taken, orphans []isolator.ID, err error) {
	if err := os.RemoveAll(filepath.Join(c.cfg.StateDir, "exec")); err != nil {
		return nil, nil, fmt.Errorf("remove pipes of an earlier run: %w", err)
	}
	found, err := c.engine.list(ctx, c.cfg.StateDir)
	if err != nil {
		return nil, nil, fmt.Errorf("recover containers: %w", err)
	}
	var adopted []isolator.Container
	deadline := time.Now().Add(startsWithin)
	for _, rec := range found {
		ran, err := c.mayHaveRun(rec.id)
		if err != nil {
			return nil, nil, fmt.Errorf("recover container %s: %w", rec.id, err)
		}
		if ran && rec.state == created {
			if rec, err = c.awaitStart(ctx, rec, deadline); err != nil {
				return nil, nil, fmt.Errorf("recover container %s: %w", rec.id, err)
			}
			ran = rec.state != created
		}
		// One whose making was cut short may have stopped, with a code that is the
		// runtime's and no command's.
		unstarted := !ran && rec.state != running
		if !slices.Contains(known, rec.id) || unstarted || rec.labels == nil {
			orphans = append(orphans, rec.id)
			continue
		}
		inner := isolator.Container{ID: rec.id}
		if err := json.Unmarshal([]byte(rec.labels[labelContainer]), &inner); err != nil {
			c.log.Warn("container's limits cannot be read, they stay as they are", "container_id", rec.id, "err", err)
		}
		adopted, taken = append(adopted, inner), append(taken, rec.id)
	}
	strays, err := c.isolators.Recover(ctx, adopted)
	if err != nil {
		return nil, nil, fmt.Errorf("recover containers: %w", err)
	}
	orphans = append(orphans, strays...)
	slices.Sort(orphans)
	return taken, slices.Compact(orphans), nil
}

// startsWithin is how long the start of a container may still be on its way that
// an earlier run asked for and saw no answer to: containerd had it already.
const startsWithin = 2 * time.Second

// awaitStart looks until a container is started, or surely won't be.
func (c *Containerizer) awaitStart(ctx context.Context, rec record, deadline time.Time) (record, error) {
	for rec.state == created && time.Now().Before(deadline) {
		select {
		case <-ctx.Done():
			return rec, ctx.Err()
		case <-time.After(retryMin):
		}
		now, err := c.engine.find(ctx, rec.id)
		if err != nil {
			return rec, err
		}
		rec = now
	}
	return rec, nil
}
