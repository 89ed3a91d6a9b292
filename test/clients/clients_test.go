package clients

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mezzo/test/native"
)

// gocode is where Debian's golang-*-dev packages put their sources.
const gocode = "/usr/share/gocode"

// run executes a client to its end and returns what it printed.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// mesosGo builds a program in testdata on Debian's mesos-go.
func mesosGo(t *testing.T, name string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(gocode, "src/github.com/mesos/mesos-go")); err != nil {
		native.Skip(t, "Debian package golang-github-mesos-mesos-go-dev is not installed")
	}
	bin := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(deadline(t), "go", "build", "-o", bin, ".")
	build.Dir = "testdata/" + name
	build.Env = append(os.Environ(), "GO111MODULE=off", "GOPATH="+gocode, "GOFLAGS=")
	run(t, build)
	return bin
}

// TestMesosGoVolume: reservations and a persistent volume, in the form from before
// reservations could be refined and in that since then.
func TestMesosGoVolume(t *testing.T) {
	bin := mesosGo(t, "mesosgovolume")
	c := native.Start(t)
	for _, args := range [][]string{{"-codec=protobuf"}, {"-codec=json"}, {"-codec=protobuf", "-refined"}, {"-codec=json", "-refined"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			out := run(t, exec.CommandContext(deadline(t), bin, append(args, "-master="+c.Master)...))
			if !strings.Contains(out, "reader TASK_FINISHED") || !strings.HasSuffix(out, "all is given back\n") {
				t.Errorf("%s", out)
			}
		})
	}
}

func TestMesosGoScheduler(t *testing.T) {
	bin := mesosGo(t, "mesosgo")
	c := native.Start(t)
	for _, tc := range []struct {
		name string
		args []string
	}{
		{"protobuf", []string{"-codec=protobuf"}},
		{"json", []string{"-codec=json"}},
		{"protobuf multi-role", []string{"-codec=protobuf", "-multi-role", "-role=analytics/batch"}},
		{"json multi-role", []string{"-codec=json", "-multi-role", "-role=analytics"}},
		{"image", []string{"-codec=protobuf", "-image=" + c.Image}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := run(t, exec.CommandContext(deadline(t), bin, append(tc.args, "-master="+c.Master, "-tasks=3")...))
			if got := strings.Count(out, "TASK_FINISHED"); got != 3 {
				t.Errorf("%d tasks finished, want 3:\n%s", got, out)
			}
		})
	}
}

func TestNpmScheduler(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		native.Skip(t, "npm is not installed")
	}
	dir := t.TempDir()
	run(t, exec.CommandContext(deadline(t), "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir, "mesos-framework@0.5.3"))

	c := native.Start(t)
	host, port, err := net.SplitHostPort(c.Master)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(deadline(t), "node", "testdata/npm/scheduler.js")
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"), "MASTER_HOST="+host, "MASTER_PORT="+port, "LOG_DIR="+dir)
	out := run(t, cmd)
	if got := strings.Count(out, "finished: "); got != 2 {
		t.Errorf("%d tasks finished, want 2:\n%s", got, out)
	}
}

// TestTelegraf has telegraf's mesos input read master and agent while a task
// runs: every metric it knows by name must be there, and the numbers true.
func TestTelegraf(t *testing.T) {
	gobin := filepath.Join(native.Cache(t), "telegraf-1.37.2")
	bin := filepath.Join(gobin, "telegraf")
	if _, err := os.Stat(bin); err != nil {
		install := exec.CommandContext(deadline(t), "go", "install", "-tags", "custom,inputs.mesos,outputs.file,serializers.influx",
			"github.com/influxdata/telegraf/cmd/telegraf@v1.37.2")
		install.Env = append(os.Environ(), "GOBIN="+gobin)
		run(t, install)
	}
	c := native.Start(t)
	c.Run(t, "--name=telegraf-sees-me", "--cpus=0.5", "--mem=64", "--image="+c.Image, "--detach", "--", "sleep", "600")

	conf := filepath.Join(t.TempDir(), "telegraf.conf")
	err := os.WriteFile(conf, []byte(`[agent]
  omit_hostname = true
[[inputs.mesos]]
  timeout = 5000
  masters = ["http://`+c.Master+`"]
  slaves = ["http://`+c.Agents[0]+`"]
[[outputs.file]]
  files = ["stdout"]
  data_format = "influx"
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, exec.CommandContext(deadline(t), bin, "--config", conf, "--once"))

	// The input names each key of its own list that an answer lacks.
	for line := range strings.Lines(out) {
		if strings.Contains(line, "key(s)") || strings.Contains(line, "E!") || strings.Contains(line, "not found") {
			t.Errorf("telegraf complains: %s", strings.TrimSpace(line))
		}
	}
	master, agent := fields(out, "role=master"), fields(out, "role=slave")
	for _, want := range []struct {
		from       map[string]string
		key, value string
	}{
		{master, "master/elected", "1"},
		{master, "master/slaves_active", "1"},
		{master, "master/tasks_running", "1"},
		{master, "master/cpus_used", "0.5"},
		{master, "master/mem_used", "64"},
		{agent, "slave/registered", "1"},
		{agent, "slave/tasks_running", "1"},
		{agent, "slave/cpus_used", "0.5"},
	} {
		if got := want.from[want.key]; got != want.value {
			t.Errorf("%s = %q, want %s", want.key, got, want.value)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// fields reads the InfluxDB line protocol: the fields of all lines with tag.
func fields(out, tag string) map[string]string {
	all := map[string]string{}
	s := bufio.NewScanner(strings.NewReader(out))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		head, rest, ok := strings.Cut(s.Text(), " ")
		if !ok || !strings.HasPrefix(head, "mesos,") || !strings.Contains(head, tag) {
			continue
		}
		body, _, _ := strings.Cut(rest, " ")
		for pair := range strings.SplitSeq(body, ",") {
			k, v, _ := strings.Cut(pair, "=")
			all[k] = strings.TrimSuffix(v, "i")
		}
	}
	return all
}
