package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mezzo/test/e2e/cluster"
)

// TestKernel runs the tests of isolators that need root and a kernel with cgroups
// v2 and quotas on the first node. They make cgroups and file systems of their own,
// beside those of an agent.
func TestKernel(t *testing.T) {
	for _, of := range []string{"cgroups2", "projquota"} {
		t.Run(of, func(t *testing.T) { testKernel(t, of) })
	}
}

func testKernel(t *testing.T, of string) {
	c := cluster.Require(t)
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), c.Slow(2*time.Minute))
	defer cancel()
	bin := filepath.Join(t.TempDir(), of+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "root", "-o", bin, "./isolator/"+of)
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	remote := dir + "/" + of + ".test"
	if err := c.Nodes[0].Push(ctx, bin, remote); err != nil {
		t.Fatal(err)
	}
	r, err := c.Nodes[0].Run(ctx, remote, "-test.v", "-test.run=^TestRoot")
	if err != nil {
		t.Fatal(err)
	}
	if r.Code != 0 || strings.Contains(r.Stdout, "--- SKIP") || !strings.Contains(r.Stdout, "--- PASS") {
		t.Errorf("code %d, want 0 and no test skipped\n%s%s\nof these:\n%s", r.Code, r.Stdout, r.Stderr, notPassed(r.Stdout))
	}
}

// notPassed are the lines of tests that failed or were skipped: the end of a report
// is what is read first.
func notPassed(out string) string {
	var all, one strings.Builder
	bad := false
	end := func() {
		if bad {
			all.WriteString(one.String())
		}
		one.Reset()
		bad = false
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "=== RUN   ") && !strings.Contains(line, "/") {
			end()
		}
		one.WriteString(line)
		bad = bad || strings.Contains(line, "--- FAIL") || strings.Contains(line, "--- SKIP") || strings.HasPrefix(line, "panic:")
	}
	end()
	return all.String()
}
