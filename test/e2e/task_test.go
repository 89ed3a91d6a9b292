package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
	"mezzo/images/imagetest"
)

// fullOptions make an image that sets all a task inherits.
var fullOptions = imagetest.Options{
	Entrypoint: []string{"sh", "-c", `echo "user=$(id -u):$(id -g) dir=$(pwd) color=$COLOR extra=$EXTRA args=$*"`, "entry"},
	Cmd:        []string{"from-cmd"},
	Env:        []string{"PATH=/bin", "COLOR=blue"},
	User:       "app",
	WorkingDir: "/srv",
}

// TestImageConfig: ENTRYPOINT, ENV, USER and WORKDIR of the image are honoured,
// and what the task says goes over them.
func TestImageConfig(t *testing.T) {
	s := setup(t)
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"image's own", nil, "user=1000:1000 dir=/srv color=blue extra= args=from-cmd"},
		{"task's over it", []string{"--env=COLOR=red", "--env=EXTRA=x", "--user=0"}, "user=0:0 dir=/srv color=red extra=x args=from-cmd"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := s.mezzo(t, append([]string{"run", "--image=" + fullImage, "--cpus=0.2", "--mem=32"}, tc.args...)...)
			if got := strings.TrimSpace(r.stdout); got != tc.want || r.code != 0 {
				t.Errorf("printed %q (code %d), want %q\n%s", got, r.code, tc.want, r.stderr)
			}
		})
	}
}

// TestConfinement: what a task of a plain image can't do.
func TestConfinement(t *testing.T) {
	s := setup(t)
	script := `
grep -E '^(NoNewPrivs|Seccomp|CapEff):' /proc/self/status
cat /proc/self/cgroup
mount -t tmpfs none /mnt 2>/dev/null && echo mounted
echo 1 2>/dev/null >/sys/fs/cgroup/cgroup.procs && echo wrote-cgroup
ls -d /proc/[0-9]* | wc -l
`
	r := s.mezzo(t, "run", "--image="+plainImage, "--cpus=0.2", "--mem=32", "--", "sh", "-c", script)
	if r.code != 1 && r.code != 0 {
		t.Fatalf("code %d: %s", r.code, r.stderr)
	}
	for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "0::/"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("output lacks %q", want)
		}
	}
	for _, bad := range []string{"mounted", "wrote-cgroup", "0::/mezzo", "CapEff:\t000001ffffffffff"} {
		if strings.Contains(r.stdout, bad) {
			t.Errorf("output has %q", bad)
		}
	}
	if t.Failed() {
		t.Log(r.stdout)
	}
}

// TestHostTask: a task without an image sees the host's file system, in the
// same kind of container.
func TestHostTask(t *testing.T) {
	s := setup(t)
	r := s.mezzo(t, "run", "--cpus=0.2", "--mem=64", "--", "sh", "-c", "cat /etc/hostname; tr '\\0' ' ' </proc/1/cmdline; echo; touch here && ls here")
	if r.code != 0 {
		t.Fatalf("code %d: %s", r.code, r.stderr)
	}
	lines := strings.Split(r.stdout, "\n")
	if want := s.sh(t, "cat /etc/hostname"); lines[0] != want {
		t.Errorf("host name file says %q, the node's %q", lines[0], want)
	}
	if len(lines) < 3 || strings.Contains(lines[1], "systemd") || lines[2] != "here" {
		t.Errorf("not a container of its own with a writable sandbox: %q", lines)
	}
}

// TestFailures: what can't run ends with a sentence that names the cause, and
// disturbs nobody.
func TestFailures(t *testing.T) {
	s := setup(t)
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown image", []string{"--image=file:///nowhere/image.tar", "--", "true"}, "/nowhere/image.tar"},
		{"missing command", []string{"--image=" + plainImage, "--", "no-such-program"}, "no-such-program"},
		{"exit code", []string{"--image=" + plainImage, "--", "sh", "-c", "exit 7"}, "7"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := s.mezzo(t, append([]string{"run", "--cpus=0.1", "--mem=32"}, tc.args...)...)
			if r.code == 0 || !strings.Contains(r.stderr, tc.want) {
				t.Errorf("code %d, %q; want a failure that says %q", r.code, r.stderr, tc.want)
			}
			if tc.name == "exit code" && r.code != 7 {
				t.Errorf("code %d, want the task's own", r.code)
			}
		})
	}
}

// TestKillGrace: TERM first, KILL only once the grace period is over.
func TestKillGrace(t *testing.T) {
	s := setup(t)
	const grace = 6
	// uptime is the guest's clock; the trap notes when TERM came, the loop goes on. It
	// may be killed between opening a file and writing to it: nothing is written over.
	script := `trap 'cut -d" " -f1 /proc/uptime >$MESOS_SANDBOX/term' TERM; while :; do cut -d" " -f1 /proc/uptime >>$MESOS_SANDBOX/alive; sleep 0.2; done`
	task := s.background(t, "stubborn", []string{"--cpus=0.5", "--mem=32", "--kill-grace=6s"}, "sh", "-c", script)
	s.kill(t, task)
	if got := s.lastStatus(t, "stubborn").GetState(); got != v1.TaskState_TASK_KILLED {
		t.Errorf("state is %v", got)
	}
	sandbox := s.sh(t, "find "+s.work+" -type d -name '"+task.GetUsed().GetContainerId().GetValue()+"' | head -n 1")
	term := number(t, s.sh(t, "cat "+sandbox+"/term"))
	alive := number(t, s.sh(t, "tail -n 1 "+sandbox+"/alive"))
	if lived := alive - term; lived < grace-1.5 || lived > grace+s.Slow(time.Second).Seconds() {
		t.Errorf("lived %.1f s after TERM, grace was %d s", lived, grace)
	}
}

// TestOutputSurvives: kill -9 of master and agent at once; the task runs on and
// its output is not lost; the next agent finds nothing it can't clean up.
func TestOutputSurvives(t *testing.T) {
	s := setup(t)
	task := s.background(t, "chatty", []string{"--cpus=0.5", "--mem=32"}, "sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; done")
	id := task.GetUsed().GetContainerId().GetValue()
	sandbox := s.sh(t, "find "+s.work+" -type d -name '"+id+"' | head -n 1")
	s.killHard(t)
	// More than a pipe holds must flow with nobody there.
	size := number(t, s.sh(t, "stat -c %s "+sandbox+"/stdout"))
	s.sh(t, `n=0; until [ $(stat -c %s `+sandbox+`/stdout) -gt `+fmt.Sprint(int64(size)+100000)+` ]; do n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 0.2; done`)
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(time.Minute))
	defer cancel()
	if err := s.start(ctx, dir); err != nil {
		t.Fatal(err)
	}
	s.await(t, "the task goes on", func(c *usage.Cluster) *usage.TaskUsage {
		if u := byName(c, "chatty"); u.GetState() == v1.TaskState_TASK_RUNNING && u.GetUsed().GetCpu() != nil {
			return u
		}
		return nil
	})
	s.kill(t, task)
	s.empty(t)
}
