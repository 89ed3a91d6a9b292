package containerizer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/namespaces"

	"mezzo/containerizer"
	"mezzo/containerizer/daemon/daemontest"
	"mezzo/images"
	"mezzo/images/imagetest"
	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/security"
)

// The tests of this file run real containers in a containerd of their own,
// without resource limits: they are about the life of a container. They need
// root and containerd, and are skipped elsewhere.

// bench is a containerizer and what it stands on.
type bench struct {
	*containerizer.Containerizer
	daemon  *daemontest.Server
	dir     string
	archive string // reference of a busybox image
	images  *images.Store
	n       int
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{daemon: daemontest.Start(t), dir: t.TempDir()}
	if err := os.Chmod(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.archive = b.newArchive(t, imagetest.Options{})
	var err error
	b.images, err = images.New(images.Config{}, images.Deps{Client: b.daemon.Client(), Log: daemontest.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	b.Containerizer = b.restart(t)
	return b
}

// restart makes a containerizer as a restarted agent would.
func (b *bench) restart(t testing.TB) *containerizer.Containerizer {
	t.Helper()
	set, err := isolator.NewSet(security.New())
	if err != nil {
		t.Fatal(err)
	}
	c, err := containerizer.New(
		containerizer.Config{StateDir: filepath.Join(b.dir, "state")},
		containerizer.Deps{Daemon: b.daemon.Daemon, Images: b.images, Isolators: set, Log: daemontest.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) newArchive(t testing.TB, o imagetest.Options) (ref string) {
	t.Helper()
	img, err := imagetest.Build(o)
	if err != nil {
		daemontest.Skip(t, err.Error())
	}
	b.n++
	path := filepath.Join(b.dir, fmt.Sprintf("image-%d.tar", b.n))
	if err := imagetest.WriteFile(path, imagetest.Named{Image: img}); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// spec is a shell command in the busybox image, with a sandbox of its own.
func (b *bench) spec(t testing.TB, command string) containerizer.Spec {
	t.Helper()
	sandbox, err := os.MkdirTemp(b.dir, "sandbox-")
	if err != nil {
		t.Fatal(err)
	}
	b.n++
	return containerizer.Spec{
		ID: isolator.ID(fmt.Sprintf("c%d", b.n)), Image: b.archive, Shell: true, Value: command, Sandbox: sandbox,
	}
}

// run launches s and returns its end and its output; it is destroyed then.
func (b *bench) run(t testing.TB, s containerizer.Spec) (end containerizer.Termination, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := b.Launch(ctx, s); err != nil {
		t.Fatal(err)
	}
	end, err := b.Wait(ctx, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr = output(t, s, "stdout"), output(t, s, "stderr")
	if err := b.Destroy(ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	return end, stdout, stderr
}

func output(t testing.TB, s containerizer.Spec, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Sandbox, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantNothingLeft checks that containers, snapshots, leases, and processes of
// all that were destroyed are gone.
func (b *bench) wantNothingLeft(t testing.TB) {
	t.Helper()
	ctx := namespaces.WithNamespace(context.Background(), "mezzo")
	left, err := b.daemon.Client().Containers(ctx)
	if err != nil || len(left) > 0 {
		t.Errorf("containers left: %v, %v", left, err)
	}
	held, err := b.daemon.Client().LeasesService().List(ctx)
	if err != nil || len(held) > 0 {
		t.Errorf("leases left: %v, %v", held, err)
	}
	if dirs, _ := os.ReadDir(filepath.Join(b.dir, "state", "host")); len(dirs) > 0 {
		t.Errorf("root directories left: %v", dirs)
	}
	bundles, err := filepath.Glob(filepath.Join(filepath.Dir(b.daemon.Address()), "state", "io.containerd.runtime.v2.task", "mezzo", "*"))
	if err != nil || len(bundles) > 0 {
		t.Errorf("bundles left: %v, %v", bundles, err)
	}
}

func TestLife(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	s := b.spec(t, "echo out; echo err >&2; pwd; exit 7")
	end, stdout, stderr := b.run(t, s)
	if end.Code != 7 || end.Unknown || time.Since(end.At) > time.Minute || end.Usage.CPU == 0 {
		t.Errorf("end %+v; want code 7, and some use of CPU", end)
	}
	if stdout != "out\n/mnt/mesos/sandbox\n" || stderr != "err\n" {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
	if err := b.Destroy(t.Context(), s.ID); err != nil {
		t.Errorf("destroy again: %v", err)
	}
	for _, f := range []func() error{
		func() error { _, err := b.Wait(t.Context(), s.ID); return err },
		func() error { return b.Signal(t.Context(), s.ID, syscall.SIGTERM) },
		func() error { _, err := b.Usage(t.Context(), s.ID); return err },
	} {
		if err := f(); !errors.Is(err, errs.NotFound) {
			t.Errorf("after Destroy: %v; want class %v", err, errs.NotFound)
		}
	}
}

// TestMany launches and ends containers all at once.
func TestMany(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	specs := make([]containerizer.Spec, 20)
	for i := range specs {
		specs[i] = b.spec(t, fmt.Sprintf("echo %d; exit %d", i, i))
		if i%4 == 3 {
			specs[i].Image = ""
		}
	}
	var wg sync.WaitGroup
	for i, s := range specs {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if _, err := b.Launch(ctx, s); err != nil {
				t.Error(err)
				return
			}
			end, err := b.Wait(ctx, s.ID)
			if err != nil || end.Code != i || output(t, s, "stdout") != fmt.Sprintln(i) {
				t.Errorf("%s: end %+v, %v", s.ID, end, err)
			}
			if err := b.Destroy(ctx, s.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestPulledImage(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	reg := imagetest.NewRegistry(t)
	img, err := imagetest.Build(imagetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := b.spec(t, "echo hello")
	s.Image = reg.Push(t, "a/b:1", img)
	if end, stdout, stderr := b.run(t, s); end.Code != 0 || stdout != "hello\n" {
		t.Errorf("end %+v, %q, %q", end, stdout, stderr)
	}
	// Destroyed while it is pulled, a launch ends and leaves nothing.
	other, err := imagetest.Build(imagetest.Options{Padding: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s = b.spec(t, "true")
	s.Image = reg.Push(t, "a/slow:1", other)
	reg.Misbehave(imagetest.Fault{Stall: make(chan struct{})})
	launched := make(chan error)
	go func() {
		_, err := b.Launch(t.Context(), s)
		launched <- err
	}()
	await(t, func() bool { return reg.BlobRequests() > 0 })
	if err := b.Destroy(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
	if err := <-launched; !errors.Is(err, errs.Conflict) {
		t.Errorf("the launch ended with %v; want class %v", err, errs.Conflict)
	}
	await(t, func() bool {
		held, err := b.daemon.Client().LeasesService().List(namespaces.WithNamespace(context.Background(), "mezzo"))
		return err == nil && len(held) == 0
	})
}

func await(t testing.TB, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not come true in 30 s")
		}
	}
}
