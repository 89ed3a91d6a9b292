package failover

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mezzo/test/native"
)

// patience is how long a condition may take before a test gives up.
const patience = 30 * time.Second

// until waits for ok.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// process is `mezzo args…`, which may be started again and again.
type process struct {
	t    testing.TB
	args []string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed at its end
}

// launch starts a process that is ended with the test.
func launch(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{t: t, args: args, log: filepath.Join(t.TempDir(), "log")}
	p.start()
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		p.signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(patience):
			t.Errorf("mezzo %s does not end", args[0])
			p.kill()
		}
		log, err := os.ReadFile(p.log)
		if wrong := native.Wreckage(log); err != nil || wrong != "" {
			t.Errorf("log of mezzo %s: %v %s", args[0], err, wrong)
		}
		if t.Failed() {
			t.Logf("log of mezzo %s:\n%s", strings.Join(args, " "), log[max(0, len(log)-6000):])
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(native.Binary(p.t), p.args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), "MEZZO_MASTER=")
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd, done := p.cmd, make(chan struct{})
	p.done = done
	go func() { _ = cmd.Wait(); close(done) }()
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) } // it may have ended

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// masters are as many as have an address.
type masters struct {
	t     testing.TB
	addrs []string
	all   []*process
}

// addresses finds n free ones.
func addresses(t testing.TB, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

func launchMasters(t testing.TB, addrs []string, args ...string) *masters {
	t.Helper()
	m := &masters{t: t, addrs: addrs}
	for _, addr := range m.addrs {
		m.all = append(m.all, launch(t, append(m.args(addr, t.TempDir()), args...)...))
	}
	return m
}

func (m *masters) args(addr, dir string) []string {
	_, port, _ := net.SplitHostPort(addr)
	return []string{"master", "--ip=127.0.0.1", "--port=" + port, "--work_dir=" + dir, "--allocation_interval=100ms"}
}

// get asks one master, and no other, and returns the status.
func get(addr, path string, into any) int {
	client := http.Client{Timeout: time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get("http://" + addr + path)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || into != nil && resp.StatusCode == http.StatusOK && json.Unmarshal(body, into) != nil {
		return 0
	}
	return resp.StatusCode
}

// leader waits until one of the masters leads, other than some.
func (m *masters) leader(but ...int) (leader int) {
	m.t.Helper()
	until(m.t, "a master leads", func() bool {
		for i, addr := range m.addrs {
			if (len(but) == 0 || but[0] != i) && get(addr, "/state", nil) == http.StatusOK {
				leader = i
				return true
			}
		}
		return false
	})
	return leader
}
