package prober

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/probe"
	v1 "mezzo/api/mesos/v1"
)

func port(t *testing.T, addr string) *uint32 {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return proto.Uint32(uint32(n))
}

func TestHTTP(t *testing.T) {
	stuck := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/fine", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/fine", http.StatusFound) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/stuck", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	})
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	defer secure.Close()
	defer plain.Close()
	defer close(stuck)
	for _, row := range []struct {
		scheme, path string
		statuses     []uint32
		want         probe.Outcome
	}{
		{"", "/fine", nil, probe.Outcome{Done: true, OK: true, Code: 200}},
		{"http", "/moved", nil, probe.Outcome{Done: true, OK: true, Code: 200}},
		{"https", "/fine", nil, probe.Outcome{Done: true, OK: true, Code: 200}},
		{"", "/broken", nil, probe.Outcome{Done: true, Code: 503, Why: "it answers with 503 Service Unavailable"}},
		{"", "/broken", []uint32{503}, probe.Outcome{Done: true, OK: true, Code: 503}},
		{"", "/fine", []uint32{503}, probe.Outcome{Done: true, Code: 200, Why: "it answers with 200 OK"}},
		{"", "/stuck", nil, probe.Outcome{Why: "it did not answer in time"}},
	} {
		h := &v1.HealthCheck{Type: v1.HealthCheck_HTTP.Enum(), Http: &v1.HealthCheck_HTTPCheckInfo{
			Port: port(t, plain.Listener.Addr().String()), Path: &row.path, Statuses: row.statuses,
		}}
		if row.scheme != "" {
			h.Http.Scheme = &row.scheme
		}
		if row.scheme == "https" {
			h.Http.Port = port(t, secure.Listener.Addr().String())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if got := HealthCheck(ctx, Target{}, h); got != row.want {
			t.Errorf("%s %s: %+v", row.scheme, row.path, got)
		}
		cancel()
	}
	round := &v1.CheckInfo{Type: v1.CheckInfo_HTTP.Enum(), Http: &v1.CheckInfo_Http{Port: port(t, plain.Listener.Addr().String()), Path: proto.String("/round")}}
	if got := Check(t.Context(), Target{}, round); got.Done || !strings.Contains(got.Why, "too many redirects") {
		t.Errorf("a circle: %+v", got)
	}
	round.Http.Path = proto.String("/broken")
	if got := Check(t.Context(), Target{}, round); got != (probe.Outcome{Done: true, OK: true, Code: 503}) {
		t.Errorf("a check reports what it gets: %+v", got)
	}
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &v1.CheckInfo{Type: v1.CheckInfo_TCP.Enum(), Tcp: &v1.CheckInfo_Tcp{Port: port(t, l.Addr().String())}}
	h := &v1.HealthCheck{Type: v1.HealthCheck_TCP.Enum(), Tcp: &v1.HealthCheck_TCPCheckInfo{Port: c.Tcp.Port}}
	for _, got := range []probe.Outcome{Check(t.Context(), Target{}, c), HealthCheck(t.Context(), Target{}, h)} {
		if !got.OK {
			t.Errorf("%+v", got)
		}
	}
	l.Close()
	if got := Check(t.Context(), Target{}, c); got.OK || !got.Done || !strings.Contains(got.Why, "refused") {
		t.Errorf("nobody listens: %+v", got)
	}
}

func TestCommand(t *testing.T) {
	h := &v1.HealthCheck{Type: v1.HealthCheck_COMMAND.Enum(), Command: &v1.CommandInfo{Value: proto.String("x")}}
	for _, row := range []struct {
		code int
		err  error
		want probe.Outcome
	}{
		{0, nil, probe.Outcome{Done: true, OK: true}},
		{4, nil, probe.Outcome{Done: true, Code: 4, Why: "its command exited with status 4: oh"}},
		{0, errors.New("no shell"), probe.Outcome{Why: "no shell"}},
	} {
		run := func(context.Context, *v1.CommandInfo) (int, string, error) { return row.code, "oh", row.err }
		if got := HealthCheck(t.Context(), Target{Run: run}, h); got != row.want {
			t.Errorf("%+v: %+v", row, got)
		}
	}
}

// TestNetns: a port that is open in another network alone is found there.
func TestNetns(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("another network needs root")
	}
	sleeper := exec.Command("sleep", "100")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait() // it was killed
	}()
	pid := uint32(sleeper.Process.Pid)
	if out, err := exec.Command("nsenter", "-t", strconv.Itoa(int(pid)), "-n", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var l net.Listener
	err := inNetns(pid, func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &v1.CheckInfo{Type: v1.CheckInfo_TCP.Enum(), Tcp: &v1.CheckInfo_Tcp{Port: port(t, l.Addr().String())}}
	if got := Check(t.Context(), Target{PID: pid}, c); !got.OK {
		t.Errorf("in its network: %+v", got)
	}
	if got := Check(t.Context(), Target{}, c); got.OK {
		t.Errorf("in ours: %+v", got)
	}
	if got := Check(t.Context(), Target{PID: 1 << 30}, c); got.OK {
		t.Errorf("of nobody: %+v", got)
	}
}
