package native

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mezzo/images/imagetest"
)

// Cluster is a running `mezzo local`: one master, agents beside it.
type Cluster struct {
	Master string   // host:port
	Agents []string // host:port of each agent's HTTP API
	Image  string   // reference of a busybox image the agents can import
	Dir    string   // the work directory

	bin string
	cmd *exec.Cmd
	log string
}

// Skip ends the test with the reason why it can't run here; with
// MEZZO_TEST_REQUIRED set that is a failure, so that CI never passes by
// skipping.
func Skip(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv("MEZZO_TEST_REQUIRED") != "" {
		tb.Fatal(why)
	}
	tb.Skip(why)
}

// Cache is a directory that outlives the run, for what is slow to fetch.
func Cache(tb testing.TB) string {
	tb.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	dir := filepath.Join(base, "mezzo", "test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Binary is the mezzo under test, from MEZZO_BIN.
func Binary(tb testing.TB) string {
	tb.Helper()
	bin := os.Getenv("MEZZO_BIN")
	if bin == "" {
		Skip(tb, "MEZZO_BIN is not set: run `make unit`, or `make build` and set it to bin/mezzo")
	}
	return bin
}

// Start runs `mezzo local` with args on a free port and waits until its agent
// is active. It is stopped, and its log shown if the test failed, at the end.
func Start(tb testing.TB, args ...string) *Cluster {
	tb.Helper()
	c := &Cluster{bin: Binary(tb)}
	if os.Getuid() != 0 {
		Skip(tb, "containerd needs root")
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		Skip(tb, "containerd is not installed")
	}
	// Short: a unix socket's path must fit 108 bytes.
	dir, err := os.MkdirTemp("", "mezzo")
	if err != nil {
		tb.Fatal(err)
	}
	c.Dir, c.log = dir, filepath.Join(dir, "log")
	archive := filepath.Join(dir, "busybox.tar")
	if err := imagetest.WriteBusybox(archive, imagetest.Options{}); err != nil {
		tb.Fatal(err)
	}
	c.Image = "file://" + archive
	c.Master = fmt.Sprintf("127.0.0.1:%d", freePort(tb))
	_, port, _ := net.SplitHostPort(c.Master)
	log, err := os.Create(c.log)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--resources=") }) {
		args = append(args, "--resources=cpus:4;mem:2048;disk:1024;ports:[31000-31100]")
	}
	c.cmd = exec.Command(c.bin, append([]string{"local", "--ip=127.0.0.1", "--port=" + port, "--work_dir=" + dir + "/w",
		"--isolation=none", "--containerd=private"}, args...)...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(os.Environ(), "MEZZO_MASTER=")
	if err := c.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- c.cmd.Wait() }()
	tb.Cleanup(func() { c.stop(tb, exited) })
	c.await(tb, exited)
	return c
}

// PID is the process of master and agents.
func (c *Cluster) PID() int { return c.cmd.Process.Pid }

// Wreckage is what a log has of a program that broke, if anything.
func Wreckage(log []byte) string {
	for _, sign := range []string{"panic", "fatal error:", "DATA RACE", "\ngoroutine "} {
		if i := bytes.Index(log, []byte(sign)); i >= 0 {
			return string(log[max(0, i-200):min(len(log), i+400)])
		}
	}
	return ""
}

func (c *Cluster) stop(tb testing.TB, exited chan error) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-exited:
		if err != nil {
			tb.Errorf("mezzo local ended with %v", err)
		}
	case <-time.After(time.Minute):
		tb.Error("mezzo local did not stop within a minute of SIGTERM")
		_ = c.cmd.Process.Kill()
		<-exited
	}
	log, err := os.ReadFile(c.log)
	if err != nil {
		tb.Error(err)
	}
	if wrong := Wreckage(log); wrong != "" {
		tb.Errorf("log of mezzo local has %s", wrong)
	}
	if tb.Failed() {
		tb.Logf("log of mezzo local:\n%s", tail(log, 16<<10))
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		tb.Errorf("something is left of the cluster: %v", err)
	}
}

// await returns once an agent is active, and notes where it listens.
func (c *Cluster) await(tb testing.TB, exited chan error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 90*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var answer struct {
			Slaves []struct {
				PID    string
				Active bool
			}
		}
		if c.Get(ctx, "http://"+c.Master+"/slaves", &answer) == nil && len(answer.Slaves) > 0 && answer.Slaves[0].Active {
			for _, s := range answer.Slaves {
				_, addr, _ := strings.Cut(s.PID, "@")
				c.Agents = append(c.Agents, addr)
			}
			return
		}
		select {
		case err := <-exited:
			exited <- err
			tb.Fatalf("mezzo local ended before its agent was active: %v", err)
		case <-ctx.Done():
			tb.Fatal("no agent became active in time")
		case <-tick.C:
		}
	}
}

// Get reads a JSON document.
func (c *Cluster) Get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", url, resp.Status, body)
	}
	return json.Unmarshal(body, into)
}

// Command is `mezzo VERB args…` against this cluster.
func (c *Cluster) Command(ctx context.Context, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.bin, append([]string{verb, "--master=" + c.Master}, args...)...)
	cmd.Env = append(os.Environ(), "MEZZO_MASTER=")
	return cmd
}

// Run is `mezzo run args…`, which must succeed; it returns what the task
// printed.
func (c *Cluster) Run(tb testing.TB, args ...string) string {
	tb.Helper()
	var stdout, stderr bytes.Buffer
	cmd := c.Command(tb.Context(), "run", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		tb.Fatalf("mezzo run %s: %v\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}
