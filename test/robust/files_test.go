package robust

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	v1 "mezzo/api/mesos/v1"
)

// secret is what no reader of files may see: the beginning of /etc/passwd.
const secret = "root:x:0:"

// testFiles asks for files that are nobody's business, while a task lays traps
// in its sandbox.
func testFiles(t *testing.T, c *cluster) {
	trap := subscribe(t, c.Master, nil)
	defer trap.teardown(t)
	o := trap.offer(hosts[0])
	trap.accept([]*v1.Offer{o}, command(o, "trap", `
		ln -s /etc/passwd link && ln -s / root && ln -s ../../../../../../../.. up && ln -s loop loop &&
		mkfifo fifo && mkdir dir && echo inside > dir/file && ln -s dir/file inner &&
		printf 'a\377\000b<script>' > binary && printf x > "$(printf 'n\377\n<b>')" && truncate -s 1T huge && echo ready && sleep 1000`, "cpus:1;mem:32"))
	defer func() {
		trap.t = t
		trap.kill("trap")
		trap.outcome("trap")
		trap.rest()
		c.works(t)
	}()
	node := c.agentOf(t, hosts[0])
	box := node.sandbox(t, "trap")
	until(t, "the traps are laid", func() bool { return strings.Contains(node.get(t, "read", box+"/stdout", "&offset=0"), "ready") })
	if err := syscall.Mknod(box+"/zero", syscall.S_IFCHR|0o666, 1<<8|5); err != nil { // a task may not
		t.Fatal(err)
	}
	for _, tc := range []struct {
		verb, path, more string
		status           int
		says             string
	}{
		{"browse", "", "", 400, "path"},
		{"browse", "/", "", 404, "sandbox"},
		{"browse", "/etc", "", 404, "/etc"},
		{"read", "/etc/passwd", "&offset=0", 404, "/etc/passwd"},
		{"download", "/etc/passwd", "", 404, "/etc/passwd"},
		{"download", "/proc/self/environ", "", 404, "/proc/self/environ"},
		{"read", box + "/../../../../../../../../../../etc/passwd", "&offset=0", 404, ""},
		{"read", box + "/%2e%2e/%2e%2e/stdout", "&offset=0", 404, ""},
		{"read", box + `/..\..\..\etc\passwd`, "&offset=0", 404, ""},
		{"read", box + "/stdout\x00.txt", "&offset=0", 400, "stdout"},
		{"read", box + "/" + strings.Repeat("x", 5000), "&offset=0", 400, "xxx"},
		{"read", box + strings.Repeat("/x", 5000), "&offset=0", 404, "/x"},
		{"browse", box + "/..", "", 404, "sandbox"},
		{"browse", box + "/no-such-dir", "", 404, "no-such-dir"},
		{"browse", box + "/stdout", "", 400, "not a directory"},
		{"read", box + "/dir", "&offset=0", 400, "not a regular file"},
		{"read", box, "&offset=0", 400, "not a regular file"},
		{"read", box + "/stdout/x", "&offset=0", 404, "stdout/x"},
		// What the task put there.
		{"read", box + "/link", "&offset=0", 400, "link"},
		{"download", box + "/link", "", 400, "link"},
		{"read", box + "/root/etc/passwd", "&offset=0", 400, "root"},
		{"browse", box + "/root", "", 400, "root"},
		{"browse", box + "/up", "", 400, "up"},
		{"download", box + "/up/etc/passwd", "", 400, "up"},
		{"read", box + "/loop", "&offset=0", 400, "loop"},
		{"read", box + "/fifo", "&offset=0", 400, "not a regular file"},
		{"download", box + "/fifo", "", 400, "not a regular file"},
		{"browse", box + "/fifo", "", 400, "not a directory"},
		{"read", box + "/zero", "&offset=0", 400, "not a regular file"},
		{"download", box + "/zero", "", 400, "not a regular file"},
		{"read", box + "/inner", "&offset=0", 200, "inside"},
		{"read", box + "/binary", "&offset=0", 200, `a`},
		{"browse", box, "", 200, "n"},
		// Numbers.
		{"read", box + "/stdout", "", 200, `"data":""`},
		{"read", box + "/stdout", "&offset=-1", 200, `"data":""`},
		{"read", box + "/stdout", "&offset=-2", 400, "offset"},
		{"read", box + "/stdout", "&offset=x", 400, "offset"},
		{"read", box + "/stdout", "&offset=1.5", 400, "offset"},
		{"read", box + "/stdout", "&offset=0&length=-2", 400, "length"},
		{"read", box + "/stdout", "&offset=99999999999999999999", 400, "offset"},
		{"read", box + "/stdout", "&offset=9223372036854775807&length=9223372036854775807", 200, `"data":""`},
		{"read", box + "/huge", "&offset=1000000000000&length=9223372036854775807", 200, `"offset":1000000000000`},
		{"read", box + "/stdout", "&offset=0&length=0", 200, `"data":""`},
		{"read", box + "/stdout", "&offset=0&jsonp=alert(1)//", 400, "jsonp"},
		{"read", box + "/stdout", "&offset=0&jsonp=%3C/script%3E", 400, "jsonp"},
		{"read", box + "/binary", "&offset=0&jsonp=show", 200, "show({"},
	} {
		t.Run(fmt.Sprintf("%s %.40s %.40s", tc.verb, strings.Replace(tc.path, box, "box", 1), tc.more), func(t *testing.T) {
			e := exchange{method: "GET", path: "/files/" + tc.verb + "?path=" + url.QueryEscape(tc.path) + tc.more, status: tc.status, says: tc.says}
			e.do(t, http.DefaultClient, node.addr)
			if body := node.get(t, tc.verb, tc.path, tc.more); strings.Contains(body, secret) {
				t.Errorf("a secret is out: %.200q", body)
			}
		})
	}
	// As it is written in the URL, and the path within a path.
	for _, raw := range []string{
		"/files/read?offset=0&path=" + box + "/../../../../../../../../../../etc/passwd",
		"/files/read?offset=0&path=" + box + "/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
		"/files/read?offset=0&path=" + box + "/%252e%252e/%252e%252e/etc/passwd",
		"/slave(1)/files/read/../../../etc/passwd",
	} {
		exchange{method: "GET", path: raw, status: 404}.do(t, http.DefaultClient, node.addr)
	}
	testDownload(t, node, box)
}

