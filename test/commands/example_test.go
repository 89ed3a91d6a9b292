package commands

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mezzo/test/native"
)

// testExample: the framework of docs/frameworks.md runs as the page says.
func testExample(t *testing.T, c *native.Cluster) {
	bin := filepath.Join(t.TempDir(), "example")
	if out, err := exec.Command("go", "build", "-o", bin, "mezzo/docs/example").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), bin, "--master="+c.Master, "--tasks=3", "echo hello; sleep 0.2").CombinedOutput()
	if err != nil || strings.Count(string(out), "TASK_FINISHED") != 3 || !strings.HasSuffix(string(out), "0 of 3 failed\n") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), bin, "--master="+c.Master, "--tasks=2", "exit 3").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Command exited with status 3") || !strings.HasSuffix(string(out), "2 of 2 failed\n") {
		t.Errorf("tasks that fail: %v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), bin, "--each=cpus:x").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cpus") {
		t.Errorf("no amount: %v\n%s", err, out)
	}
}
