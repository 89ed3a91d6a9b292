package images

import (
	"context"
	"errors"
	"sync"

	containerd "github.com/containerd/containerd/v2/client"
	ctdimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes/docker"

	"mezzo/internal/errs"
)

// layersAtOnce bounds the parts of one image that are fetched together.
const layersAtOnce = 3

// pull fetches and unpacks an image of a registry. What does not match its
// digest is thrown away and asked for once more.
func (s *Store) pull(ctx context.Context, ref Ref, report func(Progress)) (Image, error) {
	s.log.Info("image pull started", "image", ref.name)
	img, poisoned, err := s.pullOnce(ctx, ref, report)
	if errors.Is(err, errs.Corrupt) {
		s.log.Warn("image content does not match its digest, fetching it again", "image", ref.name, "err", err)
		if err := poisoned.abortPoisoned(ctx); err != nil {
			return Image{}, classify(err)
		}
		img, poisoned, err = s.pullOnce(ctx, ref, report)
		if errors.Is(err, errs.Corrupt) {
			return Image{}, errors.Join(err, poisoned.abortPoisoned(ctx))
		}
	}
	if err == nil {
		s.log.Info("image pulled", "image", ref.name, "digest", img.Digest)
	}
	return img, err
}

func (s *Store) pullOnce(ctx context.Context, ref Ref, report func(Progress)) (img Image, t *tracker, err error) {
	t = &tracker{store: s.client.ContentStore(), parts: make(map[string]*part)}
	hosts, err := s.registryHosts(ctx)
	if err != nil {
		return Image{}, t, err
	}

	watch, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { t.run(watch, report) })
	defer wg.Wait()
	defer stop()

	err = s.leased(ctx, func(ctx context.Context) error {
		pulled, err := s.client.Pull(ctx, ref.name,
			containerd.WithResolver(docker.NewResolver(docker.ResolverOptions{Hosts: hosts})),
			containerd.WithPlatformMatcher(s.platform),
			containerd.WithMaxConcurrentDownloads(layersAtOnce),
			containerd.WithImageHandler(ctdimages.HandlerFunc(t.Handle)),
			containerd.WithPullUnpack,
			containerd.WithPullSnapshotter(s.cfg.Snapshotter),
		)
		if err != nil {
			return err
		}
		img, err = s.unpacked(ctx, pulled.Metadata())
		return err
	})
	return img, t, classify(err)
}
