package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Only what needs no QEMU; the whole is tested by the tests that use the nodes.

func TestPIDKnowsItsOwn(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "echo; read _", "-name", "mezzo-1-n1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil { // it has its command line by now
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })

	if got := pid(dir, "mezzo-1-n1"); got != 0 {
		t.Errorf("without a pid file: %d, want 0", got)
	}
	for content, want := range map[string]int{strconv.Itoa(cmd.Process.Pid): cmd.Process.Pid, "junk": 0, "": 0, "-1": 0} {
		if err := os.WriteFile(filepath.Join(dir, "pid"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := pid(dir, "mezzo-1-n1"); got != want {
			t.Errorf("pid file %q: %d, want %d", content, got, want)
		}
		if got := pid(dir, "mezzo-1-n"); got != 0 {
			t.Errorf("pid file %q, another's name: %d, want 0", content, got)
		}
	}
}

func TestRestoredMachineHasTheSameDevices(t *testing.T) {
	m := machine{name: "m", dir: "/d,1", disk: "/d,1/disk", ram: "/ram", tap: "tap0", size: defaultSize, accel: tcg}
	saved := m.args()
	m.restore = true
	restored := m.args()
	if !slices.Contains(saved, "memory-backend-file,id=ram,size=2048M,mem-path=/ram,share=on") {
		t.Errorf("the template does not share its RAM: %q", saved)
	}
	if !slices.Contains(restored, "memory-backend-file,id=ram,size=2048M,mem-path=/ram,share=off") {
		t.Errorf("a node shares its RAM: %q", restored)
	}
	if !slices.Contains(saved, "file,id=console,path=/d,,1/console") {
		t.Errorf("a comma in a path is not escaped: %q", saved)
	}
	devices := func(args []string) []string {
		return slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "memory-backend-file") })
	}
	if got, want := devices(restored), append(devices(saved), "-incoming", "defer"); !slices.Equal(got, want) {
		t.Errorf("restored\n%q, saved\n%q", got, want)
	}
}

func TestPruneTemplatesKeepsTheLastUsed(t *testing.T) {
	dir := t.TempDir()
	base := time.Now()
	for i, name := range []string{"template-c", "template-a", "template-b"} {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		used := base.Add(time.Duration(i) * time.Second)
		if err := os.Chtimes(path, used, used); err != nil {
			t.Fatal(err)
		}
	}
	if err := pruneTemplates(dir); err != nil {
		t.Fatal(err)
	}
	got, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join(dir, "template-a"), filepath.Join(dir, "template-b")}; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
}

func TestSerialRun(t *testing.T) {
	host, guest := net.Pipe()
	defer host.Close()
	go func() {
		lines := bufio.NewReader(guest)
		_, _ = lines.ReadString('\n')
		_, _ = io.WriteString(guest, "out\r\nagent-rc 0\r\n")
		_, _ = lines.ReadString('\n')
		_, _ = io.WriteString(guest, "why\r\nagent-rc 2\r\n")
		guest.Close()
	}()
	s := &serial{host, bufio.NewReader(host)}
	if err := s.run("true", time.Minute); err != nil {
		t.Error(err)
	}
	if err := s.run("false", time.Minute); err == nil || !strings.Contains(err.Error(), "exit code 2: why") {
		t.Errorf("a line that fails: %v", err)
	}
	if err := s.run("true", time.Minute); err == nil {
		t.Error("the port is closed: no error")
	}
}

func TestPollGivesTheLastError(t *testing.T) {
	want := errors.New("not yet")
	err := poll(context.Background(), time.Millisecond, func() error { return want })
	if !errors.Is(err, want) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("poll: %v", err)
	}
}
