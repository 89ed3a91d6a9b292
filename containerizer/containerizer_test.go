package containerizer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mezzo/containerizer/daemon/daemontest"
	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/isolatortest"
)

// The tests of this file run the containerizer on an engine and an isolator in
// memory: they are about order, errors and turns.

func newFake(t *testing.T, isolators ...isolator.Isolator) (*Containerizer, *fakeEngine) {
	t.Helper()
	set, err := isolator.NewSet(isolators...)
	if err != nil {
		t.Fatal(err)
	}
	e := newFakeEngine()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	return newContainerizer(Config{Namespace: "mezzo", StateDir: t.TempDir(), Logger: "/logger"}, Deps{Isolators: set, Log: log}, e), e
}

func fakeSpec(t *testing.T, id isolator.ID) Spec {
	t.Helper()
	if os.Getuid() != 0 {
		daemontest.Skip(t, "a sandbox is given to another user, which takes root")
	}
	return Spec{ID: id, Image: "busybox", Value: "true", User: "app", Sandbox: t.TempDir(), Limits: isolator.Limits{PidsLimit: 9}}
}

// TestLaunchUndo: whatever goes wrong, nothing is left.
func TestLaunchUndo(t *testing.T) {
	broken := errors.New("broken")
	for _, step := range []string{"", "image", "prepare", "accounts", "Prepare", "create", "start"} {
		iso := isolatortest.NewFake("fake")
		c, e := newFake(t, iso)
		fail := func(call string) error {
			if call == step {
				return broken
			}
			return nil
		}
		e.fail = fail
		iso.Fail = func(call string, _ isolator.ID) error { return fail(call) }
		_, err := c.Launch(t.Context(), fakeSpec(t, "c1"))
		if step == "" {
			if err != nil || len(e.made) != 1 || len(iso.Containers()) != 1 {
				t.Errorf("nothing went wrong: %v, %v, %v", err, e.made, iso.Containers())
			}
			continue
		}
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "launch container c1") {
			t.Errorf("%s: got %v", step, err)
		}
		if len(e.made)+len(e.prepared)+len(iso.Containers()) > 0 {
			t.Errorf("%s: left %v, %v, %v", step, e.made, e.prepared, iso.Containers())
		}
		if len(c.turns.byID) > 0 {
			t.Errorf("%s: turns left", step)
		}
	}
}

