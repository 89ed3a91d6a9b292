package main

// Goal: the command line does what its help says: names, help, exit codes,
// sources of flags, signals, and errors in words. Method: the whole program but
// for the operating system, run as a function.

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1master "mezzo/api/mesos/v1/master"
)

// output is written by the program and read by the test.
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

func TestExitCodesAndOutput(t *testing.T) {
	for _, tc := range []struct {
		line           string
		code           int
		stdout, stderr string // what they contain; "" for nothing at all
	}{
		{"mezzo", 0, "Daemons:", ""},
		{"mezzo --help", 0, "Tasks:", ""},
		{"mezzo --help", 0, "Cluster:", ""},
		{"mezzo quota", 0, "mezzo quota set eng", ""},
		{"mezzo quota sett eng --limit=cpus:1", 1, "", "did you mean `mezzo quota set`?"},
		{"mezzo help", 0, "mezzo local", ""},
		{"mezzo version", 0, "mezzo " + release, ""},
		{"mezzo --version", 0, "mezzo " + release, ""},
		{"mezzo nope", 1, "", `mezzo: unknown command "nope"`},
		{"mezzo ps --nope", 1, "", "mezzo: unknown flag: --nope"},
		{"mezzo run --nope", 125, "", "mezzo: unknown flag: --nope"},
		{"mezzo run --help", 0, "Ctrl-C", ""},
		{"mezzo run", 125, "", "mezzo: nothing to run"},
		{"mezzo top --help", 0, "--once", ""},
		{"mezzo completion bash", 0, "bash completion", ""},
		{"/usr/bin/mesos-master --help", 0, "Usage: mesos-master [--name=value]...", ""},
		{"mesos-master --version", 0, "mezzo " + release, ""},
		{"mesos-slave --help", 0, "Usage: mesos-slave", ""},
		{"mesos-agent --help", 0, "--work_dir=VALUE", ""},
		{"mesos-local --help", 0, "--agents=VALUE  (default: 1)", ""},
		{"mezzo master --help", 0, "--[no-]root_submissions  (default: true)", ""},
		{"mezzo help master", 0, "Usage: mezzo master", ""},
		{"mezzo agent --help", 0, "--isolation=VALUE  (default: cgroups2)", ""},
		{"mezzo local --help", 0, "--agents=VALUE", ""},
		{"mesos-master --nope", 1, "", "mesos-master: unknown flag --nope\n"},
		{"mesos-master --nope", 1, "", "see `mesos-master --help`\n"},
		{"mezzo agent --workdir=/x", 1, "", "unknown flag --workdir; did you mean --work_dir?"},
		{"mezzo __complete agent --isol", 0, "--isolation=\n", "NoSpace"},
		{"mezzo master start", 1, "", `argument "start"`},
		{"mezzo master --port=x", 1, "", `flag --port: value "x": want a whole number`},
		{"mezzo master --logging_level=loud", 1, "", "want debug, info, warning or error"},
		{"mezzo master --ip=nowhere", 1, "", `ip "nowhere" is not an IP address`},
		{"mezzo agent", 1, "", "--master is missing"},
		{"mezzo agent --master=zk://user:secret@h", 1, "", `"zk://***@h": the path "/" must be like /mesos`},
		{"mezzo agent --isolation=cgroups/cpu,cgroups/mem", 1, "", "want cgroups2 or none; what Mesos lists as cgroups/cpu"},
		{"mezzo local --agents=-1", 1, "", "--agents=-1: want 0 to 1000"},
	} {
		t.Run(tc.line, func(t *testing.T) {
			var stdout, stderr output
			code := run(process{args: strings.Fields(tc.line), stdout: &stdout, stderr: &stderr})
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			for name, pair := range map[string][2]string{"stdout": {stdout.String(), tc.stdout}, "stderr": {stderr.String(), tc.stderr}} {
				got, want := pair[0], pair[1]
				if !strings.Contains(got, want) || want == "" && got != "" {
					t.Errorf("%s is %q, want %q in it", name, got, want)
				}
			}
		})
	}
}

