package clients

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mezzo/test/native"
)

// reachable skips the test where a registry of packages is out of reach, as it is on
// some machines that run these tests: test/skips.txt lists it.
func reachable(t *testing.T, name, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Skipf("%s cannot be reached: %v", name, err)
	}
	_ = resp.Body.Close()
}

// TestPymesos: a scheduler and an executor on pymesos.
func TestPymesos(t *testing.T) {
	python, path := os.Getenv("MEZZO_TEST_PYTHON"), os.Getenv("PYTHONPATH") // one that has pymesos
	if python == "" {
		reachable(t, "PyPI", "https://pypi.org/simple/pymesos/")
		dir := filepath.Join(native.Cache(t), "pymesos-0.3.15")
		python = filepath.Join(dir, "bin", "python3")
		if _, err := os.Stat(python); err != nil {
			run(t, exec.CommandContext(deadline(t), "python3", "-m", "venv", dir))
		}
		run(t, exec.CommandContext(deadline(t), python, "-m", "pip", "install", "--quiet", "pymesos==0.3.15"))
	}
	c := native.Start(t)
	executor, err := filepath.Abs("testdata/pymesos/executor.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(deadline(t), python, "-u", "testdata/pymesos/scheduler.py", c.Master, executor)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+path)
	out := run(t, cmd)
	if strings.Count(out, "TASK_FINISHED") != 2 || !strings.Contains(out, "message hello 2") || !strings.HasSuffix(out, "finished 2\n") {
		t.Errorf("%s", out)
	}
}

// TestRxJava: the example framework of mesos-rxjava, which chooses its own id and keeps
// running tasks until it is ended.
func TestRxJava(t *testing.T) {
	const jar = "mesos-rxjava-example-framework-0.2.0-jar-with-dependencies.jar"
	const url = "https://repo1.maven.org/maven2/com/mesosphere/mesos/rx/java/example/mesos-rxjava-example-framework/0.2.0/" + jar
	reachable(t, "Maven Central", url)
	path := filepath.Join(native.Cache(t), jar)
	if _, err := os.Stat(path); err != nil {
		run(t, exec.CommandContext(deadline(t), "curl", "-fsSL", "-o", path+".part", url))
		if err := os.Rename(path+".part", path); err != nil {
			t.Fatal(err)
		}
	}
	c := native.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", "-jar", path, "http://"+c.Master+"/api/v1/scheduler", "0.1", "*")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(2 * time.Minute); ; {
		var answer struct{ Tasks []struct{ State string } }
		if err := c.Get(t.Context(), "http://"+c.Master+"/tasks", &answer); err != nil {
			t.Fatal(err)
		}
		for _, task := range answer.Tasks {
			if task.State == "TASK_RUNNING" || task.State == "TASK_FINISHED" {
				cancel()
				_ = cmd.Wait() // it was killed
				return
			}
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("no task of it runs")
		}
	}
}
