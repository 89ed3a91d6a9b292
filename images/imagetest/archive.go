package imagetest

import (
	"archive/tar"
	"io"
	"os"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Named is an image and the name that an archive gives it.
type Named struct {
	Name  string // "docker.io/library/busybox:latest"
	Image v1.Image
}

// WriteOCI writes images as an OCI layout in a tar stream.
func WriteOCI(w io.Writer, images ...Named) error {
	dir, err := os.MkdirTemp("", "mkimage")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	for _, n := range images {
		var opts []layout.Option
		if n.Name != "" {
			opts = append(opts, layout.WithAnnotations(map[string]string{"io.containerd.image.name": n.Name}))
		}
		if err := l.AppendImage(n.Image, opts...); err != nil {
			return err
		}
	}
	tw := tar.NewWriter(w)
	if err := tw.AddFS(os.DirFS(dir)); err != nil {
		return err
	}
	return tw.Close()
}

// WriteDocker writes an image as "docker save" does.
func WriteDocker(w io.Writer, n Named) error {
	tag, err := name.NewTag(n.Name)
	if err != nil {
		return err
	}
	return tarball.Write(tag, n.Image, w)
}

// WriteFile writes images as an OCI archive to a file.
func WriteFile(path string, images ...Named) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := WriteOCI(f, images...); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// WriteBusybox builds an image and writes it as an OCI archive, named like the
// real busybox.
func WriteBusybox(path string, o Options) error {
	img, err := Build(o)
	if err != nil {
		return err
	}
	return WriteFile(path, Named{Name: "docker.io/library/busybox:latest", Image: img})
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// noise does not compress and is the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}