// TestUnread: to whom nobody listens, there is nothing to say.
func TestUnread(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	master := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b, _ := proto.Marshal(&v1master.Response{Type: v1master.Response_GET_AGENTS.Enum()})
		_, _ = w.Write(b)
	}))
	defer master.Close()
	var stderr output
	code := run(process{args: []string{"mezzo", "agents", "--master=" + master.Listener.Addr().String()}, stdout: write, stderr: &stderr})
	if code != 141 || stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
}

// running is a daemon in the background.
type running struct {
	stdout, stderr output
	interrupts     chan os.Signal
	done           chan int
}

func start(t *testing.T, environ []string, args ...string) *running {
	t.Helper()
	r := &running{interrupts: make(chan os.Signal, 1), done: make(chan int, 1)}
	go func() {
		r.done <- run(process{args: args, environ: environ, stdout: &r.stdout, stderr: &r.stderr, interrupts: r.interrupts})
	}()
	return r
}

// end sends a signal and returns the exit code.
func (r *running) end(t *testing.T) int {
	t.Helper()
	r.interrupts <- syscall.SIGTERM
	return r.wait(t)
}

func (r *running) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-r.done:
		return code
	case <-time.After(20 * time.Second):
		t.Fatalf("does not end; stderr:\n%s", r.stderr.String())
		return 0
	}
}

// get asks the daemon at addr until it answers.
func (r *running) get(t *testing.T, addr, path string, into any) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		resp, err := http.Get("http://" + addr + path)
		if err == nil {
			defer resp.Body.Close()
			if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
				t.Fatalf("GET %s: %s: %v", path, resp.Status, err)
			}
			return
		}
		select {
		case code := <-r.done:
			t.Fatalf("ended with %d; stderr:\n%s", code, r.stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("GET %s: %v", path, err)
		}
	}
}

func freeAddr(t *testing.T) (addr, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr = l.Addr().String()
	_, port, _ = net.SplitHostPort(addr)
	return addr, port
}

// TestMasterAsInTheDeck: the line that a talk of 2013 taught, and a clean end.
func TestMasterAsInTheDeck(t *testing.T) {
	addr, port := freeAddr(t)
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("cluster = from the file\nport=1\noffer_timeout=5mins\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"MESOS_ip=127.0.0.1", "MESOS_PORT=" + port, "MESOS_SANDBOX=/elsewhere", "MEZZO_MASTER=x:1", "MEZZO_CONFIG=" + file}
	r := start(t, environ, "mesos-master", "--work_dir="+t.TempDir(), "--no-root_submissions", "--slave_ping_timeout=20secs")
	var answer struct{ Flags map[string]string }
	r.get(t, addr, "/flags", &answer)
	for name, want := range map[string]string{
		"ip": "127.0.0.1", "port": port, "root_submissions": "false", "agent_ping_timeout": "20secs",
		"cluster": "from the file", "offer_timeout": "5mins", "allocation_interval": "1secs",
	} {
		if got := answer.Flags[name]; got != want {
			t.Errorf("flag %s is %q, want %q", name, got, want)
		}
	}
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM; stderr:\n%s", code, r.stderr.String())
	}
	if log := r.stderr.String(); !strings.Contains(log, "MESOS_SANDBOX") || strings.Contains(log, "MEZZO_MASTER]") {
		t.Errorf("log does not tell of MESOS_SANDBOX alone:\n%s", log)
	}
}

func TestBusyPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := start(t, nil, "mezzo", "master", "--ip=127.0.0.1", "--port="+port, "--work_dir="+t.TempDir())
	if code := r.wait(t); code != 1 || !strings.Contains(r.stderr.String(), "address already in use: end what listens there, or give another --port") {
		t.Errorf("exit code %d; stderr:\n%s", code, r.stderr.String())
	}
}

