package images

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/containerd/containerd/v2/core/content"
	ctdimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"mezzo/internal/errs"
)

// labelFile remembers which state of a file an image was imported from.
const labelFile = "mezzo/archive"

// importArchive imports the file that ref names, unless just this file has been.
func (s *Store) importArchive(ctx context.Context, ref Ref, _ func(Progress)) (Image, error) {
	// Anybody may have put something there: do not wait for a pipe's other end.
	f, err := os.OpenFile(ref.archive, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Image{}, fmt.Errorf("there is no such archive on this agent: %w", errs.NotFound)
	}
	if err != nil {
		return Image{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Image{}, err
	}
	switch {
	case !st.Mode().IsRegular():
		return Image{}, fmt.Errorf("%s is not a regular file: %w", ref.archive, errs.Invalid)
	case st.Size() == 0: // as are the kernel's, which may never end
		return Image{}, fmt.Errorf("%s is empty: %w", ref.archive, errs.Corrupt)
	}
	state := fileState(st)
	rec, err := s.client.ImageService().Get(ctx, ref.name)
	if err == nil && rec.Labels[labelFile] == state {
		if img, err := s.unpacked(ctx, rec); !errors.Is(err, errs.NotFound) {
			return img, err
		}
	}
	img, err := s.importStream(ctx, ref, f, map[string]string{labelFile: state})
	if err == nil {
		s.log.Info("image imported", "image", ref.name, "digest", img.Digest)
	}
	return img, err
}

// fileState changes when a file is written or replaced.
func fileState(st fs.FileInfo) string {
	sys := st.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d:%d:%d", sys.Dev, sys.Ino, st.Size(), st.ModTime().UnixNano())
}

// importStream reads an archive and gives its image ref's name.
func (s *Store) importStream(ctx context.Context, ref Ref, r io.Reader, labels map[string]string) (img Image, err error) {
	plain, err := compression.DecompressStream(r)
	if err != nil {
		return Image{}, fmt.Errorf("read archive: %w: %w", err, errs.Corrupt)
	}
	defer plain.Close()
	err = s.leased(ctx, func(ctx context.Context) error {
		store := s.client.ContentStore()
		index, err := archive.ImportIndex(ctx, ownIngests{store, rand.Text()}, plain)
		if err != nil {
			return classifyArchive(err)
		}
		target, err := s.member(ctx, store, index, ref.member)
		if err != nil {
			return err
		}
		children := ctdimages.SetChildrenLabels(store, ctdimages.FilterPlatforms(ctdimages.ChildrenHandler(store), s.platform))
		if err := ctdimages.WalkNotEmpty(ctx, children, target); err != nil {
			return classifyArchive(err)
		}
		rec, err := s.name(ctx, ctdimages.Image{Name: ref.name, Target: target, Labels: labels})
		if err != nil {
			return err
		}
		img, err = s.unpacked(ctx, rec)
		return classifyArchive(err)
	})
	return img, err
}

// member finds one image in the index of an archive. An index whose manifests
// have no names is one image for several platforms.
func (s *Store) member(ctx context.Context, store content.Store, index ocispec.Descriptor, want string) (ocispec.Descriptor, error) {
	blob, err := content.ReadBlob(ctx, store, index)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	list, err := parseIndex(blob)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	if want == "" && len(list.Manifests) == 1 {
		return list.Manifests[0], nil
	}
	var names []string
	for _, m := range list.Manifests {
		name := memberName(m)
		if name != "" && (name == want || strings.TrimPrefix(name, "docker.io/library/") == want) {
			return m, nil
		}
		if name != "" {
			names = append(names, name)
		}
	}
	switch {
	case want != "":
		return ocispec.Descriptor{}, fmt.Errorf("the archive has no image %q, but %q: %w", want, names, errs.NotFound)
	case len(names) > 1:
		return ocispec.Descriptor{}, fmt.Errorf("the archive has several images, name one after #: %q: %w", names, errs.Invalid)
	default:
		return index, nil
	}
}

func memberName(m ocispec.Descriptor) string {
	if name := m.Annotations[ctdimages.AnnotationImageName]; name != "" {
		return name
	}
	return m.Annotations[ocispec.AnnotationRefName]
}

// name makes a record, or moves the one that has this name.
func (s *Store) name(ctx context.Context, rec ctdimages.Image) (ctdimages.Image, error) {
	service := s.client.ImageService()
	created, err := service.Create(ctx, rec)
	if errdefs.IsAlreadyExists(err) {
		return service.Update(ctx, rec)
	}
	return created, err
}

// classifyArchive knows that a part which an archive lacks is the archive's
// fault, as is whatever containerd cannot read of it.
func classifyArchive(err error) error {
	switch {
	case err == nil || hasClass(err) && !errors.Is(err, errs.NotFound):
		return err
	case errdefs.IsNotFound(err), errors.Is(err, errs.NotFound):
		return fmt.Errorf("the archive lacks a part that it names, or the part is damaged: %w: %w", err, errs.Corrupt)
	case errors.Is(err, tar.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the archive is cut off or damaged: %w: %w", err, errs.Corrupt)
	}
	if c := classify(err); hasClass(c) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return c
	}
	return fmt.Errorf("this is no OCI or docker archive: %w: %w", err, errs.Invalid)
}

// ownIngests gives the ingests of one import names of their own. The library
// names them after paths in the archive, which all archives have in common: two
// imports at once, or one after a broken one, would write into each other.
type ownIngests struct {
	content.Store
	prefix string
}

func (o ownIngests) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var w content.WriterOpts
	for _, opt := range opts {
		if err := opt(&w); err != nil {
			return nil, err
		}
	}
	return o.Store.Writer(ctx, append(opts, content.WithRef(o.prefix+w.Ref))...)
}
