package commands

// Goal: each command does what its help says, and what goes wrong ends with the
// right exit code and a sentence that names it. Method: the built binary
// against `mezzo local` with real containerd, without limits; one cluster for
// all, every test with tasks of its own.

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mezzo/images/imagetest"
	"mezzo/test/native"
)

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

func run(t *testing.T, c *native.Cluster, args ...string) result {
	t.Helper()
	return finish(t, begin(t, c, args...))
}

// begun is a command that runs.
type begun struct {
	*exec.Cmd
	stdout, stderr output
}

// output is read while the command writes it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func begin(t *testing.T, c *native.Cluster, args ...string) *begun {
	t.Helper()
	b := prepare(t, c, args...)
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

// prepare makes a command that is not begun.
func prepare(t *testing.T, c *native.Cluster, args ...string) *begun {
	b := &begun{Cmd: c.Command(t.Context(), args[0], args[1:]...)}
	b.Stdout, b.Stderr = &b.stdout, &b.stderr
	return b
}

func finish(t *testing.T, b *begun) result {
	t.Helper()
	var exit *exec.ExitError
	if err := b.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{b.stdout.String(), b.stderr.String(), b.ProcessState.ExitCode()}
}

// until waits for ok, and fails the test after a minute.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestCommands(t *testing.T) {
	c := native.Start(t, "--container_disk_watch_interval=500ms")
	t.Run("run", func(t *testing.T) { testRun(t, c) })
	t.Run("interrupt", func(t *testing.T) { testInterrupt(t, c) })
	t.Run("detach", func(t *testing.T) { testDetached(t, c) })
	t.Run("group", func(t *testing.T) { testGroup(t, c) })
	t.Run("health", func(t *testing.T) { testHealth(t, c) })
	t.Run("disk", func(t *testing.T) { testDisk(t, c) })
	t.Run("exec", func(t *testing.T) { testExec(t, c) })
	t.Run("example", func(t *testing.T) { testExample(t, c) })
	t.Run("terminal", func(t *testing.T) { testTerminal(t, c) })
	t.Run("tables", func(t *testing.T) { testTables(t, c) })
	t.Run("nothing is left", func(t *testing.T) {
		var state struct{ Frameworks []struct{ Name string } }
		if err := c.Get(t.Context(), "http://"+c.Master+"/state", &state); err != nil || len(state.Frameworks) > 0 {
			t.Errorf("frameworks %v, %v", state.Frameworks, err)
		}
	})
}