// testDownload: what a task wrote is not for a browser to run.
func testDownload(t *testing.T, node agentNode, box string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, node.url("download", box+"/binary", ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment; filename=binary",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// agentNode is where an agent's API is.
type agentNode struct {
	c    *cluster
	addr string
}

// agentOf finds the agent with a host name.
func (c *cluster) agentOf(t *testing.T, host string) agentNode {
	t.Helper()
	var answer struct {
		Slaves []struct{ Hostname, PID string }
	}
	if err := c.Get(t.Context(), "http://"+c.Master+"/slaves", &answer); err != nil {
		t.Fatal(err)
	}
	for _, s := range answer.Slaves {
		if s.Hostname == host {
			_, addr, _ := strings.Cut(s.PID, "@")
			return agentNode{c, addr}
		}
	}
	t.Fatalf("no agent %s", host)
	return agentNode{}
}

// sandbox is the directory of a running task.
func (n agentNode) sandbox(t *testing.T, task string) string {
	t.Helper()
	var state struct {
		Frameworks []struct {
			Executors []struct {
				ID, Directory string
			}
		}
	}
	dir := ""
	until(t, "the agent has a sandbox for "+task, func() bool {
		if err := n.c.Get(t.Context(), "http://"+n.addr+"/state", &state); err != nil {
			t.Fatal(err)
		}
		for _, f := range state.Frameworks {
			for _, e := range f.Executors {
				if e.ID == task {
					dir = e.Directory
				}
			}
		}
		return dir != ""
	})
	return dir
}

func (n agentNode) url(verb, path, more string) string {
	return fmt.Sprintf("http://%s/files/%s?path=%s%s", n.addr, verb, url.QueryEscape(path), more)
}

// get returns the beginning of whatever is answered, be it an error.
func (n agentNode) get(t *testing.T, verb, path, more string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var doc json.RawMessage
	if err := n.c.Get(ctx, n.url(verb, path, more), &doc); err != nil {
		return err.Error()
	}
	return string(doc)
}