// TestLocalWithoutAgents: what it prints is how to go on.
func TestLocalWithoutAgents(t *testing.T) {
	addr, port := freeAddr(t)
	r := start(t, nil, "mesos-local", "--port="+port, "--agents=0", "--work_dir="+t.TempDir())
	r.get(t, addr, "/flags", &struct{}{})
	for _, want := range []string{"mezzo is up at http://" + addr + " with 0 agent(s)", "export MEZZO_MASTER=" + addr, "mezzo run --image"} {
		if !strings.Contains(r.stdout.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, r.stdout.String())
		}
	}
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, r.stderr.String())
	}
}

// TestLocalTwice: a second one on the same work_dir ends before it touches what
// is the first one's.
func TestLocalTwice(t *testing.T) {
	dir := t.TempDir()
	addr, port := freeAddr(t)
	first := start(t, nil, "mezzo", "local", "--port="+port, "--agents=0", "--work_dir="+dir)
	first.get(t, addr, "/flags", &struct{}{})
	second := start(t, nil, "mezzo", "local", "--port=0", "--agents=0", "--work_dir="+dir)
	if code := second.wait(t); code != 1 || !strings.Contains(second.stderr.String(), dir+" is used by another process") {
		t.Errorf("exit code %d; stderr:\n%s", code, second.stderr.String())
	}
	first.get(t, addr, "/flags", &struct{}{})
	first.end(t)
}

func TestLogFormat(t *testing.T) {
	addr, port := freeAddr(t)
	r := start(t, nil, "mezzo", "master", "--ip=127.0.0.1", "--port="+port, "--work_dir="+t.TempDir(), "--log_format=json", "--logging_level=INFO")
	r.get(t, addr, "/flags", &struct{}{})
	r.end(t)
	line, _, _ := strings.Cut(r.stderr.String(), "\n")
	var first struct {
		Msg   string
		Flags map[string]string
	}
	if err := json.Unmarshal([]byte(line), &first); err != nil || first.Msg != "starting" || first.Flags["port"] != port {
		t.Errorf("first line of the log is %q: %v", line, err)
	}
}

// TestLogDir: the log is in a file beside stderr, where readers find it; a directory
// that cannot be is named.
func TestLogDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	addr, port := freeAddr(t)
	r := start(t, nil, "mezzo", "master", "--ip=127.0.0.1", "--port="+port, "--work_dir="+t.TempDir(), "--log_dir="+dir)
	var part struct {
		Data   string
		Offset int
	}
	r.get(t, addr, "/files/read?path=/master/log&offset=0", &part)
	if !strings.Contains(part.Data, "starting") || !strings.Contains(r.stderr.String(), "starting") {
		t.Errorf("read %q, on stderr %q", part.Data, r.stderr.String())
	}
	r.end(t)
	if text, err := os.ReadFile(filepath.Join(dir, "mezzo-master.log")); err != nil || !strings.Contains(string(text), "stopped") {
		t.Errorf("the file has %q, %v", text, err)
	}
	file := filepath.Join(dir, "mezzo-master.log")
	r = start(t, nil, "mezzo", "master", "--ip=127.0.0.1", "--port=0", "--work_dir="+t.TempDir(), "--log_dir="+file)
	if code := r.wait(t); code != 1 || !strings.Contains(r.stderr.String(), "--log_dir") {
		t.Errorf("a directory that is a file: code %d, %q", code, r.stderr.String())
	}
	r = start(t, nil, "mezzo", "master", "--ip=127.0.0.1", "--port="+port, "--work_dir="+t.TempDir(), "--external_log_file="+file)
	r.get(t, addr, "/files/read?path=/master/log", &part)
	if part.Offset == 0 {
		t.Errorf("somebody else's file is not shown: %+v", part)
	}
	r.end(t)
}
