package isolatortest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Run checks that isolators made by open keep the contract. Open is called for
// each test and again to play a restart of the agent; what it returns then must
// see the same kernel, in which no container of the test runs yet.
//
// Nothing is started: what the limits do is each isolator's own test.
func Run(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	_, updates := i.(isolator.Updater)
	_, reports := i.(isolator.Reporter)
	_, explains := i.(isolator.Explainer)
	_, kills := i.(isolator.Killer)
	_, recovers := i.(isolator.Recoverer)
	for _, tt := range []struct {
		name    string
		applies bool
		test    func(t *testing.T, open func(t *testing.T) isolator.Isolator)
	}{
		{"prepare is repeatable", true, prepareTwice},
		{"cleanup is repeatable", true, cleanupTwice},
		{"an id can be used again", true, reuse},
		{"bad limits are refused", updates, badLimits},
		{"update", updates, update},
		{"usage", reports, usage},
		{"explain", explains, explain},
		{"kill", kills, kill},
		{"recover", recovers, recoverAll},
	} {
		if tt.applies {
			t.Run(tt.name, func(t *testing.T) { tt.test(t, open) })
		}
	}
}

// Container is a container with limits that every isolator accepts.
func Container(id isolator.ID) isolator.Container {
	return isolator.Container{ID: id, Limits: isolator.Limits{
		CPURequestMilli: 500, CPULimitMilli: 500, MemRequestBytes: 64 << 20, MemLimitBytes: 64 << 20,
	}}
}

// Spec is a small spec as a containerizer hands it to isolators.
func Spec() *specs.Spec {
	return &specs.Spec{
		Version: specs.Version,
		Root:    &specs.Root{Path: "rootfs"},
		Process: &specs.Process{Args: []string{"/bin/true"}, Cwd: "/"},
		Mounts:  []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}},
		Linux: &specs.Linux{Resources: &specs.LinuxResources{
			Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}},
		}},
	}
}

func prepare(t *testing.T, i isolator.Isolator, id isolator.ID) *specs.Spec {
	t.Helper()
	s := Spec()
	if err := i.Prepare(t.Context(), Container(id), s); err != nil {
		t.Fatalf("Prepare(%s): %v", id, err)
	}
	t.Cleanup(func() { cleanUp(t, i, id) })
	return s
}

func cleanUp(t *testing.T, i isolator.Isolator, id isolator.ID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if err := i.Cleanup(ctx, id); err != nil {
		t.Errorf("Cleanup(%s): %v", id, err)
	}
}

func prepareTwice(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	s := prepare(t, i, "twice")
	once, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Prepare(t.Context(), Container("twice"), s); err != nil {
		t.Fatalf("second Prepare: %v", err)
	}
	again, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(once), string(again)); d != "" {
		t.Errorf("the second Prepare changed the spec (-once +twice):\n%s", d)
	}
	cleanUp(t, i, "twice")
}

func cleanupTwice(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	cleanUp(t, i, "never-seen")
	prepare(t, i, "c")
	cleanUp(t, i, "c")
	cleanUp(t, i, "c")
}

func reuse(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	for range 3 {
		prepare(t, i, "again")
		cleanUp(t, i, "again")
	}
}

func badLimits(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	bad := Container("bad")
	bad.Limits.MemLimitBytes = -2
	if err := i.Prepare(t.Context(), bad, Spec()); !errors.Is(err, errs.Invalid) {
		t.Errorf("Prepare with a limit of -2 bytes: got %v, want %v", err, errs.Invalid)
	}
	cleanUp(t, i, "bad")
}

func usage(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	r := i.(isolator.Reporter)
	var u isolator.Usage
	if err := r.Usage(t.Context(), "never-seen", &u); !errors.Is(err, errs.NotFound) {
		t.Errorf("Usage of an unknown id: got %v, want %v", err, errs.NotFound)
	}
	prepare(t, i, "used")
	for range 2 {
		if err := r.Usage(t.Context(), "used", &u); err != nil {
			t.Errorf("Usage: %v", err)
		}
	}
	cleanUp(t, i, "used")
	if err := r.Usage(t.Context(), "used", &u); !errors.Is(err, errs.NotFound) {
		t.Errorf("Usage after Cleanup: got %v, want %v", err, errs.NotFound)
	}
}

func explain(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	e := i.(isolator.Explainer)
	if l, err := e.Explain(t.Context(), "never-seen"); l != nil || !errors.Is(err, errs.NotFound) {
		t.Errorf("Explain of an unknown id: got %v, %v, want %v", l, err, errs.NotFound)
	}
	prepare(t, i, "fine")
	if l, err := e.Explain(t.Context(), "fine"); l != nil || err != nil {
		t.Errorf("Explain of a container that nothing ended: got %v, %v, want nil, nil", l, err)
	}
}

func kill(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	k := i.(isolator.Killer)
	if err := k.Kill(t.Context(), "never-seen"); err != nil {
		t.Errorf("Kill of an unknown id: %v", err)
	}
	prepare(t, i, "empty")
	for range 2 {
		if err := k.Kill(t.Context(), "empty"); err != nil {
			t.Errorf("Kill of a container without processes: %v", err)
		}
	}
}

func update(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	i := open(t)
	u := i.(isolator.Updater)
	if err := u.Update(t.Context(), Container("never-seen")); !errors.Is(err, errs.NotFound) {
		t.Errorf("Update of an unknown id: got %v, want %v", err, errs.NotFound)
	}
	prepare(t, i, "grow")
	c := Container("grow")
	for _, mem := range []int64{128 << 20, 32 << 20, 64 << 20} {
		c.Limits.MemRequestBytes, c.Limits.MemLimitBytes = mem, mem
		if err := u.Update(t.Context(), c); err != nil {
			t.Errorf("Update to %d bytes: %v", mem, err)
		}
	}
	c.Limits.CPULimitMilli = -7
	if err := u.Update(t.Context(), c); !errors.Is(err, errs.Invalid) {
		t.Errorf("Update to -7 CPU: got %v, want %v", err, errs.Invalid)
	}
}

func recoverAll(t *testing.T, open func(t *testing.T) isolator.Isolator) {
	before := open(t)
	prepare(t, before, "known")
	prepare(t, before, "orphan-a")
	prepare(t, before, "orphan-b")

	after := open(t)
	gone := Container("gone-for-good")
	orphans, err := after.(isolator.Recoverer).Recover(t.Context(), []isolator.Container{Container("known"), gone})
	if err != nil {
		t.Fatalf("Recover: %v", err)
	}
	if d := cmp.Diff([]isolator.ID{"orphan-a", "orphan-b"}, orphans); d != "" {
		t.Errorf("orphans (-want +got):\n%s", d)
	}
	if r, ok := after.(isolator.Reporter); ok {
		var u isolator.Usage
		if err := r.Usage(t.Context(), "known", &u); err != nil {
			t.Errorf("Usage of a recovered container: %v", err)
		}
		if err := r.Usage(t.Context(), gone.ID, &u); !errors.Is(err, errs.NotFound) {
			t.Errorf("Usage of a container that is gone: got %v, want %v", err, errs.NotFound)
		}
	}
	for _, id := range orphans {
		cleanUp(t, after, id)
	}
	orphans, err = after.(isolator.Recoverer).Recover(t.Context(), []isolator.Container{Container("known")})
	if err != nil || len(orphans) != 0 {
		t.Errorf("Recover after the orphans' Cleanup: got %v, %v, want none", orphans, err)
	}
}
