package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesosjson"
	"mezzo/api/usage"
	"mezzo/images/imagetest"
	"mezzo/test/e2e/cluster"
)

// On the node.
const (
	dir    = "/opt/mezzo-e2e"
	work   = "/var/lib/mezzo-e2e-work"
	domain = "/sys/fs/cgroup"
)

// suite is a cluster on the first node, shared by the tests, which clean up
// their own tasks.
type suite struct {
	*cluster.Cluster
	node   *cluster.Node
	bin    string // on this machine
	master string
	work   string // directory of `mezzo local` on the node
	http   *http.Client

	mu    sync.Mutex
	local *cluster.Process
}

var shared struct {
	once sync.Once
	s    *suite
	err  error
}

// setup returns the shared suite, started by whoever comes first.
func setup(t *testing.T) *suite {
	t.Helper()
	shared.once.Do(func() { shared.s, shared.err = newSuite() })
	if errors.Is(shared.err, os.ErrNotExist) && os.Getenv(cluster.EnvRequired) == "" {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.s.logIfFailed(t)
	return shared.s
}

func (s *suite) logIfFailed(t *testing.T) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of mezzo local:\n%s", s.log(context.WithoutCancel(t.Context())))
		}
	})
}

// beside is another cluster on the same node, which the caller starts.
func (s *suite) beside(t *testing.T, name string) *suite {
	t.Helper()
	o := &suite{Cluster: s.Cluster, node: s.node, bin: s.bin, http: s.http,
		master: net.JoinHostPort(s.node.Address, "5060"), work: work + "-" + name}
	o.logIfFailed(t)
	return o
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.s != nil {
		if err := shared.s.stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "stop the suite:", err)
			code = max(code, 1)
		}
		shared.s.Close()
	}
	os.Exit(code)
}

func newSuite() (*suite, error) {
	c, err := cluster.Load()
	if err != nil {
		return nil, err
	}
	bin := os.Getenv("MEZZO_BIN")
	if bin == "" {
		return nil, errors.New("MEZZO_BIN is not set: run `make e2e`")
	}
	node := c.Nodes[0]
	s := &suite{Cluster: c, node: node, bin: bin, master: net.JoinHostPort(node.Address, "5050"), work: work, http: node.HTTPClient()}
	ctx, cancel := context.WithTimeout(context.Background(), c.Slow(time.Minute))
	defer cancel()
	if err := s.install(ctx); err != nil {
		return nil, err
	}
	return s, s.start(ctx, dir)
}

// install brings binary and images to the node.
func (s *suite) install(ctx context.Context) error {
	tmp, err := os.MkdirTemp("", "mezzo-e2e")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	plain, full := filepath.Join(tmp, "plain.tar"), filepath.Join(tmp, "full.tar")
	if err := imagetest.WriteBusybox(plain, imagetest.Options{}); err != nil {
		return err
	}
	if err := imagetest.WriteBusybox(full, fullOptions); err != nil {
		return err
	}
	for from, to := range map[string]string{plain: "plain.tar", full: "full.tar", s.bin: "mezzo"} {
		if err := s.node.Push(ctx, from, dir+"/"+to); err != nil {
			return err
		}
	}
	return nil
}

// start starts `mezzo local` with more flags, if any; path goes before PATH.
func (s *suite) start(ctx context.Context, path string, flags ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ip, port, err := net.SplitHostPort(s.master)
	if err != nil {
		return err
	}
	args := []string{"sh", "-c", `PATH=$0:$PATH; exec "$@" >>` + s.work + `.log 2>&1`, path,
		dir + "/mezzo", "local", "--ip=" + ip, "--port=" + port, "--agents=1", "--work_dir=" + s.work}
	p, err := s.node.Start(context.Background(), cluster.Command{Args: append(args, flags...)})
	if err != nil {
		return err
	}
	s.local = p
	return s.active(ctx)
}

// active waits until the cluster has its agent.
func (s *suite) active(ctx context.Context) error {
	return s.until(ctx, "an agent is active", func(c *usage.Cluster) bool { return len(c.GetAgents()) == 1 })
}

// killHard kills `mezzo local` with no warning.
func (s *suite) killHard(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.local.Kill(t.Context())
	s.local = nil
	if err != nil {
		t.Fatal(err)
	}
}

// restartHard kills `mezzo local` with no warning, and starts it.
func (s *suite) restartHard(t *testing.T) {
	t.Helper()
	s.killHard(t)
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(time.Minute))
	defer cancel()
	if err := s.start(ctx, dir); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.local == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Slow(time.Minute))
	defer cancel()
	if err := s.local.Signal(ctx, "TERM"); err != nil {
		return err
	}
	code, err := s.local.Wait()
	s.local = nil
	if err == nil && code != 0 {
		err = fmt.Errorf("mezzo local ended with code %d", code)
	}
	return err
}

