package commands

// Goal: a machine is taken out of service and brought back, an agent is drained
// and given up, by commands alone. Method: as in operate_test.go; beside the
// agent of `mezzo local`, of which nothing is offered, there is one in a process
// of its own that can end and be started again.

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mezzo/containerizer/daemon/daemontest"
	"mezzo/test/native"
)

// spare is how to start the agent of a host of that name.
type spare struct {
	c          *native.Cluster
	dir        string
	containerd string
	host       string // spare when empty
}

func (s *spare) start(t *testing.T) *begun {
	t.Helper()
	b := begin(t, s.c, "agent", "--ip=127.0.0.1", "--port=0", "--hostname="+cmp.Or(s.host, "spare"), "--work_dir="+filepath.Join(s.dir, "agent"),
		"--isolation=none", "--containerd="+s.containerd, "--resources=cpus:2;mem:512;disk:512;ports:[32000-32010]")
	t.Cleanup(func() {
		if b.ProcessState == nil {
			_ = b.Process.Signal(syscall.SIGTERM)
			_ = b.Wait()
		}
		if t.Failed() {
			t.Logf("log of the agent:\n%s%s", &b.stdout, tail(b.stderr.String()))
		}
	})
	return b
}

// join starts the agent and waits until it is offered; it returns its id.
func (s *spare) join(t *testing.T) (b *begun, id string) {
	t.Helper()
	b = s.start(t)
	until(t, "the agent is active", func() bool {
		f := strings.Fields(rowOf(run(t, s.c, "agents").stdout, cmp.Or(s.host, "spare")))
		if len(f) < 3 || f[2] != "ACTIVE" {
			return false
		}
		id = f[len(f)-1]
		return true
	})
	return b, id
}

// work runs a task until something else ends it.
func (s *spare) work(t *testing.T, name string) *begun {
	t.Helper()
	b := begin(t, s.c, "run", "--name="+name, "--cpus=1", "--mem=32", "--image="+s.c.Image, "--", "sh", "-c", "echo up; sleep 1000")
	until(t, name+" runs", func() bool { return b.stdout.String() == "up\n" })
	return b
}

func (s *spare) works(t *testing.T) {
	t.Helper()
	if got := does(t, s.c, "run", "--cpus=1", "--mem=32", "--image="+s.c.Image, "--", "echo", "hi"); got != "hi\n" {
		t.Errorf("a task says %q", got)
	}
}

