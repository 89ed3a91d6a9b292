package cluster

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These need a machine; without one they are skipped.

func testNode(t *testing.T) (context.Context, *Cluster, *Node) {
	t.Helper()
	c := Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), c.Slow(20*time.Second))
	t.Cleanup(cancel)
	return ctx, c, c.Nodes[0]
}

func TestRun(t *testing.T) {
	ctx, _, n := testNode(t)
	for _, test := range []struct {
		script string
		want   Result
	}{
		{"echo out; echo err >&2; exit 3", Result{"out\n", "err\n", 3}},
		{"true", Result{}},
		{"kill -TERM $$", Result{Code: 143}},
	} {
		got, err := n.Run(ctx, "sh", "-c", test.script)
		if err != nil || got != test.want {
			t.Errorf("%q: %+v, %v, want %+v", test.script, got, err, test.want)
		}
	}
	if r, err := n.Run(ctx, "no-such-command"); err != nil || r.Code != 127 {
		t.Errorf("missing command: %+v, %v, want code 127", r, err)
	}
	if _, err := n.Output(ctx, "false"); err == nil {
		t.Error("Output of a command that fails: no error")
	}
}

func TestProcessGroupIsKilled(t *testing.T) {
	ctx, _, n := testNode(t)
	for name, end := range map[string]func(*Process, context.CancelFunc) error{
		"kill":   func(p *Process, _ context.CancelFunc) error { return p.Kill(ctx) },
		"cancel": func(_ *Process, cancel context.CancelFunc) error { cancel(); return nil },
	} {
		cancellable, cancel := context.WithCancel(ctx)
		defer cancel()
		r, w := io.Pipe()
		p, err := n.Start(cancellable, Command{Args: []string{"sh", "-c", "sleep 1000 & echo $!; wait"}, Stdout: w})
		if err != nil {
			t.Fatal(err)
		}
		child, err := bufio.NewReader(r).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := end(p, cancel); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if code, err := p.Wait(); code != 137 || err != nil {
			t.Errorf("%s: ended with %d, %v, want 137", name, code, err)
		}
		// Orphaned, it is init's to reap, which takes a moment.
		gone := "while [ -e /proc/" + strings.TrimSpace(child) + " ]; do sleep 0.1; done"
		if _, err := n.Output(ctx, "sh", "-c", gone); err != nil {
			t.Errorf("%s: the child lives: %v", name, err)
		}
	}
}

func TestSignal(t *testing.T) {
	ctx, _, n := testNode(t)
	p, err := n.Start(ctx, Command{Args: []string{"sleep", "1000"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(ctx, "TERM"); err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(); code != 143 || err != nil {
		t.Errorf("ended with %d, %v, want 143", code, err)
	}
}

func TestPushAndPull(t *testing.T) {
	ctx, _, n := testNode(t)
	local := filepath.Join(t.TempDir(), "f")
	want := bytes.Repeat([]byte("\x00mezzo\n"), 100000)
	if err := os.WriteFile(local, want, 0o755); err != nil {
		t.Fatal(err)
	}
	const remote = "/tmp/cluster test/f"
	if err := n.Push(ctx, local, remote); err != nil {
		t.Fatal(err)
	}
	if mode, err := n.Output(ctx, "stat", "-c", "%a", remote); err != nil || mode != "755" {
		t.Errorf("mode %s, %v, want 755", mode, err)
	}
	if err := n.Pull(ctx, remote, local+"2"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(local + "2"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("came back changed: %d bytes, %v", len(got), err)
	}
	if _, err := n.ReadFile(ctx, "/no/such/file"); err == nil {
		t.Error("missing file: no error")
	}
}

func TestHTTP(t *testing.T) {
	ctx, c, n := testNode(t)
	if _, err := n.Output(ctx, "sh", "-c", "mkdir -p /tmp/www && echo hello >/tmp/www/f"); err != nil {
		t.Fatal(err)
	}
	const port = "18080"
	if _, err := n.Output(ctx, "busybox", "httpd", "-p", port, "-h", "/tmp/www"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = n.Run(context.WithoutCancel(ctx), "pkill", "-f", "busybox httpd") })
	for _, host := range []string{n.Address, "127.0.0.1"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+":"+port+"/f", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := n.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "hello\n" {
			t.Errorf("from %s: %q, %v", host, body, err)
		}
	}

	l, err := c.Listen(ctx, "tcp", c.Host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { _ = http.Serve(l, http.NotFoundHandler()) }()
	r, err := n.Run(ctx, "busybox", "wget", "-O-", "http://"+l.Addr().String())
	if err != nil || !strings.Contains(r.Stderr, "404") {
		t.Errorf("the node's request here: %+v, %v, want 404", r, err)
	}
}
