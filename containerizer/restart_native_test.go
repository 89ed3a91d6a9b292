package containerizer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mezzo/containerizer"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// What outlives the agent, containerd and the shim.

// TestRepeatedLaunch: the same Spec is no second container, another one is
// refused.
func TestRepeatedLaunch(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	s := b.spec(t, "sleep 1000")
	first, err := b.Launch(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.restart(t).Launch(t.Context(), s)
	if err != nil || again != first {
		t.Errorf("again: %+v, %v; want %+v", again, err, first)
	}
	other := s
	other.Value = "sleep 2000"
	if _, err := b.Launch(t.Context(), other); !errors.Is(err, errs.Exists) {
		t.Errorf("another Spec under this id: %v", err)
	}
	if err := b.Signal(t.Context(), s.ID, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if _, err := b.Wait(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
	if _, err := b.Launch(t.Context(), s); !errors.Is(err, errs.Exists) {
		t.Errorf("after its end: %v", err)
	}
	if err := b.Destroy(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
}

// TestRestart: containerd is killed under a task and started again, and so is
// the agent. Nothing is lost, whenever the task ends.
func TestRestart(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	gate := func(s containerizer.Spec) {
		if err := os.WriteFile(filepath.Join(s.Sandbox, "gate"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const untilGate = `echo begin; while [ ! -e gate ]; do sleep 0.02; done; echo end; exit 5`
	during, after, orphan := b.spec(t, untilGate), b.spec(t, untilGate), b.spec(t, untilGate)
	host := b.spec(t, untilGate)
	host.Image = ""
	all := []containerizer.Spec{during, after, orphan, host}
	for _, s := range all {
		if _, err := b.Launch(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	type result struct {
		end containerizer.Termination
		err error
	}
	pending := make(chan result, 1)
	go func() {
		end, err := b.Wait(t.Context(), after.ID)
		pending <- result{end, err}
	}()
	b.daemon.Crash(t)
	if _, err := b.Launch(t.Context(), b.spec(t, "true")); !errors.Is(err, errs.Unavailable) {
		t.Errorf("launch without containerd: %v; want class %v", err, errs.Unavailable)
	}
	gate(during)
	await(t, func() bool { return output(t, during, "stdout") == "begin\nend\n" })
	b.daemon.Revive(t)

	agent := b.restart(t)
	taken, orphans, err := agent.Recover(t.Context(), []isolator.ID{during.ID, after.ID, host.ID})
	if len(taken) != 3 {
		t.Errorf("taken %v", taken)
	}
	if err != nil || len(orphans) != 1 || orphans[0] != orphan.ID {
		t.Errorf("orphans %v, %v; want %s", orphans, err, orphan.ID)
	}
	gate(after)
	gate(host)
	for _, s := range []containerizer.Spec{during, after, host} {
		end, err := agent.Wait(t.Context(), s.ID)
		if s.ID == during.ID && end.Unknown && !strings.HasPrefix(b.daemon.Version().Containerd, "1.6.") {
			continue // later versions forget at their start what ended without them
		}
		if err != nil || end.Code != 5 || end.Unknown || output(t, s, "stdout") != "begin\nend\n" {
			t.Errorf("%s: end %+v, %v, output %q", s.ID, end, err, output(t, s, "stdout"))
		}
	}
	if r := <-pending; r.err != nil || r.end.Code != 5 {
		t.Errorf("who waited all along got %+v, %v", r.end, r.err)
	}
	for _, s := range all {
		if err := agent.Destroy(t.Context(), s.ID); err != nil {
			t.Error(err)
		}
	}
}

// TestLostShim: with its shim, a container's exit is lost. That is said, not
// made up, and the container is gone.
func TestLostShim(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	s := b.spec(t, "sleep 1000")
	l, err := b.Launch(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	shim, err := parent(int(l.PID))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(shim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	end, err := b.Wait(t.Context(), s.ID)
	if err != nil || !end.Unknown {
		t.Errorf("end %+v, %v; want unknown", end, err)
	}
	if err := b.Destroy(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
	await(t, func() bool { return syscall.Kill(int(l.PID), 0) != nil })
}

func parent(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	var ppid int
	var state string
	_, err = fmt.Sscanf(string(b[strings.LastIndexByte(string(b), ')')+1:]), "%s %d", &state, &ppid)
	return ppid, err
}
