package containerizer

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestIsShim(t *testing.T) {
	const shim = "/usr/bin/containerd-shim-runc-v2 -namespace mezzo -id c1 -address /run/mezzo/a/containerd.sock"
	for line, want := range map[string]bool{
		shim:                                   true,
		shim + " -debug":                       true,
		"sh -c " + shim:                        false,
		strings.Replace(shim, "c1", "c12", 1):  false,
		strings.Replace(shim, "/a/", "/b/", 1): false,
		"/usr/bin/containerd-shim-runc-v2":     false,
		"":                                     false,
	} {
		if got := isShim([]byte(strings.ReplaceAll(line, " ", "\x00")+"\x00"), "c1", "/run/mezzo/a/containerd.sock"); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// TestEndShim: the shim of that container and that containerd ends, no other.
func TestEndShim(t *testing.T) {
	stand := func(id, address string) (cmd *exec.Cmd, ended chan error) {
		cmd = exec.Command("/bin/sh")
		cmd.Args = []string{"containerd-shim-runc-v2", "-c", "sleep 1000; :", "-id", id, "-address", address}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended = make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		return cmd, ended
	}
	address := t.TempDir()
	_, mine := stand("c1", address)
	other, others := stand("c2", address)
	endShim("c1", address)
	select {
	case <-mine:
	case <-time.After(20 * time.Second):
		t.Error("it lives")
	}
	if err := syscall.Kill(other.Process.Pid, 0); err != nil || len(others) > 0 {
		t.Errorf("the other one ended, too: %v", err)
	}
}
