package images_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"mezzo/containerizer/daemon/daemontest"
	"mezzo/images"
	"mezzo/images/imagetest"
	"mezzo/internal/errs"
)

// The tests of this file run a real containerd against a registry in this
// process. Each test has one containerd; its subtests share it.

func build(t testing.TB, o imagetest.Options) v1.Image {
	t.Helper()
	img, err := imagetest.Build(o)
	if err != nil {
		daemontest.Skip(t, err.Error())
	}
	return img
}

func newStore(t testing.TB, c *containerd.Client, cfg images.Config) *images.Store {
	t.Helper()
	s, err := images.New(cfg, images.Deps{Client: c, Log: daemontest.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantNoTraces checks that fetches left neither leases nor unfinished content.
func wantNoTraces(t testing.TB, c *containerd.Client) {
	t.Helper()
	ctx := namespaces.WithNamespace(context.Background(), "mezzo")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		held, err := c.LeasesService().List(ctx)
		if err == nil && len(held) == 0 {
			return
		}
		select {
		case <-tick.C: // a cancelled fetch cleans up behind its caller
		case <-ctx.Done():
			t.Fatalf("leases left: %+v, %v", held, err)
		}
	}
}

func TestPull(t *testing.T) {
	d := daemontest.Start(t)
	img := build(t, imagetest.Options{
		Entrypoint: []string{"/bin/echo"}, Cmd: []string{"hello"}, Env: []string{"A=b"},
		User: "app", WorkingDir: "/home/app",
	})
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}

	t.Run("good", func(t *testing.T) {
		reg := imagetest.NewRegistry(t)
		ref := reg.Push(t, "a/good:1", img)
		s := newStore(t, d.Client(), images.Config{})
		got, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest.String() != digest.String() || got.Ref != ref {
			t.Errorf("got %s %s; want %s %s", got.Ref, got.Digest, ref, digest)
		}
		c := got.Config
		if fmt.Sprintln(c.Entrypoint, c.Cmd, c.Env, c.User, c.WorkingDir) != "[/bin/echo] [hello] [A=b] app /home/app\n" {
			t.Errorf("config %+v", c)
		}
		reg.Misbehave(imagetest.Fault{Status: 500})
		if _, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil); err != nil {
			t.Errorf("image is here, but: %v", err)
		}
		byDigest := ref[:strings.LastIndex(ref, ":")] + "@" + digest.String()
		reg.Misbehave(imagetest.Fault{})
		if _, err := s.Ensure(t.Context(), byDigest, images.IfAbsent, nil); err != nil {
			t.Errorf("by digest: %v", err)
		}
		wantNoTraces(t, d.Client())
	})

	t.Run("moved tag", func(t *testing.T) {
		reg := imagetest.NewRegistry(t)
		ref := reg.Push(t, "a/moved:1", img)
		s := newStore(t, d.Client(), images.Config{})
		first, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil)
		if err != nil {
			t.Fatal(err)
		}
		reg.Push(t, "a/moved:1", build(t, imagetest.Options{User: "nobody"}))
		same, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil)
		if err != nil || same.Digest != first.Digest {
			t.Errorf("if absent: got %s, %v; want %s", same.Digest, err, first.Digest)
		}
		moved, err := s.Ensure(t.Context(), ref, images.Always, nil)
		if err != nil || moved.Digest == first.Digest || moved.Config.User != "nobody" {
			t.Errorf("always: got %s, %v; want another than %s", moved.Digest, err, first.Digest)
		}
	})

	t.Run("errors", func(t *testing.T) {
		reg := imagetest.NewRegistry(t)
		ref := reg.Push(t, "a/errors:1", img)
		foreign := reg.Push(t, "a/foreign:1", build(t, imagetest.Options{Arch: "s390x"}))
		s := newStore(t, d.Client(), images.Config{})
		for _, tt := range []struct {
			name, ref string
			fault     imagetest.Fault
			class     error
			says      string
		}{
			{"no such image", reg.Host + "/a/none:1", imagetest.Fault{}, errs.NotFound, "there is no such image"},
			{"other machine", foreign, imagetest.Fault{}, errs.Invalid, "made for linux/s390x"},
			{"no credentials", ref, imagetest.Fault{User: "u", Password: "p"}, errs.Invalid, "refuses these credentials"},
			{"forbidden", ref, imagetest.Fault{Status: 403}, errs.Invalid, "refuses these credentials"},
			{"broken", ref, imagetest.Fault{Status: 500}, errs.Unavailable, "cannot serve now"},
			{"nobody there", "127.0.0.1:1/a/b:1", imagetest.Fault{}, errs.Unavailable, "cannot be reached"},
			{"bad reference", "a/UPPER", imagetest.Fault{}, errs.Invalid, "lowercase"},
		} {
			reg.Misbehave(tt.fault)
			_, err := s.Ensure(t.Context(), tt.ref, images.IfAbsent, nil)
			if !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), tt.ref) {
				t.Errorf("%s: got %v; want class %v, saying %q and %q", tt.name, err, tt.class, tt.says, tt.ref)
			}
		}
		wantNoTraces(t, d.Client())
	})

	t.Run("credentials", func(t *testing.T) {
		reg := imagetest.NewRegistry(t)
		ref := reg.Push(t, "a/private:1", img)
		reg.Misbehave(imagetest.Fault{User: "user", Password: "secret"})
		for password, ok := range map[string]bool{"secret": true, "wrong": false} {
			s := newStore(t, d.Client(), images.Config{DockerConfig: dockerConfig(t, reg.Host, "user", password)})
			_, err := s.Ensure(t.Context(), ref, images.Always, nil)
			if (err == nil) != ok {
				t.Errorf("password %s: got %v", password, err)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error tells the password: %v", err)
			}
		}
	})
}

