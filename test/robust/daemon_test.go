package robust

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mezzo/test/native"
)

// patience is how long a condition may take before the test gives up.
const patience = 5 * time.Second

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

// daemon is a mezzo process.
type daemon struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed at its end
	end  bool          // the test ended it
}

// start runs `mezzo args…`. At the end of the test it is ended, unless it was
// before, and its log is searched for what no attack may cause.
func start(t testing.TB, args ...string) *daemon {
	t.Helper()
	return startCommand(t, exec.Command(native.Binary(t), args...))
}

func startCommand(t testing.TB, cmd *exec.Cmd) *daemon {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d := &daemon{t: t, cmd: cmd, log: log.Name(), done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Env = append(os.Environ(), "MEZZO_MASTER=")
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.done)
	}()
	t.Cleanup(d.stop)
	return d
}

// output is what the process has said so far.
func (d *daemon) output() string {
	b, err := os.ReadFile(d.log)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// says waits until words are in the log.
func (d *daemon) says(words string) {
	d.t.Helper()
	until(d.t, "the log says "+words, func() bool { return strings.Contains(d.output(), words) || d.ended() })
	if !strings.Contains(d.output(), words) {
		d.t.Fatalf("ended without saying %q:\n%s", words, d.output())
	}
}

func (d *daemon) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// code waits for the end and returns the exit code.
func (d *daemon) code() int {
	d.t.Helper()
	until(d.t, strings.Join(d.cmd.Args, " ")+" ends", d.ended)
	d.end = true
	return d.cmd.ProcessState.ExitCode()
}

// crash is kill -9.
func (d *daemon) crash() {
	d.t.Helper()
	if d.ended() {
		d.t.Fatalf("ended by itself:\n%s", d.output())
	}
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	d.code()
}

func (d *daemon) stop() {
	if !d.end {
		if d.ended() {
			d.t.Errorf("mezzo %s ended by itself: %v", strings.Join(d.cmd.Args[1:], " "), d.cmd.ProcessState)
		}
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		if code := d.code(); code != 0 {
			d.t.Errorf("mezzo %s: exit code %d after SIGTERM", strings.Join(d.cmd.Args[1:], " "), code)
		}
	}
	if wrong := native.Wreckage([]byte(d.output())); wrong != "" {
		d.t.Errorf("log of mezzo %s has %q", strings.Join(d.cmd.Args[1:], " "), wrong)
	}
	if d.t.Failed() {
		d.t.Logf("log of mezzo %s:\n%s", strings.Join(d.cmd.Args[1:], " "), lastLines(d.output(), 60))
	}
}

func lastLines(s string, n int) string {
	lines := bytes.SplitAfter([]byte(s), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], nil))
}

// startMaster runs a master alone, and returns where it listens.
func startMaster(t testing.TB, args ...string) (d *daemon, addr string) {
	t.Helper()
	d = start(t, append([]string{"master", "--ip=127.0.0.1", "--port=0", "--work_dir=" + t.TempDir()}, args...)...)
	return d, d.address()
}

// address is where a master says that it listens.
func (d *daemon) address() string {
	d.t.Helper()
	d.says(" addr=")
	_, rest, _ := strings.Cut(d.output(), " addr=")
	addr, _, _ := strings.Cut(rest, " ")
	return addr
}

// shortDir is a directory whose path leaves room for a unix socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mezzo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// dial opens a connection that the test closes.
func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// status reads a field of /proc/PID/status, in its own unit.
func procStatus(t testing.TB, pid int, field string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(line, ":"); name == field {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no %s in the status of process %d", field, pid)
	return ""
}