func testRun(t *testing.T, c *native.Cluster) {
	full := filepath.Join(c.Dir, "full.tar")
	err := imagetest.WriteBusybox(full, imagetest.Options{
		Entrypoint: []string{"sh", "-c", `echo "uid=$(id -u) dir=$(pwd) color=$COLOR args=$*"`, "entry"},
		Cmd:        []string{"from-cmd"}, Env: []string{"PATH=/bin", "COLOR=blue"}, User: "app", WorkingDir: "/srv",
	})
	if err != nil {
		t.Fatal(err)
	}
	image := "--image=" + c.Image
	archive := filepath.Join(c.Dir, "packed.tgz")
	if out, err := exec.Command("sh", "-c", "cd $(mktemp -d) && mkdir in && echo packed > in/side && tar czf "+archive+" in").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content := []byte("from afar\n")
	digest := fmt.Sprintf("%x", sha256.Sum256(content))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/dir/file.txt" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(content) // the task says whether it came
	}))
	defer web.Close()
	sh := func(script string) []string { return []string{image, "--", "sh", "-c", script} }
	for _, tc := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // contained in it; stdout "": nothing at all
	}{
		{"output and success", sh("echo out; echo err >&2"), 0, "out\n", "err\n"},
		{"exit code", sh("exit 3"), 3, "", "Command exited with status 3"},
		{"a signal", sh("sh -c 'kill -SEGV $$'; exit $?"), 139, "", "SIGSEGV"},
		{"much output", sh("yes | head -c 3000000 | tail -c 3; echo end"), 0, "\ny\nend\n", ""},
		{"all of it", sh("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"), 0, "line 1998\nline 1999\n", ""},
		{"no such command", []string{image, "--", "no-such-program"}, 127, "", `command "no-such-program" is not in the container`},
		{"no program", []string{image, "--", "/etc"}, 126, "", `command "/etc"`},
		{"no such archive", []string{"--image=file:///nowhere.tar", "--", "true"}, 125, "", "/nowhere.tar"},
		{"no such registry", []string{"--image=127.0.0.1:1/app", "--", "true"}, 125, "", "127.0.0.1:1"},
		{"bad reference", []string{"--image=Upper Case", "--", "true"}, 125, "", "invalid reference"},
		{"the image's own command", []string{"--image=file://" + full}, 0, "uid=1000 dir=/srv color=blue args=from-cmd\n", ""},
		{"and over it", []string{"--image=file://" + full, "--env=COLOR=red", "--user=0"}, 0, "uid=0 dir=/srv color=red args=from-cmd\n", ""},
		{"no image", []string{"--", "sh", "-c", "echo $MESOS_TASK_ID; pwd"}, 0, "sh-", ""},
		{"volume", []string{image, "--volume=" + c.Dir + ":/data:ro", "--", "ls", "/data/busybox.tar"}, 0, "/data/busybox.tar\n", ""},
		{"fetched", []string{image, "--uri=" + web.URL + "/dir/file.txt#sha256:" + digest, "--user=1000", "--", "sh", "-c", "cat file.txt && echo more >> file.txt"}, 0, "from afar\n", "Fetching " + web.URL},
		{"unpacked", []string{image, "--uri=file://" + archive, "--", "cat", "in/side"}, 0, "packed\n", ""},
		{"nothing to fetch", []string{image, "--uri=" + web.URL + "/none", "--", "true"}, 125, "", web.URL + "/none: "},
		{"other content", []string{image, "--uri=" + web.URL + "/dir/file.txt#sha256:" + strings.Repeat("0", 64), "--", "true"}, 125, "", digest},
		{"no such scheme", []string{image, "--uri=gopher://x/y", "--", "true"}, 125, "", "gopher"},
		{"time is over", []string{image, "--timeout=500ms", "--", "sleep", "100"}, 137, "", "Ran longer than"},
		{"quiet", []string{"-q", image, "--", "echo", "hi"}, 0, "hi\n", ""},
		{"json", []string{"-o", "json", image, "--", "echo", "hi"}, 0, "hi\n", `"state":"TASK_FINISHED"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := run(t, c, append([]string{"run"}, tc.args...)...)
			if r.code != tc.code || !strings.Contains(r.stdout, tc.stdout) || tc.stdout == "" && r.stdout != "" || !strings.Contains(r.stderr, tc.stderr) {
				t.Errorf("exit code %d, want %d; stdout %q; stderr:\n%s", r.code, tc.code, tail(r.stdout), r.stderr)
			}
		})
	}
}

func tail(s string) string { return s[max(0, len(s)-200):] }

func testInterrupt(t *testing.T, c *native.Cluster) {
	for _, tc := range []struct {
		name, script, flag string
		signals            int
		says               string
	}{
		{"kindly", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done", "--kill-grace=30s", 1, "bye\n"},
		{"after the grace", "trap '' TERM; echo up; while :; do sleep 0.05; done", "--kill-grace=500ms", 1, "up\n"},
		{"at once", "trap '' TERM; echo up; while :; do sleep 0.05; done", "--kill-grace=10m", 2, "up\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := strings.ReplaceAll(tc.name, " ", "-")
			b := begin(t, c, "run", "--name="+name, tc.flag, "--image="+c.Image, "--", "sh", "-c", tc.script)
			until(t, "the task says up", func() bool { return b.stdout.String() == "up\n" })
			for range tc.signals {
				if err := b.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
				until(t, "the task is told", func() bool { return !strings.Contains(run(t, c, "ps").stdout, "RUNNING") })
			}
			if r := finish(t, b); r.code != 130 || !strings.HasSuffix(r.stdout, tc.says) {
				t.Errorf("exit code %d, stdout %q; stderr:\n%s", r.code, r.stdout, r.stderr)
			}
			until(t, "the task is gone", func() bool { return !strings.Contains(run(t, c, "ps").stdout, name) })
		})
	}
	t.Run("when nobody reads", func(t *testing.T) {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := c.Command(t.Context(), "run", "--name=unread", "--image="+c.Image, "--", "sh", "-c", "while :; do echo tick; sleep 0.05; done")
		cmd.Stdout = write
		if err := errors.Join(cmd.Start(), write.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := read.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		read.Close()
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 141 {
			t.Errorf("ended with %v", cmd.ProcessState)
		}
		if r := run(t, c, "ps"); strings.Contains(r.stdout, "unread") {
			t.Errorf("the task runs on:\n%s", r.stdout)
		}
	})
	t.Run("while it waits", func(t *testing.T) {
		b := begin(t, c, "run", "--cpus=64", "--image="+c.Image, "--", "true")
		until(t, "the framework is there", func() bool { return strings.Contains(run(t, c, "frameworks").stdout, "busybox") })
		if err := b.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if r := finish(t, b); r.code != 130 {
			t.Errorf("exit code %d; stderr:\n%s", r.code, r.stderr)
		}
	})
	t.Run("says what is missing", func(t *testing.T) {
		b := begin(t, c, "run", "--cpus=64", "--image="+c.Image, "--", "true")
		until(t, "it says so", func() bool { return strings.Contains(b.stderr.String(), "no agent fits cpus:64: the largest is ") })
		if err := b.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		finish(t, b)
	})
}

func testDetached(t *testing.T, c *native.Cluster) {
	r := run(t, c, "run", "--detach", "--name=web", "--image="+c.Image, "--", "sh", "-c", "while :; do echo tick; sleep 0.2; done")
	id := strings.TrimSpace(r.stdout)
	if r.code != 0 || !strings.HasPrefix(id, "web-") {
		t.Fatalf("exit code %d, stdout %q; stderr:\n%s", r.code, r.stdout, r.stderr)
	}
	until(t, "two ticks", func() bool { return strings.HasPrefix(run(t, c, "logs", "web").stdout, "tick\ntick\n") })
	follow := begin(t, c, "logs", "-f", id[:6])
	if r := run(t, c, "kill", id); r.code != 0 || r.stdout != id+"\tKILLED\n" {
		t.Errorf("kill: exit code %d, %q; stderr:\n%s", r.code, r.stdout, r.stderr)
	}
	if r := finish(t, follow); r.code != 0 || !strings.HasPrefix(r.stdout, "tick\n") {
		t.Errorf("logs -f: exit code %d, %q; stderr:\n%s", r.code, r.stdout, r.stderr)
	}
	if r := run(t, c, "kill", id); r.code != 1 || !strings.Contains(r.stderr, "has ended") {
		t.Errorf("second kill: exit code %d; stderr:\n%s", r.code, r.stderr)
	}
	if r := run(t, c, "logs", id); !strings.HasPrefix(r.stdout, "tick\n") {
		t.Errorf("logs after the end: %+v", r)
	}

	// Somebody else's task, its framework there: killed under its eyes.
	b := begin(t, c, "run", "--name=theirs", "--image="+c.Image, "--", "sleep", "1000")
	until(t, "theirs runs", func() bool { return strings.Contains(run(t, c, "ps").stdout, "RUNNING") })
	if r := run(t, c, "kill", "--grace=0s", "theirs"); r.code != 0 || !strings.HasSuffix(r.stdout, "\tKILLED\n") {
		t.Errorf("kill: %+v", r)
	}
	if r := finish(t, b); r.code != 137 && r.code != 143 {
		t.Errorf("run: exit code %d; stderr:\n%s", r.code, r.stderr)
	}
}

func testTables(t *testing.T, c *native.Cluster) {
	id := strings.TrimSpace(run(t, c, "run", "--detach", "--name=shown", "--cpus=0.2", "--mem=48", "--image="+c.Image, "--", "sleep", "1000").stdout)
	defer run(t, c, "kill", id)
	until(t, "a sample", func() bool {
		r := run(t, c, "top", "--once")
		for line := range strings.Lines(r.stdout) {
			// TASK STATE CPUS LIMIT USED THROTTLED MEM LIMIT USED PEAK OOM NODE
			f := strings.Fields(line)
			if len(f) == 12 && f[0] == id && f[1] == "RUNNING" && f[2] == "0.2" && f[4] != "-" && f[6] == "48MiB" && f[8] != "-" {
				return true
			}
		}
		return false
	})
	if r := run(t, c, "ps"); !strings.Contains(r.stdout, id) || !strings.Contains(r.stdout, "mezzo run shown") {
		t.Errorf("ps:\n%s", r.stdout)
	}
	if r := run(t, c, "agents"); !strings.Contains(r.stdout, "ACTIVE") || !strings.Contains(r.stdout, "0.2/4") || !strings.Contains(r.stdout, "48MiB/2GiB") {
		t.Errorf("agents:\n%s", r.stdout)
	}
	if r := run(t, c, "frameworks"); !strings.Contains(r.stdout, "mezzo run shown") {
		t.Errorf("frameworks:\n%s", r.stdout)
	}
	for _, verb := range []string{"ps", "top", "agents", "frameworks"} {
		if r := run(t, c, verb, "-o", "json"); !json.Valid([]byte(r.stdout)) {
			t.Errorf("%s -o json:\n%s", verb, r.stdout)
		}
	}
}
