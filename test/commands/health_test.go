package commands

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"mezzo/test/native"
)

// testHealth: a check of each kind finds the task healthy, then not, and the task
// is killed for it.
func testHealth(t *testing.T, c *native.Cluster) {
	port := func() int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	web, tcp := port(), port()
	for _, tc := range []struct{ name, flag, script string }{
		{"command", "--health-cmd=test -e well", "touch well; until test -e go; do sleep 0.1; done; rm well; sleep 1000"},
		{"http", fmt.Sprintf("--health-http=%d/page", web), fmt.Sprintf("echo hi > page; httpd -p %d; until test -e go; do sleep 0.1; done; rm page; sleep 1000", web)},
		{"tcp", fmt.Sprintf("--health-tcp=%d", tcp), fmt.Sprintf("httpd -f -p %d & until test -e go; do sleep 0.1; done; kill $!; sleep 1000", tcp)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := begin(t, c, "run", "--name="+tc.name, "--image="+c.Image, tc.flag, "--health-interval=200ms", "--health-timeout=5s", "--health-grace=20s", "--health-failures=2",
				"--", "sh", "-c", tc.script)
			until(t, "it is healthy", func() bool { return strings.Contains(b.stderr.String(), ": RUNNING (healthy)") })
			if r := run(t, c, "ps"); !strings.Contains(r.stdout, "RUNNING (healthy)") {
				t.Errorf("ps:\n%s", r.stdout)
			}
			if r := run(t, c, "exec", tc.name, "--", "touch", "go"); r.code != 0 {
				t.Errorf("exec: %+v", r)
			}
			r := finish(t, b)
			if r.code != 137 && r.code != 143 || strings.Count(r.stderr, ": RUNNING (unhealthy)") < 1 || !strings.Contains(r.stderr, "health") {
				t.Errorf("code %d, stderr:\n%s", r.code, r.stderr)
			}
		})
	}
}
