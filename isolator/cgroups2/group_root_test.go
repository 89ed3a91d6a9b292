//go:build root && linux

package cgroups2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mezzo/isolator"
)

// TestRootGroup: two members of which each has its own limit share a cgroup with
// the sum, and one dies of its own without the other.
func TestRootGroup(t *testing.T) {
	i := realIsolator(t)
	limits := isolator.Limits{CPURequestMilli: 300, CPULimitMilli: 300, MemLimitBytes: 48 * mib}
	for _, id := range []isolator.ID{"a", "b"} {
		c := isolator.Container{ID: id, Limits: limits, Group: &isolator.Group{ID: "g"}}
		prepareIn(t, i, c)
	}
	wantFiles(t, filepath.Join(i.root, "g"), map[string]string{
		"cpu.max": "60000 100000", "memory.max": fmt.Sprint(104 * mib), "pids.max": "8192", "memory.oom.group": "0",
	})
	survivor := run(t, i, "g/b", fmt.Sprintf("eat %d", 24*mib)) // the helper itself takes some 10 MiB
	survivor.ready(t)
	victim := run(t, i, "g/a", fmt.Sprintf("child-eats %d", 128*mib))
	if s := victim.signal(t); s != syscall.SIGKILL {
		t.Errorf("the member that ate ended by %v, want SIGKILL: %s", s, victim.out)
	}
	l, err := i.Explain(t.Context(), "a")
	if err != nil || l == nil || l.Cause != isolator.CauseMemory || !strings.Contains(l.Message, "memory limit 48 MiB exceeded") {
		t.Errorf("Explain: got %+v, %v, want its own limit", l, err)
	}
	if !survivor.lives() {
		t.Error("the other member died too")
	}
	// Threads come and go between two samples.
	until(t, "the group has what its only living member has", func() bool {
		whole, one := sampleOf(t, i, "g"), sampleOf(t, i, "b")
		return whole.MemCurrentBytes >= one.MemCurrentBytes && whole.Pids == one.Pids
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := i.Cleanup(ctx, "a"); err != nil {
		t.Error(err)
	}
	wantFiles(t, filepath.Join(i.root, "g"), map[string]string{"cpu.max": "30000 100000", "memory.max": fmt.Sprint(52 * mib)})
	if err := errors.Join(i.Kill(ctx, "b"), i.Cleanup(ctx, "b")); err != nil {
		t.Error(err)
	}
	survivor.signal(t)
	if _, err := os.Stat(filepath.Join(i.root, "g")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group is left behind: %v", err)
	}
}

// TestRootNested: a nested container without limits of its own is held by its
// parent's, and dies with it.
func TestRootNested(t *testing.T) {
	i := realIsolator(t)
	prepareIn(t, i, isolator.Container{ID: "p", Limits: isolator.Limits{CPURequestMilli: 300, CPULimitMilli: 300, MemLimitBytes: 64 * mib}})
	prepareIn(t, i, isolator.Container{ID: "n", Within: "p", Limits: isolator.Limits{
		CPULimitMilli: isolator.Unlimited, MemLimitBytes: isolator.Unlimited, PidsLimit: isolator.Unlimited,
	}})
	parent := run(t, i, "p", "eat 8388608")
	parent.ready(t)
	nested := run(t, i, "p/n", fmt.Sprintf("child-eats %d", 128*mib))
	if s := nested.signal(t); s != syscall.SIGKILL {
		t.Errorf("the nested one that ate ended by %v, want SIGKILL: %s", s, nested.out)
	}
	if s := parent.signal(t); s != syscall.SIGKILL {
		t.Errorf("its parent, whose limit it was, ended by %v, want SIGKILL", s)
	}
	l, err := i.Explain(t.Context(), "p")
	if err != nil || l == nil || l.Cause != isolator.CauseMemory {
		t.Errorf("Explain: got %+v, %v, want the parent's limit", l, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := errors.Join(i.Cleanup(ctx, "n"), i.Cleanup(ctx, "p")); err != nil {
		t.Error(err)
	}
}
