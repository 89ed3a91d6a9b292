package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mezzo/test/e2e/cluster"
)

// TestContainerd2: what holds with Debian's containerd 1.6 holds with a private
// one of 2.x, too.
func TestContainerd2(t *testing.T) {
	s := setup(t).beside(t, "containerd2")
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	build, err := exec.CommandContext(t.Context(), filepath.Join(root, "test", "containerd2.sh")).Output()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(time.Minute))
	defer cancel()
	from, to := filepath.Dir(string(build)), dir+"/containerd2"
	for _, name := range []string{"containerd", "containerd-shim-runc-v2"} {
		if err := s.node.Push(ctx, filepath.Join(from, name), to+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.start(ctx, to, "--containerd=private"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if log := s.log(ctx); !strings.Contains(log, "containerd=2.") {
		t.Fatalf("not the containerd that was meant:\n%s", log)
	}
	s.heldToCPU(t)
	s.heldToMemory(t)
	if r := s.mezzo(t, "run", "--image="+plainImage, "--cpus=0.2", "--mem=32", "--", "sh", "-c", "echo out; echo err >&2; exit 7"); r.code != 7 ||
		r.stdout != "out\n" || !strings.Contains(r.stderr, "err\n") {
		t.Errorf("code %d, stdout %q, stderr %q", r.code, r.stdout, r.stderr)
	}
}

// TestUnit: an agent that is a unit of systemd restarts at once with a task
// running; its private containerd is none of the unit's.
func TestUnit(t *testing.T) {
	s := setup(t).beside(t, "unit")
	mezzo := "systemd-run --quiet --collect -p Delegate=yes -p StandardError=append:" + s.work + ".log --unit="
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), s.Slow(time.Minute))
		defer cancel()
		if r, err := s.node.Run(ctx, "sh", "-c", "systemctl stop mezzo-e2e-agent mezzo-e2e-master; kill "+s.containerd()); err != nil || r.Code != 0 {
			t.Errorf("clean up: %v, %+v", err, r)
		}
	})
	s.sh(t, mezzo+"mezzo-e2e-master "+dir+"/mezzo master --ip="+s.node.Address+" --port=5060 --work_dir="+s.work+"/master")
	s.sh(t, mezzo+"mezzo-e2e-agent "+dir+"/mezzo agent --master="+s.master+" --ip="+s.node.Address+" --port=5061 --containerd=private --work_dir="+s.work+"/agent")
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(time.Minute))
	defer cancel()
	if err := s.active(ctx); err != nil {
		t.Fatal(err)
	}
	task := s.background(t, "in-unit", []string{"--cpus=0.1", "--mem=32"}, "sleep", "3600")
	before := s.sh(t, "echo "+s.containerd())
	cgroup := s.cgroup(t, task)
	held := func() string {
		return s.sh(t, "cat "+cgroup+"/ctr/cgroup.procs "+cgroup+"/cpu.max "+cgroup+"/memory.max")
	}
	runs := held()
	// A unit that leaves processes behind takes systemd's 90 s to stop.
	s.sh(t, "timeout 45 systemctl restart mezzo-e2e-agent")
	if after := s.sh(t, "echo "+s.containerd()); after != before || before == "" {
		t.Errorf("containerd had pid %q and has %q", before, after)
	}
	if err := s.active(ctx); err != nil {
		t.Fatal(err)
	}
	if r := s.mezzo(t, "run", "--image="+plainImage, "--cpus=0.1", "--mem=32", "--", "echo", "again"); r.stdout != "again\n" {
		t.Errorf("after the restart: code %d, %q, %q", r.code, r.stdout, r.stderr)
	}
	// The task goes on, the same process within the same limits, and is the
	// agent's to end.
	if now := held(); now != runs || runs == "" {
		t.Errorf("the task was %q and is %q", runs, now)
	}
	s.kill(t, task)
	s.empty(t)
}

// containerd is for a shell on the node the pid of the agent's private one.
func (s *suite) containerd() string {
	return "$(pgrep -f '^[^ ]*containerd --config " + s.work + "/')"
}
