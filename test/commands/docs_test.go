package commands

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mezzo/containerizer/daemon/daemontest"
	"mezzo/test/native"
)

// TestDocs: goal, that what the operators' pages say is to be typed does what they say;
// method, their lines, by a shell, in their order. Those of other pages are tried where
// what they are about is; package main's TestDocs has them all understood.
func TestDocs(t *testing.T) {
	c := native.Start(t, "--resources=cpus:16;mem:8192")
	bin, err := filepath.Abs(native.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := os.Symlink(bin, filepath.Join(path, "mezzo")); err != nil {
		t.Fatal(err)
	}
	// typed runs a line as a user would, and wants its answer to be no refusal.
	typed := func(line string, ids ...string) {
		t.Helper()
		line = strings.NewReplacer("MASTER:5050", c.Master).Replace(line)
		if len(ids) > 0 {
			line = strings.ReplaceAll(line, `"ID"`, `"`+ids[0]+`"`)
		}
		if strings.HasPrefix(line, "curl ") {
			line = "curl -sS -f " + strings.TrimPrefix(line, "curl ")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"), "MEZZO_MASTER="+c.Master)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s\n%v\n%s", line, err, out)
		}
	}

	id := stand(t, c, `{"user":"nobody","name":"spark","roles":["eng"],"capabilities":[{"type":"MULTI_ROLE"}]}`)
	quota := pageLines(t, "quota.md")
	if len(quota) < 6 {
		t.Fatalf("quota.md has %q", quota)
	}
	for _, line := range quota {
		typed(line, id)
	}

	s := &spare{c: c, dir: t.TempDir(), containerd: daemontest.Start(t).Address(), host: "host1"}
	b, _ := s.join(t)
	maintenance := pageLines(t, "maintenance.md")
	if len(maintenance) < 7 {
		t.Fatalf("maintenance.md has %q", maintenance)
	}
	for _, line := range maintenance {
		if !strings.HasPrefix(line, "mezzo ") {
			continue
		}
		typed(line)
		if strings.HasPrefix(line, "mezzo maintenance start") {
			finish(t, b) // its agent shuts down
		}
	}
	b, agent := s.join(t)
	for _, line := range maintenance {
		if strings.HasPrefix(line, "curl ") {
			typed(line, agent)
		}
	}
	finish(t, b)
}

var shown = regexp.MustCompile(`(?m)^ {4}(?:\$ )?((?:mezzo|curl) .*(?:\n {6}\S.*)*)$`)

// pageLines are the commands of a page; what a line is continued by is indented more.
func pageLines(t *testing.T, page string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range shown.FindAllStringSubmatch(string(text), -1) {
		lines = append(lines, m[1])
	}
	return lines
}

// stand is a framework that is there until the test ends, and does nothing.
func stand(t *testing.T, c *native.Cluster, info string) (id string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	body := strings.NewReader(`{"type":"SUBSCRIBE","subscribe":{"framework_info":` + info + `}}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Master+"/api/v1/scheduler", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = resp.Body.Close() })
	first := make([]byte, 4096)
	n, err := resp.Body.Read(first)
	if err != nil && err != io.EOF || resp.StatusCode != http.StatusOK {
		t.Fatalf("subscribe: %s, %v", resp.Status, err)
	}
	m := regexp.MustCompile(`"framework_id":\{"value":"([^"]+)"\}`).FindSubmatch(first[:n])
	if m == nil {
		t.Fatalf("subscribe: %s", first[:n])
	}
	go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
	return string(m[1])
}
