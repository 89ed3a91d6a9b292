package imagetest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Options are what an image asks for. The zero value runs a shell as root.
type Options struct {
	Busybox    string // path of a static one; empty: busybox in PATH
	Entrypoint []string
	Cmd        []string // empty, with no Entrypoint: /bin/sh
	Env        []string
	User       string // "app" is uid and gid 1000
	WorkingDir string
	Arch       string            // empty: this machine's
	Files      map[string]string // path → text, in a layer of their own
	Padding    int               // bytes of noise in that layer, to make it large
}

// Build makes an image with busybox's applets in /bin and users root, app
// (1000) and nobody (65534) in /etc/passwd.
func Build(o Options) (v1.Image, error) {
	base, err := baseLayer(o.Busybox)
	if err != nil {
		return nil, err
	}
	layers := []v1.Layer{base}
	if len(o.Files) > 0 || o.Padding > 0 {
		extra, err := layer(func(w *tar.Writer) error { return o.extra(w) })
		if err != nil {
			return nil, err
		}
		layers = append(layers, extra)
	}
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return nil, err
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = "linux", cmp.Or(o.Arch, runtime.GOARCH)
	cf.Config = v1.Config{
		Entrypoint: o.Entrypoint, Cmd: o.Cmd, Env: o.Env, User: o.User, WorkingDir: o.WorkingDir,
	}
	if len(o.Entrypoint) == 0 && len(o.Cmd) == 0 {
		cf.Config.Cmd = []string{"/bin/sh"}
	}
	if len(o.Env) == 0 {
		cf.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	}
	return mutate.ConfigFile(img, cf)
}

const (
	passwd = "root:x:0:0:root:/root:/bin/sh\n" +
		"app:x:1000:1000:app:/home/app:/bin/sh\n" +
		"nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
	group = "root:x:0:\napp:x:1000:\nextra:x:2000:app\nnogroup:x:65534:\n"
)

func baseLayer(busybox string) (v1.Layer, error) {
	if busybox == "" {
		var err error
		if busybox, err = exec.LookPath("busybox"); err != nil {
			return nil, fmt.Errorf("%w: install busybox-static", err)
		}
	}
	binary, err := os.ReadFile(busybox)
	if err != nil {
		return nil, err
	}
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("list the applets of %s: %w", busybox, err)
	}
	return layer(func(w *tar.Writer) error {
		t := tree{w: w}
		t.dir("bin", 0o755, 0)
		t.dir("dev", 0o755, 0)
		t.dir("etc", 0o755, 0)
		t.dir("home", 0o755, 0)
		t.dir("home/app", 0o755, 1000)
		t.dir("proc", 0o555, 0)
		t.dir("root", 0o700, 0)
		t.dir("sys", 0o555, 0)
		t.dir("tmp", 0o1777, 0)
		t.file("bin/busybox", 0o755, binary)
		for applet := range strings.FieldsSeq(string(list)) {
			if applet != "busybox" {
				t.symlink("bin/"+applet, "busybox")
			}
		}
		t.file("etc/passwd", 0o644, []byte(passwd))
		t.file("etc/group", 0o644, []byte(group))
		return t.err
	})
}

func (o Options) extra(w *tar.Writer) error {
	t := tree{w: w}
	made := map[string]bool{".": true}
	for _, name := range sortedKeys(o.Files) {
		clean := strings.TrimPrefix(filepath.Clean("/"+name), "/")
		t.parents(filepath.Dir(clean), made)
		t.file(clean, 0o755, []byte(o.Files[name]))
	}
	if o.Padding > 0 {
		t.file("padding", 0o644, noise(o.Padding))
	}
	return t.err
}

// layer makes an uncompressed layer: quick to make, and its size is that of
// its content.
func layer(fill func(*tar.Writer) error) (v1.Layer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := fill(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buf.Bytes())), nil
	})
}

// tree writes entries; the first error stops it.
type tree struct {
	w   *tar.Writer
	err error
}

func (t *tree) add(h *tar.Header, content []byte) {
	if t.err != nil {
		return
	}
	h.ModTime, h.Size = time.Unix(0, 0), int64(len(content))
	if t.err = t.w.WriteHeader(h); t.err == nil {
		_, t.err = t.w.Write(content)
	}
}

func (t *tree) dir(name string, mode int64, owner int) {
	t.add(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (t *tree) file(name string, mode int64, content []byte) {
	t.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

func (t *tree) symlink(name, target string) {
	t.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (t *tree) parents(dir string, made map[string]bool) {
	if made[dir] {
		return
	}
	t.parents(filepath.Dir(dir), made)
	made[dir] = true
	if dir != "bin" && dir != "etc" && dir != "home" && dir != "tmp" {
		t.dir(dir, 0o755, 0)
	}
}
