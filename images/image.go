package images

import (
	"context"
	"encoding/json"
	"fmt"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	ctdimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"mezzo/internal/errs"
)

// Image is an image that is here and unpacked.
type Image struct {
	Ref    string        // full form
	Digest digest.Digest // what Ref stood for: of an index or a manifest
	// ChainID is the key of the snapshot that a container's root starts from.
	ChainID string
	// Config is what the image asks to be run with. It is the author's word:
	// whoever uses it checks it. Ownership: shared, read only.
	Config *ocispec.ImageConfig
}

// local returns an image that containerd has, unpacking it if it is not yet.
//
// Errors: errs.NotFound if it is not here, or not whole.
func (s *Store) local(ctx context.Context, ref Ref) (Image, error) {
	rec, err := s.client.ImageService().Get(ctx, ref.name)
	if err != nil {
		return Image{}, classify(err)
	}
	return s.unpacked(ctx, rec)
}

// unpacked describes an image record, after its snapshots are there.
func (s *Store) unpacked(ctx context.Context, rec ctdimages.Image) (Image, error) {
	img, err := s.describe(ctx, rec)
	if err != nil {
		return Image{}, err
	}
	snapshots := s.client.SnapshotService(s.cfg.Snapshotter)
	if _, err := snapshots.Stat(ctx, img.ChainID); err == nil {
		return img, nil
	} else if !errdefs.IsNotFound(err) {
		return Image{}, classify(err)
	}
	err = s.leased(ctx, func(ctx context.Context) error {
		return containerd.NewImage(s.client, rec).Unpack(ctx, s.cfg.Snapshotter)
	})
	if err != nil {
		return Image{}, fmt.Errorf("unpack: %w", classify(err))
	}
	return img, nil
}

// describe reads manifest and config. What a digest stands for never changes,
// so each is read once.
func (s *Store) describe(ctx context.Context, rec ctdimages.Image) (Image, error) {
	img, ok := s.known.get(rec.Target.Digest)
	if !ok {
		var err error
		if img, err = s.read(ctx, rec); err != nil {
			return Image{}, err
		}
		s.known.put(rec.Target.Digest, img)
	}
	img.Ref = rec.Name
	return img, nil
}

func (s *Store) read(ctx context.Context, rec ctdimages.Image) (Image, error) {
	store := s.client.ContentStore()
	desc, err := rec.Config(ctx, store, s.platform)
	if err != nil {
		return Image{}, classify(err)
	}
	blob, err := content.ReadBlob(ctx, store, desc)
	if err != nil {
		return Image{}, classify(err)
	}
	var config ocispec.Image
	if err := json.Unmarshal(blob, &config); err != nil {
		return Image{}, fmt.Errorf("its config %s: %w: %w", desc.Digest, err, errs.Corrupt)
	}
	if len(config.RootFS.DiffIDs) == 0 {
		return Image{}, fmt.Errorf("its config %s names no layers: %w", desc.Digest, errs.Corrupt)
	}
	// containerd looks at the platforms of an index, not at that of an image.
	if p := config.Platform; p.OS != "" && p.Architecture != "" && !s.platform.Match(platforms.Normalize(p)) {
		return Image{}, fmt.Errorf("it is made for %s, and this machine is %s: %w",
			platforms.Format(p), platforms.DefaultString(), errs.Invalid)
	}
	return Image{
		Digest:  rec.Target.Digest,
		ChainID: identity.ChainID(config.RootFS.DiffIDs).String(),
		Config:  &config.Config,
	}, nil
}

// Pin keeps the content of img for owner until Unpin, whatever happens to its
// name. The lease is called owner: put it into a context with leases.WithLease
// and what is made there is kept as well. Repeatable.
func (s *Store) Pin(ctx context.Context, owner string, labels map[string]string, img Image) error {
	manager := s.client.LeasesService()
	lease, err := manager.Create(ctx, leases.WithID(owner), leases.WithLabels(labels))
	if errdefs.IsAlreadyExists(err) {
		lease, err = leases.Lease{ID: owner}, nil
	}
	if err == nil {
		err = manager.AddResource(ctx, lease, leases.Resource{ID: img.Digest.String(), Type: "content"})
	}
	if err != nil {
		return fmt.Errorf("pin image %s for %s: %w", img.Ref, owner, classify(err))
	}
	return nil
}

// Unpin undoes Pin. An owner without a pin is no error.
func (s *Store) Unpin(ctx context.Context, owner string) error {
	err := s.client.LeasesService().Delete(ctx, leases.Lease{ID: owner})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("unpin images of %s: %w", owner, classify(err))
	}
	return nil
}
