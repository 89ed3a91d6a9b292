package agent

import (
	"context"
	"fmt"

	"mezzo/api/mesos/v1/agent"
	"mezzo/images"
	"mezzo/internal/errs"
)

// Images are those on this machine: an *images.Store.
type Images interface {
	// Prune removes all that nobody uses and keep does not want kept.
	Prune(ctx context.Context, keep func(images.Ref) bool) (removed []string, err error)
}

// pruneImages is the PRUNE_IMAGES call.
func (s *server) pruneImages(ctx context.Context, c *agent.Call_PruneImages) error {
	if s.images == nil {
		return fmt.Errorf("this agent has no images: %w", errs.Unsupported)
	}
	kept := make(map[images.Ref]bool)
	for _, i := range c.GetExcludedImages() {
		ref, err := images.ParseRef(i.GetDocker().GetName())
		if err != nil {
			return fmt.Errorf("excluded image: %w", err)
		}
		kept[ref] = true
	}
	removed, err := s.images.Prune(ctx, func(r images.Ref) bool { return kept[r] })
	if len(removed) > 0 {
		s.log.Info("images removed", "images", removed)
	}
	return err
}
