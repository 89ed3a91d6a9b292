package containerizer

import (
	"context"
	"encoding/json"
	"fmt"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// Update changes the limits of a container. A restart of the agent finds those
// it was launched with: who changed them changes them again.
//
// Errors: errs.NotFound if there is no such container.
func (c *Containerizer) Update(ctx context.Context, id isolator.ID, l isolator.Limits) error {
	rec, err := c.engine.find(ctx, id)
	if err != nil {
		return fmt.Errorf("update container %s: %w", id, err)
	}
	inner := isolator.Container{ID: id}
	if err := json.Unmarshal([]byte(rec.labels[labelContainer]), &inner); err != nil {
		return fmt.Errorf("update container %s: its description: %w: %w", id, err, errs.Corrupt)
	}
	inner.Limits = l
	if err := c.isolators.Update(ctx, inner); err != nil {
		return fmt.Errorf("update container %s: %w", id, err)
	}
	return nil
}
