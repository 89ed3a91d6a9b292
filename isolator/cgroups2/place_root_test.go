//go:build root && linux

package cgroups2

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/isolatortest"
)

// Goal: under systemd the tree lives in the holder unit, and survives whatever
// is done to units, the holder included.

func systemctl(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "systemctl", args...).CombinedOutput(); err != nil {
		t.Fatalf("systemctl %q: %v: %s", args, err, out)
	}
}

func TestRootPlace(t *testing.T) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		t.Skipf("no systemd: %v", err)
	}
	h := holder{unit: "mezzo-test-tasks.service", slice: "mezzo.slice"} // an agent may run beside us
	dir := filepath.Join(cgroupRoot, h.slice, h.unit)
	t.Cleanup(func() {
		removeTree(t, dir)
		_ = exec.Command("systemctl", "stop", h.unit).Run()
	})
	place := func() *Isolator {
		t.Helper()
		cfg, err := h.place(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(dir, "tasks"); cfg.Root != want {
			t.Errorf("root is %s, want %s", cfg.Root, want)
		}
		return newReal(t, cfg)
	}
	i := place()
	c := isolatortest.Container("survivor")
	prepareIn(t, i, c)
	p := run(t, i, c.ID, "nothing")
	p.ready(t)
	check := func(when string, i *Isolator) {
		t.Helper()
		if got := content(t, filepath.Join(i.root, "survivor/memory.max")); got != "67108864" {
			t.Errorf("%s: memory.max is %s", when, got)
		}
		if !p.lives() {
			t.Fatalf("%s: the container died", when)
		}
		prepareIn(t, i, isolatortest.Container("other"))
		if err := i.Cleanup(t.Context(), "other"); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	check("at first", i)
	systemctl(t, "daemon-reload")
	check("after a reload", i)
	check("placed again", place())
	systemctl(t, "stop", h.unit)
	again := place()
	if orphans, err := again.Recover(t.Context(), []isolator.Container{c}); len(orphans) != 0 || err != nil {
		t.Errorf("Recover: %v, %v", orphans, err)
	}
	check("after the holder was stopped", again)
	if err := again.Kill(t.Context(), c.ID); err != nil {
		t.Error(err)
	}
	p.signal(t)
	if err := again.Cleanup(t.Context(), c.ID); err != nil {
		t.Error(err)
	}
	// Now systemd removes the stopped holder's cgroup, which is empty at last; or
	// doesn't, now and then.
	removeTree(t, dir)
	if err := again.Prepare(t.Context(), c, isolatortest.Spec()); !errors.Is(err, errs.Unavailable) {
		t.Errorf("Prepare without the root: got %v, want %v", err, errs.Unavailable)
	}
	// What systemd left: with controllers enabled in it, it can't put the unit's
	// process there again.
	left := kernelTree()
	if err := left.make(again.root); err != nil {
		t.Fatal(err)
	}
	if err := left.enable(again.root, "memory"); err != nil {
		t.Fatal(err)
	}
	prepareIn(t, place(), c)
}
