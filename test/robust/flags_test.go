package robust

// Goal: a daemon that can't start says in one sentence what is wrong and what to
// do, and ends with another code than 0. Method: each started in vain.

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"mezzo/containerizer/daemon/daemontest"
	"mezzo/test/native"
)

func TestStartInVain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, busy, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	corrupt := filepath.Join(dir, "corrupt")
	if err := os.MkdirAll(filepath.Join(corrupt, "meta"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(corrupt, "meta", "identity.json"), []byte(`{"version":1,"agent_id":"../../etc"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	// What an agent or a master needs, so that one flag at a time can be wrong. No two share a
	// work_dir: the second could say so instead.
	var n atomic.Int32
	sound := []string{"agent", "--master=127.0.0.1:1", "--ip=127.0.0.1", "--port=0", "--isolation=none", "--containerd=" + daemontest.Start(t).Address()}
	workDir := func() string { return "--work_dir=" + filepath.Join(dir, "w"+itoa(int(n.Add(1)))) }
	agent := func(args ...string) []string {
		return append(without(append(slices.Clone(sound), workDir()), args), args...)
	}
	master := func(args ...string) []string {
		return append([]string{"master", workDir()}, args...)
	}
	for _, tc := range []struct {
		name string
		args []string
		says []string
	}{
		{"unknown flag", master("--no-such-flag"), []string{"--no-such-flag"}},
		{"unknown flag with a value", agent("--cgroups_enable_cfs=true"), []string{"--cgroups_enable_cfs"}},
		{"flag twice", master("--port=1", "--port=2"), []string{"--port", "twice"}},
		{"no flag", master("start"), []string{`"start"`}},
		{"port of letters", master("--port=http"), []string{"--port", `"http"`}},
		{"negative port", master("--port=-1"), []string{"port -1"}},
		{"large port", agent("--port=70000"), []string{"port 70000"}},
		{"address that is none", master("--ip=999.1.1.1"), []string{"999.1.1.1"}},
		{"address of another machine", master("--ip=192.0.2.1", "--port=0"), []string{"192.0.2.1"}},
		{"busy port", master("--ip=127.0.0.1", "--port="+busy), []string{busy, "in use"}},
		{"agent's busy port", agent("--port=" + busy), []string{busy, "in use"}},
		{"duration without a unit", master("--offer_timeout=5"), []string{"--offer_timeout", `"5"`}},
		{"negative duration", master("--offer_timeout=-5secs"), []string{"offer_timeout"}},
		{"endless duration", master("--agent_ping_timeout=99999999999weeks"), []string{"--agent_ping_timeout"}},
		{"role like a path", master("--roles=../x"), []string{"../x"}},
		{"value in a file that is not there", master("--cluster=file:///no/such/file"), []string{"--cluster", "/no/such/file"}},
		{"no master", without(agent(), []string{"--master=x"}), []string{"--master"}},
		{"ZooKeeper", agent("--master=zk://h1:2181/"), []string{"zk", "path"}},
		{"no port of a master", agent("--master=somewhere:port"), []string{"somewhere:port"}},
		{"resources of nothing", agent("--resources=cpus"), []string{"resources", "cpus"}},
		{"negative resources", agent("--resources=cpus:-1"), []string{"cpus"}},
		{"resources NaN", agent("--resources=cpus:NaN"), []string{"cpus"}},
		{"reversed range", agent("--resources=ports:[2-1]"), []string{"ports"}},
		{"broken JSON", agent(`--resources=[{"name":`), []string{"resources"}},
		{"attributes of nothing", agent("--attributes=rack"), []string{"rack"}},
		{"isolation of Mesos", agent("--isolation=cgroups/cpu"), []string{"--isolation", "cgroups2"}},
		{"work_dir is a file", agent("--work_dir=" + file), []string{file}},
		{"work_dir that can't be made", agent("--work_dir=/proc/mezzo"), []string{"/proc/mezzo"}},
		{"agent whose identity is damaged", agent("--work_dir=" + corrupt), []string{"identity.json", "remove"}},
		{"containerd that is not there", agent("--containerd=/nonexistent"), []string{"/nonexistent", "containerd"}},
		{"containerd that is a file", agent("--containerd=" + file), []string{file}},
		{"containerd that has gone", agent("--containerd=" + deserted(t, dir)), []string{"containerd", "answer"}},
		{"local without a port", []string{"local", "--isolation=none", "--port=" + busy, "--work_dir=" + dir + "/l"}, []string{busy, "in use"}},
		{"local with a wild number of agents", []string{"local", "--agents=1000000000"}, []string{"--agents"}},
		{"unknown variable of a flag's value", []string{"master", "--log_format=xml"}, []string{"--log_format", "json"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := start(t, tc.args...)
			said(t, d.code(), d.output(), tc.says...)
		})
	}
	t.Run("no containerd at all", func(t *testing.T) {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), native.Binary(t), agent("--containerd=private", "--work_dir="+dir+"/p")...)
		cmd.Env = []string{"PATH=/nowhere"}
		out, _ := cmd.CombinedOutput()
		said(t, cmd.ProcessState.ExitCode(), string(out), "containerd", "install")
	})
	t.Run("not root", func(t *testing.T) {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), forAll(t), agent("--work_dir=/tmp")...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := cmd.CombinedOutput()
		said(t, cmd.ProcessState.ExitCode(), string(out), "root", "sudo")
	})
	t.Run("cgroups v1", func(t *testing.T) {
		t.Parallel()
		if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
			return // it would start
		}
		d := start(t, agent("--isolation=cgroups2")...)
		said(t, d.code(), d.output(), "cgroup", "--isolation=none")
	})
	t.Run("leaves nothing behind", func(t *testing.T) {
		t.Parallel()
		work := filepath.Join(dir, "clean")
		d := start(t, agent("--containerd=private", "--work_dir="+work, "--port="+busy)...)
		said(t, d.code(), d.output(), busy)
		if left := processes(t, work); len(left) > 0 {
			t.Errorf("still there: %q", left)
		}
	})
	t.Run("wrong value in the environment", func(t *testing.T) {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), native.Binary(t), "master")
		cmd.Env = []string{"MESOS_PORT=many"}
		out, _ := cmd.CombinedOutput()
		said(t, cmd.ProcessState.ExitCode(), string(out), "MESOS_PORT", `"many"`)
	})
}

// said holds the end of a process to the promise: code 1, words in the last
// lines or before the usage, no traces.
func said(t *testing.T, code int, output string, words ...string) {
	t.Helper()
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	sentence := ""
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "mezzo ") {
			sentence = strings.TrimSpace(line)
		}
	}
	if !contains(sentence, words...) || len(sentence) > 600 {
		t.Errorf("it says %q, want %q in it; all of it:\n%s", sentence, words, lastLines(output, 30))
	}
}

// deserted is a socket at which nobody listens any more.
func deserted(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	return path
}

// forAll is the binary where everybody can run it.
func forAll(t *testing.T) string {
	t.Helper()
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(native.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mezzo")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// processes are the command lines that have words in them.
func processes(t *testing.T, words string) (found []string) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err == nil && strings.Contains(string(line), words) && !strings.Contains(string(line), "\x00-c\x00") {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// without drops the flags that are given again.
func without(args, again []string) (rest []string) {
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		given := false
		for _, b := range again {
			given = given || strings.HasPrefix(b, name+"=")
		}
		if !given {
			rest = append(rest, a)
		}
	}
	return rest
}
