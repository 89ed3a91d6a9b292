package images

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	ctdimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
)

// Prune removes the images that nobody pinned, was given lately, or wants to keep,
// and waits until their content is gone. Those of others in the same containerd,
// which have another namespace, are not touched.
//
// Errors: what is removed all the same is returned.
func (s *Store) Prune(ctx context.Context, keep func(Ref) bool) (removed []string, err error) {
	ctx = s.context(ctx)
	pinned, err := s.pinned(ctx)
	if err != nil {
		return nil, fmt.Errorf("prune images: %w", classify(err))
	}
	list, err := s.client.ImageService().List(ctx)
	if err != nil {
		return nil, fmt.Errorf("prune images: %w", classify(err))
	}
	var problems []error
	for _, rec := range list {
		ref, err := ParseRef(rec.Name)
		if err != nil || pinned[rec.Target.Digest.String()] || s.lately.has(rec.Name) || keep(ref) {
			continue
		}
		err = s.client.ImageService().Delete(ctx, rec.Name, ctdimages.SynchronousDelete())
		if err != nil && !errdefs.IsNotFound(err) {
			problems = append(problems, fmt.Errorf("prune image %s: %w", rec.Name, classify(err)))
			continue
		}
		removed = append(removed, rec.Name)
	}
	return removed, errors.Join(problems...)
}

// pinned are the digests of content that leases hold.
func (s *Store) pinned(ctx context.Context) (map[string]bool, error) {
	all, err := s.client.LeasesService().List(ctx)
	if err != nil {
		return nil, err
	}
	pinned := make(map[string]bool)
	for _, l := range all {
		resources, err := s.client.LeasesService().ListResources(ctx, l)
		if errdefs.IsNotFound(err) {
			continue // it has just ended
		}
		if err != nil {
			return nil, err
		}
		for _, r := range resources {
			if r.Type == "content" {
				pinned[r.ID] = true
			}
		}
	}
	return pinned, nil
}

// lately remembers what was given out a short time ago, and may not be pinned yet.
type lately struct {
	life  time.Duration
	mu    sync.Mutex
	given map[string]time.Time
}

func (l *lately) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.given == nil {
		l.given = make(map[string]time.Time)
	}
	now := time.Now()
	for other, at := range l.given {
		if now.Sub(at) > l.life {
			delete(l.given, other)
		}
	}
	l.given[name] = now
}

func (l *lately) has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.given[name]
	return ok && time.Since(at) <= l.life
}