func dockerConfig(t *testing.T, host, user, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host, auth)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCorrupt: what does not match its digest is refused, fetched once more,
// and does not spoil a later pull from a registry that has been repaired.
func TestCorrupt(t *testing.T) {
	d := daemontest.Start(t)
	reg := imagetest.NewRegistry(t)
	ref := reg.Push(t, "a/corrupt:1", build(t, imagetest.Options{}))
	s := newStore(t, d.Client(), images.Config{})

	reg.Misbehave(imagetest.Fault{Corrupt: true})
	_, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil)
	if !errors.Is(err, errs.Corrupt) || !strings.Contains(err.Error(), "does not match its digest") {
		t.Errorf("got %v; want class %v", err, errs.Corrupt)
	}
	if n := reg.BlobRequests(); n != 2 {
		t.Errorf("the damaged layer was asked for %d times; want 2", n)
	}
	reg.Misbehave(imagetest.Fault{})
	if _, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil); err != nil {
		t.Errorf("from the repaired registry: %v", err)
	}
	wantNoTraces(t, d.Client())
}

// TestCancelAndShare: callers share one fetch; it ends when all have gone, and
// leaves nothing behind.
func TestCancelAndShare(t *testing.T) {
	d := daemontest.Start(t)
	reg := imagetest.NewRegistry(t)
	ref := reg.Push(t, "a/slow:1", build(t, imagetest.Options{Padding: 1 << 20}))
	s := newStore(t, d.Client(), images.Config{})

	stall := make(chan struct{})
	reg.Misbehave(imagetest.Fault{Stall: stall})
	ctx, cancel := context.WithCancel(t.Context())
	half := make(chan images.Progress, 1)
	gone := make(chan error)
	go func() {
		_, err := s.Ensure(ctx, ref, images.IfAbsent, func(p images.Progress) {
			if p.TotalBytes > 2<<20 { // the layers are known
				select {
				case half <- p:
				default:
				}
			}
		})
		gone <- err
	}()
	if p := <-half; p.DoneBytes >= p.TotalBytes {
		t.Errorf("progress %+v of a stalled fetch", p)
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantNoTraces(t, d.Client())
	close(stall)

	reg.Push(t, "a/slow:1", build(t, imagetest.Options{Padding: 2 << 20}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := reg.BlobRequests(); n != 1 {
		t.Errorf("a blob was asked for %d times by callers at once; want 1", n)
	}
	wantNoTraces(t, d.Client())
}

func TestArchive(t *testing.T) {
	d := daemontest.Start(t)
	s := newStore(t, d.Client(), images.Config{})
	img := build(t, imagetest.Options{User: "app"})
	other := build(t, imagetest.Options{User: "nobody"})
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, write func(io.Writer) error) string {
		var buf bytes.Buffer
		if err := write(&buf); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file://" + path
	}
	one := imagetest.Named{Name: "docker.io/library/one:latest", Image: img}
	two := imagetest.Named{Name: "docker.io/library/two:latest", Image: other}
	oci := file("oci.tar", func(w io.Writer) error { return imagetest.WriteOCI(w, one) })
	zipped := file("oci.tar.gz", func(w io.Writer) error {
		z := gzip.NewWriter(w)
		return errors.Join(imagetest.WriteOCI(z, one), z.Close())
	})
	nameless := file("nameless.tar", func(w io.Writer) error { return imagetest.WriteOCI(w, imagetest.Named{Image: img}) })
	docker := file("docker.tar", func(w io.Writer) error { return imagetest.WriteDocker(w, one) })
	both := file("both.tar", func(w io.Writer) error { return imagetest.WriteOCI(w, one, two) })
	text := file("text", func(w io.Writer) error { _, err := io.WriteString(w, "this is not a tar"); return err })
	foreign := file("foreign.tar", func(w io.Writer) error {
		return imagetest.WriteOCI(w, imagetest.Named{Image: build(t, imagetest.Options{Arch: "s390x"})})
	})
	empty := file("empty.tar", func(w io.Writer) error { return tar.NewWriter(w).Close() })
	short := file("short.tar", func(w io.Writer) error {
		var buf bytes.Buffer
		err := imagetest.WriteOCI(&buf, one)
		w.Write(buf.Bytes()[:buf.Len()/2])
		return err
	})
	damaged := file("damaged.tar", func(w io.Writer) error {
		var buf bytes.Buffer
		err := imagetest.WriteOCI(&buf, one)
		buf.Bytes()[buf.Len()/2] ^= 1
		w.Write(buf.Bytes())
		return err
	})

	// First, since a part that is here already is not read from an archive.
	if _, err := s.Ensure(t.Context(), damaged, images.IfAbsent, nil); !errors.Is(err, errs.Corrupt) {
		t.Errorf("%s: got %v; want class %v", damaged, err, errs.Corrupt)
	}
	for _, ref := range []string{oci, zipped, nameless, both + "#one:latest", both + "#docker.io/library/one:latest"} {
		got, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil)
		if err != nil || got.Digest.String() != digest.String() {
			t.Errorf("%s: got %s, %v; want %s", ref, got.Digest, err, digest)
		}
	}
	if got, err := s.Ensure(t.Context(), docker, images.IfAbsent, nil); err != nil || got.Config.User != "app" {
		t.Errorf("%s: got %+v, %v", docker, got, err)
	}
	pipe := filepath.Join(dir, "pipe.tar")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]struct {
		class error
		says  string
	}{
		both:                          {errs.Invalid, "several images"},
		both + "#three":               {errs.NotFound, `no image "three"`},
		text:                          {errs.Corrupt, "cut off or damaged"},
		foreign:                       {errs.Invalid, "made for linux/s390x"},
		empty:                         {errs.Invalid, "no OCI or docker archive"},
		short:                         {errs.Corrupt, ""},
		"file://" + dir + "/none.tar": {errs.NotFound, "no such archive on this agent"},
		"file://" + dir:               {errs.Invalid, "not a regular file"},
		"file://" + pipe:              {errs.Invalid, "not a regular file"},
		"file:///proc/kmsg":           {errs.Corrupt, "is empty"},
	} {
		_, err := s.Ensure(t.Context(), ref, images.IfAbsent, nil)
		if !errors.Is(err, want.class) || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %v; want class %v and %q", ref, err, want.class, want.says)
		}
	}

	// A file that was written anew is imported anew.
	oci = file("oci.tar", func(w io.Writer) error { return imagetest.WriteOCI(w, two) })
	if got, err := s.Ensure(t.Context(), oci, images.IfAbsent, nil); err != nil || got.Config.User != "nobody" {
		t.Errorf("replaced archive: got %+v, %v", got, err)
	}
	wantNoTraces(t, d.Client())

	// Names of the archive are not taken: the registry's "one" is not here.
	ctx := namespaces.WithNamespace(t.Context(), "mezzo")
	if _, err := d.Client().GetImage(ctx, one.Name); err == nil {
		t.Errorf("importing a file:// archive made an image %s", one.Name)
	}
	r, err := os.Open(strings.TrimPrefix(docker, "file://"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := s.Import(t.Context(), "busybox", r); err != nil || got.Ref != "docker.io/library/busybox:latest" {
		t.Errorf("import: got %+v, %v", got, err)
	}
}

// TestPin: a pinned image survives the loss of its name, and is gone once it
// is let go.
func TestPin(t *testing.T) {
	d := daemontest.Start(t)
	s := newStore(t, d.Client(), images.Config{})
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := imagetest.WriteFile(path, imagetest.Named{Image: build(t, imagetest.Options{})}); err != nil {
		t.Fatal(err)
	}
	img, err := s.Ensure(t.Context(), "file://"+path, images.IfAbsent, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := namespaces.WithNamespace(t.Context(), "mezzo")
	for range 2 {
		if err := s.Pin(ctx, "task-1", nil, img); err != nil {
			t.Fatal(err)
		}
	}
	remove := func() {
		t.Helper()
		if err := d.Client().ImageService().Delete(ctx, "file://"+path); err != nil {
			t.Fatal(err)
		}
		// Deleting a lease with "synchronous" waits for the garbage collector.
		l, err := d.Client().LeasesService().Create(ctx, leases.WithRandomID())
		if err == nil {
			err = d.Client().LeasesService().Delete(ctx, l, leases.SynchronousDelete)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	remove()
	snapshots := d.Client().SnapshotService("overlayfs")
	if _, err := snapshots.Stat(ctx, img.ChainID); err != nil {
		t.Errorf("pinned, but its snapshot is gone: %v", err)
	}
	if err := s.Unpin(ctx, "task-1"); err != nil {
		t.Error(err)
	}
	if err := s.Unpin(ctx, "task-1"); err != nil {
		t.Errorf("again: %v", err)
	}
	img, err = s.Ensure(t.Context(), "file://"+path, images.IfAbsent, nil)
	if err != nil {
		t.Fatal(err)
	}
	remove()
	if _, err := snapshots.Stat(ctx, img.ChainID); err == nil {
		t.Error("neither named nor pinned, but its snapshot is kept")
	}
}

// TestPrune: only what nobody needs is removed, with all that it takes.
func TestPrune(t *testing.T) {
	d := daemontest.Start(t)
	s := newStore(t, d.Client(), images.Config{PruneGrace: time.Nanosecond})
	dir := t.TempDir()
	var refs []string
	var all []images.Image
	for _, name := range []string{"pinned", "kept", "idle"} {
		path := filepath.Join(dir, name+".tar")
		img := build(t, imagetest.Options{Env: []string{"NAME=" + name}})
		if err := imagetest.WriteFile(path, imagetest.Named{Image: img}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Ensure(t.Context(), "file://"+path, images.IfAbsent, nil)
		if err != nil {
			t.Fatal(err)
		}
		refs, all = append(refs, "file://"+path), append(all, got)
	}
	ctx := namespaces.WithNamespace(t.Context(), "mezzo")
	if err := s.Pin(ctx, "task-1", nil, all[0]); err != nil {
		t.Fatal(err)
	}
	removed, err := s.Prune(t.Context(), func(r images.Ref) bool { return r.String() == refs[1] })
	if err != nil || len(removed) != 1 || removed[0] != refs[2] {
		t.Errorf("removed %v, %v, want %s alone", removed, err, refs[2])
	}
	left, err := d.Client().ImageService().List(ctx)
	if err != nil || len(left) != 2 {
		t.Errorf("left are %v, %v", left, err)
	}
	if _, err := d.Client().ContentStore().Info(ctx, all[2].Digest); err == nil {
		t.Error("the content of what was removed is there")
	}
	if got, err := s.Ensure(t.Context(), refs[2], images.IfAbsent, nil); err != nil || got.ChainID != all[2].ChainID {
		t.Errorf("fetched again: %+v, %v", got, err)
	}
	// What was just given is not taken away.
	patient := newStore(t, d.Client(), images.Config{})
	for _, ref := range refs {
		if _, err := patient.Ensure(t.Context(), ref, images.IfAbsent, nil); err != nil {
			t.Fatal(err)
		}
	}
	if removed, err := patient.Prune(t.Context(), func(images.Ref) bool { return false }); len(removed) > 0 || err != nil {
		t.Errorf("removed %v, %v at once", removed, err)
	}
}
