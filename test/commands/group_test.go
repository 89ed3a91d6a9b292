package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mezzo/test/native"
)

// testGroup: tasks of a file run together, and each is what it would be alone.
func testGroup(t *testing.T, c *native.Cluster) {
	group := func(t *testing.T, commands ...string) string {
		t.Helper()
		var tasks []string
		for i, command := range commands {
			tasks = append(tasks, fmt.Sprintf(`{"name":"t%d","command":{"value":%q},"container":{"type":"MESOS","mesos":{"image":{"type":"DOCKER","docker":{"name":%q}}},
			 "volumes":[{"container_path":"/shared","mode":"RW","source":{"type":"SANDBOX_PATH","sandbox_path":{"type":"PARENT","path":"data"}}}]}}`, i, command, c.Image))
		}
		file := filepath.Join(t.TempDir(), "pod.json")
		if err := os.WriteFile(file, []byte(`{"tasks":[`+strings.Join(tasks, ",")+`]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return "--group=" + file
	}
	t.Run("they share", func(t *testing.T) {
		r := run(t, c, "run", group(t, "echo hello > /shared/part; mv /shared/part /shared/file; echo written", "until cat /shared/file; do sleep 0.1; done"))
		if r.code != 0 || !strings.Contains(r.stdout, "t0 | written\n") || !strings.Contains(r.stdout, "t1 | hello\n") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("one fails", func(t *testing.T) {
		r := run(t, c, "run", group(t, "sleep 1000", "sleep 0.3; echo no >&2; exit 5"))
		if r.code != 5 || !strings.Contains(r.stderr, "t1 | no\n") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("detached", func(t *testing.T) {
		r := run(t, c, "run", "-d", group(t, "echo from 0; sleep 1000", "echo its own > mine; echo from 1; sleep 1000"))
		ids := strings.Fields(r.stdout)
		if r.code != 0 || len(ids) != 2 {
			t.Fatalf("got %+v", r)
		}
		for i, id := range ids {
			until(t, "its output is there", func() bool { return run(t, c, "logs", id).stdout == fmt.Sprintf("from %d\n", i) })
		}
		if r := run(t, c, "exec", ids[1], "--", "cat", "mine"); r.stdout != "its own\n" {
			t.Errorf("exec: %+v", r)
		}
		if r := run(t, c, "kill", "--grace=0s", ids[0]); r.code != 0 {
			t.Errorf("kill: %+v", r)
		}
	})
}