func (s *suite) log(ctx context.Context) string {
	out, err := s.node.Output(ctx, "tail", "-c", "20000", s.work+".log")
	if err != nil {
		return err.Error()
	}
	return out
}

// sh runs a script on the node and returns its output.
func (s *suite) sh(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(time.Minute))
	defer cancel()
	out, err := s.node.Output(ctx, "sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// result is what a `mezzo` command printed and how it ended.
type result struct {
	stdout, stderr string
	code           int
}

// mezzo runs a user's command on this machine against the master on the node.
func (s *suite) mezzo(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(time.Minute))
	defer cancel()
	cmd := s.Command(ctx, s.bin, args...)
	cmd.Env = append(os.Environ(), "MEZZO_MASTER="+s.master)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("mezzo %s: %v\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

const plainImage, fullImage = "file://" + dir + "/plain.tar", "file://" + dir + "/full.tar"

// background launches a task of the plain image that runs until killed, waits
// until it runs and kills it with the test. It returns the task as the master
// knows it.
func (s *suite) background(t *testing.T, name string, flags []string, argv ...string) *usage.TaskUsage {
	t.Helper()
	args := append([]string{"run", "--detach", "--name=" + name, "--image=" + plainImage}, flags...)
	if r := s.mezzo(t, append(append(args, "--"), argv...)...); r.code != 0 {
		t.Fatalf("mezzo run: code %d\n%s", r.code, r.stderr)
	}
	task := s.await(t, name+" runs and was sampled", func(c *usage.Cluster) *usage.TaskUsage {
		if u := byName(c, name); u.GetState() == v1.TaskState_TASK_RUNNING && u.GetUsed().GetCpu() != nil {
			return u
		}
		return nil
	})
	t.Cleanup(func() { s.kill(t, task) })
	return task
}

// kill ends a task, unless it has ended, and waits for its end.
func (s *suite) kill(t *testing.T, task *usage.TaskUsage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), s.Slow(time.Minute))
	defer cancel()
	cmd := s.Command(ctx, s.bin, "kill", "--master="+s.master, task.GetTaskId().GetValue())
	out, _ := cmd.CombinedOutput()
	err := s.until(ctx, "the task has ended", func(c *usage.Cluster) bool {
		u := byName(c, task.GetName())
		return u == nil || ended(u.GetState()) // a master that was restarted may not know it
	})
	if err != nil {
		t.Errorf("kill %s: %v\n%s", task.GetName(), err, out)
	}
}

func ended(s v1.TaskState) bool {
	switch s {
	case v1.TaskState_TASK_STAGING, v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_KILLING:
		return false
	}
	return true
}

// byName is the newest task called name.
func byName(c *usage.Cluster, name string) *usage.TaskUsage {
	var found *usage.TaskUsage
	for _, u := range c.GetTasks() {
		if u.GetName() == name {
			found = u
		}
	}
	return found
}

// await polls GET_USAGE until pick returns something.
func (s *suite) await(t *testing.T, what string, pick func(*usage.Cluster) *usage.TaskUsage) *usage.TaskUsage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.Slow(30*time.Second))
	defer cancel()
	var found *usage.TaskUsage
	if err := s.until(ctx, what, func(c *usage.Cluster) bool { found = pick(c); return found != nil }); err != nil {
		t.Fatal(err)
	}
	return found
}

func (s *suite) until(ctx context.Context, what string, ok func(*usage.Cluster) bool) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := s.usage(ctx)
		if err == nil && ok(c) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w (last answer: %v)", what, errors.Join(ctx.Err(), err), c)
		case <-tick.C:
		}
	}
}

func (s *suite) usage(ctx context.Context) (*usage.Cluster, error) {
	r, err := s.operator(ctx, `{"type":"GET_USAGE"}`)
	return r.GetGetUsage(), err
}

// operator makes a call of the master's operator API, in JSON.
func (s *suite) operator(ctx context.Context, call string) (*master.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.master+"/api/v1", strings.NewReader(call))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", call, resp.Status, body)
	}
	var r master.Response
	return &r, mesosjson.Unmarshal(body, &r)
}

// cgroup is the directory of a task's domain on the node, found by its
// container's id.
func (s *suite) cgroup(t *testing.T, task *usage.TaskUsage) string {
	t.Helper()
	id := task.GetUsed().GetContainerId().GetValue()
	if id == "" {
		t.Fatalf("task %s has no container id", task.GetName())
	}
	path := s.sh(t, "find "+domain+" -type d -name '"+id+"' | head -n 1")
	if path == "" {
		t.Fatalf("no cgroup called %s", id)
	}
	return path
}