// TestEnd: what is known at the end comes from all sides, and a destruction
// does not take it away from those who wait.
func TestEnd(t *testing.T) {
	s := fakeSpec(t, "c1")
	synctest.Test(t, func(t *testing.T) {
		iso := isolatortest.NewFake("fake")
		c, e := newFake(t, iso)
		if _, err := c.Launch(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		verdict := &isolator.Limitation{Cause: isolator.CauseMemory, Message: "too much"}
		if err := errors.Join(iso.SetLimitation("c1", verdict), iso.SetUsage("c1", isolator.Usage{Pids: 3})); err != nil {
			t.Fatal(err)
		}
		ends := make(chan Termination, 2)
		for range 2 {
			go func() {
				end, err := c.Wait(t.Context(), "c1")
				if err != nil {
					t.Error(err)
				}
				ends <- end
			}()
		}
		synctest.Wait()
		if err := c.Destroy(t.Context(), "c1"); err != nil {
			t.Error(err)
		}
		for range 2 {
			end := <-ends
			if end.Code != 137 || end.Limitation != verdict || end.Usage.Pids != 3 {
				t.Errorf("got %+v", end)
			}
		}
		if len(e.made)+len(e.prepared)+len(iso.Containers())+len(c.turns.byID) > 0 {
			t.Error("something is left")
		}
		calls := iso.Calls()
		if i, j := slices.Index(calls, "Explain c1"), slices.Index(calls, "Cleanup c1"); i < 0 || j < i {
			t.Errorf("calls %q: the verdict comes before the clean-up", calls)
		}
		if err := c.Destroy(t.Context(), "c1"); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

// TestKillWithoutEngine: SIGKILL reaches a container whose containerd is away,
// where an isolator can.
func TestKillWithoutEngine(t *testing.T) {
	for name, isolators := range map[string][]isolator.Isolator{"isolated": {isolatortest.NewFake("fake")}, "not isolated": nil} {
		c, e := newFake(t, isolators...)
		if _, err := c.Launch(t.Context(), fakeSpec(t, "c1")); err != nil {
			t.Fatal(err)
		}
		e.fail = func(call string) error {
			if call == "kill" {
				return errs.Unavailable
			}
			return nil
		}
		if err := c.Signal(t.Context(), "c1", syscall.SIGTERM); !errors.Is(err, errs.Unavailable) {
			t.Errorf("%s: SIGTERM: got %v; want class %v", name, err, errs.Unavailable)
		}
		if err := c.Signal(t.Context(), "c1", syscall.SIGKILL); (err == nil) != (isolators != nil) {
			t.Errorf("%s: SIGKILL: got %v", name, err)
		}
		if err := c.Signal(t.Context(), "none", syscall.SIGKILL); !errors.Is(err, errs.NotFound) {
			t.Errorf("%s: unknown container: got %v; want class %v", name, err, errs.NotFound)
		}
	}
}

// TestUnknownEnd: an exit that was lost has no number.
func TestUnknownEnd(t *testing.T) {
	c, e := newFake(t)
	s := fakeSpec(t, "c1")
	if _, err := c.Launch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	e.end("c1", exit{unknown: true})
	end, err := c.Wait(t.Context(), "c1")
	if err != nil || !end.Unknown || end.Usage.Pids != 7 {
		t.Errorf("got %+v, %v", end, err)
	}
}

// TestOvertaken: a Destroy ends the launch that is under way.
func TestOvertaken(t *testing.T) {
	s := fakeSpec(t, "c1")
	synctest.Test(t, func(t *testing.T) {
		c, e := newFake(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		pulling := make(chan struct{})
		e.fail = func(call string) error {
			if call == "image" {
				<-pulling // the fake's pull looks at its context when it is done
			}
			return nil
		}
		launched := make(chan error, 1)
		go func() {
			_, err := c.Launch(ctx, s)
			launched <- err
		}()
		synctest.Wait()
		if _, err := c.Launch(ctx, s); !errors.Is(err, errs.Conflict) {
			t.Errorf("second launch: %v", err)
		}
		destroyed := make(chan error, 1)
		go func() { destroyed <- c.Destroy(ctx, "c1") }()
		synctest.Wait()
		close(pulling)
		if err := <-launched; !errors.Is(err, errs.Conflict) {
			t.Errorf("launch: %v; want class %v", err, errs.Conflict)
		}
		if err := <-destroyed; err != nil {
			t.Error(err)
		}
		if len(e.made)+len(e.prepared)+len(c.turns.byID) > 0 {
			t.Error("something is left")
		}
	})
}

// TestDestroyLater: what cannot be removed now can be later, and a caller who
// has gone does not leave it half done.
func TestDestroyLater(t *testing.T) {
	iso := isolatortest.NewFake("fake")
	c, e := newFake(t, iso)
	if _, err := c.Launch(t.Context(), fakeSpec(t, "c1")); err != nil {
		t.Fatal(err)
	}
	e.fail = func(call string) error {
		if call == "remove" {
			return errs.Unavailable
		}
		return nil
	}
	if err := c.Destroy(t.Context(), "c1"); !errors.Is(err, errs.Unavailable) {
		t.Errorf("got %v", err)
	}
	e.fail = func(string) error { return nil }
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Destroy(gone, "c1"); err != nil {
		t.Error(err)
	}
	if len(e.made)+len(e.prepared)+len(iso.Containers()) > 0 {
		t.Error("something is left")
	}
}

func TestRecover(t *testing.T) {
	iso := isolatortest.NewFake("fake")
	c, e := newFake(t, iso)
	for _, id := range []isolator.ID{"known", "orphan", "unstarted", "starting", "lost", "cut-short", "spoiled"} {
		if _, err := c.Launch(t.Context(), fakeSpec(t, id)); err != nil {
			t.Fatal(err)
		}
	}
	e.made["unstarted"].state = created
	e.made["starting"].state = created // its mark is there, and it starts
	e.fail = func(call string) error {
		if call == "find" {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.made["starting"].state = running
		}
		return nil
	}
	e.made["lost"].state = absent
	e.end("spoiled", exit{code: 1, at: time.Now()})
	for _, id := range []isolator.ID{"unstarted", "spoiled"} {
		if err := c.unmarkStarted(id); err != nil {
			t.Fatal(err)
		}
	}
	delete(e.made, "cut-short")
	stray := isolatortest.Container("stray")
	if err := iso.Prepare(t.Context(), stray, isolatortest.Spec()); err != nil {
		t.Fatal(err)
	}
	taken, got, err := c.Recover(t.Context(), []isolator.ID{"known", "unstarted", "starting", "lost", "cut-short", "spoiled", "never-was"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]isolator.ID{"known", "lost", "starting"}, slices.Sorted(slices.Values(taken))); d != "" {
		t.Errorf("taken (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]isolator.ID{"cut-short", "orphan", "spoiled", "stray", "unstarted"}, got); d != "" {
		t.Errorf("orphans (-want +got):\n%s", d)
	}
	for _, id := range got {
		if err := c.Destroy(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if d := cmp.Diff([]isolator.ID{"known", "lost", "starting"}, iso.Containers()); d != "" || len(e.made) != 3 {
		t.Errorf("left (-want +got):\n%s", d)
	}
	if _, err := c.Wait(t.Context(), "never-was"); !errors.Is(err, errs.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestWaitGivesUp(t *testing.T) {
	c, _ := newFake(t)
	if _, err := c.Launch(t.Context(), fakeSpec(t, "c1")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Wait(ctx, "c1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestStartCut: the end of a container whose start nobody saw done is its start's
// failure, if the runtime's traces say so, and else its command's.
func TestStartCut(t *testing.T) {
	c, e := newFake(t)
	for _, row := range []struct {
		id        isolator.ID
		seen, cut bool
		unstarted bool
	}{
		{"ran", true, false, false},
		{"ran-traces-left", true, true, false},
		{"unseen", false, false, false},
		{"cut", false, true, true},
	} {
		if _, err := c.Launch(t.Context(), fakeSpec(t, row.id)); err != nil {
			t.Fatal(err)
		}
		if !row.seen {
			if err := c.markStarted(row.id); err != nil {
				t.Fatal(err)
			}
		}
		e.mu.Lock()
		if e.cut == nil {
			e.cut = map[isolator.ID]bool{}
		}
		e.cut[row.id] = row.cut
		e.mu.Unlock()
		e.end(row.id, exit{code: 1, at: time.Now()})
		if end, err := c.Wait(t.Context(), row.id); err != nil || end.Unstarted != row.unstarted || end.Code != 1 {
			t.Errorf("%s: %+v, %v", row.id, end, err)
		}
	}
}