func TestMaintenance(t *testing.T) {
	c := native.Start(t)
	s := &spare{c: c, dir: t.TempDir(), containerd: daemontest.Start(t).Address()}
	does(t, c, "agents", "deactivate", soleAgent(t, c))
	a, _ := s.join(t)
	t.Run("mistakes", func(t *testing.T) {
		for _, row := range []struct{ typed, says string }{
			{"maintenance start spare", "machine spare/127.0.0.1: is not scheduled; `mezzo maintenance schedule spare` does it"},
			{"maintenance stop spare", "is not scheduled"},
			{"maintenance schedule spaer", "did you mean spare? --force schedules it all the same"},
			{"maintenance schedule spare --start=yesterday", "want a time"},
			{"maintenance schedule spare 127.0.0.1", `machine "127.0.0.1": may be any of `},
			{"drain spaer", `agent "spaer": no such agent; did you mean spare?`},
			{"drain spare --grace=-1s", "want no negative time"},
		} {
			r := run(t, c, strings.Fields(row.typed)...)
			if r.code != 1 || !strings.Contains(r.stderr, row.says) {
				t.Errorf("mezzo %s: exit code %d, want one that says %q:\n%s", row.typed, r.code, row.says, r.stderr)
			}
		}
	})

	task := s.work(t, "moved")
	if got := does(t, c, "maintenance", "schedule", "spare", "--start=1h", "--duration=30m"); !strings.Contains(got, "30m0s  spare/127.0.0.1\n") {
		t.Errorf("schedule says\n%s", got)
	}
	until(t, "who runs something there is asked to leave", func() bool {
		row := rowOf(run(t, c, "maintenance", "status").stdout, "spare/127.0.0.1")
		return strings.HasPrefix(row, "spare/127.0.0.1 DRAINING ") && strings.HasSuffix(row, " 30m0s 1 1 mezzo run moved: none")
	})
	for _, verb := range []string{"status", "schedule"} {
		if got := does(t, c, "maintenance", verb, "-o", "json"); !json.Valid([]byte(got)) || !strings.Contains(got, `"hostname": "spare"`) {
			t.Errorf("%s -o json:\n%s", verb, got)
		}
	}
	if got := does(t, c, "__complete", "maintenance", "start", "--master="+c.Master, ""); !strings.HasPrefix(got, "spare/127.0.0.1\tDRAINING\n") {
		t.Errorf("start completes\n%s", got)
	}

	if got := does(t, c, "maintenance", "start", "spare"); got != "spare/127.0.0.1\tDOWN\n" {
		t.Errorf("start says %q", got)
	}
	if r := finish(t, task); r.code == 0 || !strings.Contains(r.stderr, "maintenance of its machine started") {
		t.Errorf("the task: exit code %d\n%s", r.code, r.stderr)
	}
	finish(t, a)
	if row := rowOf(does(t, c, "maintenance", "status"), "spare/127.0.0.1"); !strings.HasPrefix(row, "spare/127.0.0.1 DOWN ") || !strings.HasSuffix(row, " 0 0 -") {
		t.Errorf("status: %s", row)
	}
	if r := finish(t, s.start(t)); r.code == 0 || !strings.Contains(r.stdout+r.stderr, "is down for maintenance") {
		t.Errorf("an agent on a machine that is down: %+v", r)
	}
	if r := run(t, c, "maintenance", "clear", "spare"); r.code != 1 || !strings.Contains(r.stderr, "`mezzo maintenance stop` brings it back") {
		t.Errorf("clear: %+v", r)
	}
	if got := does(t, c, "maintenance", "stop", "spare"); got != "spare/127.0.0.1\tUP\n" {
		t.Errorf("stop says %q", got)
	}
	if got := does(t, c, "maintenance", "status"); strings.Count(got, "\n") != 1 {
		t.Errorf("status is\n%s", got)
	}
	a, id := s.join(t)
	s.works(t)

	does(t, c, "maintenance", "schedule", "spare")
	if got := does(t, c, "maintenance", "clear", "--all"); got != "spare/127.0.0.1\tCLEARED\n" {
		t.Errorf("clear says %q", got)
	}

	task = s.work(t, "drained")
	if got := does(t, c, "drain", "spare", "--grace=1s"); got != id+"\tDRAINED\n" {
		t.Errorf("drain says %q", got)
	}
	if r := finish(t, task); r.code != 137 && r.code != 143 {
		t.Errorf("the task: exit code %d\n%s", r.code, r.stderr)
	}
	if row := rowOf(does(t, c, "agents"), "spare"); !strings.Contains(row, " DRAINED 0/2 ") {
		t.Errorf("agents: %s", row)
	}
	if got := does(t, c, "agents", "reactivate", "spare"); got != id+"\tACTIVE\n" {
		t.Errorf("reactivate says %q", got)
	}
	s.works(t)
	if got := does(t, c, "drain", id, "--mark-gone"); got != id+"\tGONE\n" {
		t.Errorf("drain says %q", got)
	}
	if r := finish(t, a); r.code == 0 || !strings.Contains(r.stdout+r.stderr, "was marked gone") {
		t.Errorf("the agent: %+v", r)
	}
}

// soleAgent is the id of the one agent there is.
func soleAgent(t *testing.T, c *native.Cluster) string {
	t.Helper()
	f := strings.Fields(does(t, c, "agents"))
	return f[len(f)-1]
}
