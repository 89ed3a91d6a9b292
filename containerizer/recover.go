package containerizer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"mezzo/isolator"
)

// Recover takes the containers of an earlier run over: after it, Wait works for
// those of known that it returns as taken. Orphans are what is ours but not
// known, to be destroyed. A container that was made but never started counts as
// not known, wherever it is listed: nobody was told that it runs.
//
// Errors: nothing is taken over; call it again.
func (c *Containerizer) Recover(ctx context.Context, known []isolator.ID) (taken, orphans []isolator.ID, err error) {
	found, err := c.engine.list(ctx, c.cfg.StateDir)
	if err != nil {
		return nil, nil, fmt.Errorf("recover containers: %w", err)
	}
	var adopted []isolator.Container
	for _, rec := range found {
		if !slices.Contains(known, rec.id) || rec.state == created || rec.labels == nil {
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
