//go:build root && linux

package cgroups2

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mezzo/isolator"
	"mezzo/isolator/isolatortest"
	"mezzo/isolator/security"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Goal: what both isolators make of a spec is what a real runtime starts, and
// the container sees its own limits. Method: runc, without containerd, on a
// root file system that holds this binary alone.

// bundle makes an OCI bundle that runs a helper.
func bundle(t *testing.T, what string) (dir string, s *specs.Spec) {
	t.Helper()
	dir = t.TempDir()
	rootfs := filepath.Join(dir, "rootfs")
	for _, d := range []string{"proc", "sys", "dev", "tmp"} {
		if err := os.MkdirAll(filepath.Join(rootfs, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(rootfs, "helper"), os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	s = isolatortest.Spec()
	s.Process.Args = []string{"/helper"}
	s.Process.Env = []string{helperEnv + "=" + what}
	s.Mounts = append(s.Mounts,
		specs.Mount{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
		specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}})
	return dir, s
}

func TestRootContainerSeesItsLimits(t *testing.T) {
	if _, err := exec.LookPath("runc"); err != nil {
		t.Skipf("no runtime: %v", err)
	}
	i := realIsolator(t)
	set, err := isolator.NewSet(security.New(), i)
	if err != nil {
		t.Fatal(err)
	}
	dir, s := bundle(t, "look /proc/self/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.swap.max /proc/self/oom_score_adj")
	c := isolator.Container{ID: "mezzo-look", Limits: isolator.Limits{CPULimitMilli: 1500, MemLimitBytes: 64 * mib}}
	if err := set.Prepare(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "config.json"), string(config))
	out, err := exec.CommandContext(t.Context(), "runc", "--root", t.TempDir(), "run", "-b", dir, string(c.ID)).CombinedOutput()
	if err != nil {
		t.Fatalf("runc run: %v: %s", err, out)
	}
	t.Logf("%s", out)
	for _, want := range []string{
		"/proc/self/cgroup: 0::/ <nil>",
		"memory.max: 67108864 <nil>", "cpu.max: 1500000 1000000 <nil>", "memory.swap.max: 0 <nil>",
		"oom_score_adj: 0 <nil>",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the container does not see %q", want)
		}
	}
	if strings.Contains(string(out), "cgroup/memory.max can be written") {
		t.Error("the container can change its own limits")
	}
	if _, err := os.Stat(filepath.Join(i.root, string(c.ID), leafName)); !os.IsNotExist(err) {
		t.Errorf("runc left the leaf: %v", err)
	}
	if u := sampleOf(t, i, c.ID); u.CPU == 0 || u.MemPeakBytes == 0 {
		t.Errorf("nothing is left of what it used: %+v", u)
	}
	if err := set.Cleanup(t.Context(), c.ID); err != nil {
		t.Error(err)
	}
}
