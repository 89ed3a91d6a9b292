// Package daemontest gives a test a containerd of its own.
package daemontest

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"mezzo/containerizer/daemon"
)

// Server is a private containerd and a connection to it.
type Server struct {
	*daemon.Daemon
	cfg daemon.Config
}

// Start runs a private containerd until the end of the test; what the test
// leaves in it is killed. MEZZO_TEST_CONTAINERD names another binary than the
// one in PATH. The test is skipped where none can run, or fails if
// MEZZO_TEST_REQUIRED is set.
func Start(t testing.TB) *Server {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "containerd needs root")
	}
	binary := os.Getenv("MEZZO_TEST_CONTAINERD")
	if binary == "" {
		binary = "containerd"
	}
	for _, need := range []string{binary, "runc"} {
		if _, err := exec.LookPath(need); err != nil {
			Skip(t, err.Error())
		}
	}
	s := &Server{cfg: daemon.Config{
		Address: daemon.Private, Dir: filepath.Join(t.TempDir(), "containerd"), Binary: binary,
	}}
	s.Daemon = s.connect(t)
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *Server) connect(t testing.TB) *daemon.Daemon {
	t.Helper()
	d, err := daemon.Connect(t.Context(), s.cfg, Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Crash ends containerd without a warning; tasks run on.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	if err := s.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Revive starts containerd again, as an init would after a crash. The client
// goes on working.
func (s *Server) Revive(t testing.TB) {
	t.Helper()
	if err := s.connect(t).Close(); err != nil {
		t.Error(err)
	}
}

// Skip ends the test with the reason why it cannot run here.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("MEZZO_TEST_REQUIRED") != "" {
		t.Fatalf("required here, but: %s", why)
	}
	t.Skip(why)
}

// Log writes to the test's output.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (s *Server) stop(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sweep(ctx, t, s.Client())
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop containerd: %v", err)
	}
	s.Close()
	unmountBelow(t, filepath.Dir(s.Address()))
	if err := os.RemoveAll(filepath.Dir(s.Address())); err != nil {
		t.Error(err)
	}
}

// sweep kills and removes what is left in every namespace.
func sweep(ctx context.Context, t testing.TB, c *containerd.Client) {
	spaces, err := c.NamespaceService().List(ctx)
	if err != nil {
		t.Errorf("list namespaces: %v", err)
	}
	for _, ns := range spaces {
		ctx := namespaces.WithNamespace(ctx, ns)
		left, err := c.Containers(ctx)
		if err != nil {
			t.Errorf("list containers: %v", err)
		}
		for _, ctr := range left {
			if task, err := ctr.Task(ctx, nil); err == nil {
				task.Kill(ctx, syscall.SIGKILL, containerd.WithKillAll)
				task.Delete(ctx, containerd.WithProcessKill)
			}
			ctr.Delete(ctx, containerd.WithSnapshotCleanup)
		}
	}
}

// unmountBelow makes it safe to remove dir.
func unmountBelow(t testing.TB, dir string) {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		t.Fatalf("list mounts: %v", err)
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		if p := mounts[i].Mountpoint; strings.HasPrefix(p, dir+"/") {
			if err := unix.Unmount(p, unix.MNT_DETACH); err != nil {
				t.Fatalf("unmount %s: %v", p, err)
			}
		}
	}
}
