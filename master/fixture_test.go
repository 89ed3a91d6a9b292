package master_test

// What the tests of this package share: a real master on loopback, a scheduler
// that speaks the v1 API as bytes, and an agent that speaks the link.

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/master"
	"mezzo/resources"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// start runs a master until the test ends, and then sees that nothing of it is
// left.
func start(t testing.TB, change func(*master.Config)) *master.Master {
	t.Helper()
	before := runtime.NumGoroutine()
	cfg := master.Config{IP: "127.0.0.1", RootSubmissions: true, AllocationInterval: 50 * time.Millisecond}
	cfg.SetDefaults()
	if change != nil {
		change(&cfg)
	}
	m, err := master.New(cfg, master.Deps{
		Log:     slog.New(slog.DiscardHandler),
		LogFile: logFile(t),
		Flags:   map[string]string{"ip": "127.0.0.1", "port": "0"},
		Version: &v1.VersionInfo{Version: proto.String("1.2.3"), GitSha: proto.String("abc")},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("master does not stop")
		}
		http.DefaultClient.CloseIdleConnections()
		if _, fuzzing := t.(*testing.F); fuzzing {
			return // the fuzzer has goroutines of its own
		}
		wait(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
	return m
}

// logFile is one as a master might have.
func logFile(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "mezzo-master.log")
	if err := os.WriteFile(name, []byte("what was logged"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// wait polls until cond holds.
func wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !cond() {
		select {
		case <-deadline:
			buf := make([]byte, 1<<20)
			t.Fatalf("waited in vain for %s\n%s", what, buf[:runtime.Stack(buf, true)])
		case <-time.After(time.Millisecond):
		}
	}
}

// post sends a request and returns the answer with its body read.
func post(t testing.TB, url string, header map[string]string, body []byte) (*http.Response, string) {
	t.Helper()
	return do(t, http.MethodPost, url, header, body)
}

func do(t testing.TB, method, url string, header map[string]string, body []byte) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	client := &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func parse(t testing.TB, text string) []*v1.Resource {
	t.Helper()
	r, err := resources.Parse(text, resources.DefaultRole)
	if err != nil {
		t.Fatal(err)
	}
	return r.Proto()
}

// operator asks the operator API.
func operator(t testing.TB, m *master.Master, call *masterapi.Call) (*masterapi.Response, int) {
	t.Helper()
	body, err := codec.Protobuf.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	resp, text := post(t, "http://"+m.Addr()+"/api/v1", map[string]string{
		"Content-Type": codec.Protobuf.ContentType(), "Accept": codec.Protobuf.ContentType(),
	}, body)
	out := &masterapi.Response{}
	if resp.StatusCode == http.StatusOK {
		if err := codec.Protobuf.Unmarshal([]byte(text), out); err != nil {
			t.Fatal(err)
		}
	}
	return out, resp.StatusCode
}

func state(t testing.TB, m *master.Master) *masterapi.Response_GetState {
	t.Helper()
	out, status := operator(t, m, &masterapi.Call{Type: masterapi.Call_GET_STATE.Enum()})
	if status != http.StatusOK {
		t.Fatalf("state: %d", status)
	}
	return out.GetGetState()
}

func fetch(t testing.TB, m *master.Master, path string) (int, string) {
	t.Helper()
	resp, body := do(t, http.MethodGet, "http://"+m.Addr()+path, nil, nil)
	return resp.StatusCode, body
}
