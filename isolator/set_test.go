package isolator_test

import (
	"errors"
	"testing"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/isolatortest"

	"github.com/google/go-cmp/cmp"
)

// Goal: the set's own rules (order, undo, merging, first verdict), with fakes
// that keep the contract.

var errBroken = errors.New("broken")

func failing(name, call string) *isolatortest.Fake {
	f := isolatortest.NewFake(name)
	f.Fail = func(c string, _ isolator.ID) error {
		if c == call {
			return errBroken
		}
		return nil
	}
	return f
}

// bare hides all abilities of the isolator in it.
type bare struct{ isolator.Isolator }

func newSet(t *testing.T, isolators ...isolator.Isolator) *isolator.Set {
	t.Helper()
	s, err := isolator.NewSet(isolators...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewSetRefusesRepeatedNames(t *testing.T) {
	for _, names := range [][]string{{"a", "a"}, {""}} {
		var list []isolator.Isolator
		for _, n := range names {
			list = append(list, isolatortest.NewFake(n))
		}
		if _, err := isolator.NewSet(list...); !errors.Is(err, errs.Invalid) {
			t.Errorf("NewSet(%q): got %v, want %v", names, err, errs.Invalid)
		}
	}
}

func TestSetPrepareUndoesInReverse(t *testing.T) {
	a, b, c := isolatortest.NewFake("a"), failing("b", "Prepare"), isolatortest.NewFake("c")
	s := newSet(t, a, b, c)
	spec := isolatortest.Spec()
	if err := s.Prepare(t.Context(), isolatortest.Container("x"), spec); !errors.Is(err, errBroken) {
		t.Fatalf("Prepare: got %v, want %v", err, errBroken)
	}
	want := map[string][]string{"a": {"Prepare x", "Cleanup x"}, "b": {"Prepare x", "Cleanup x"}, "c": nil}
	got := map[string][]string{"a": a.Calls(), "b": b.Calls(), "c": c.Calls()}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
}

func TestSetPrepareEditsOneSpec(t *testing.T) {
	s := newSet(t, isolatortest.NewFake("a"), isolatortest.NewFake("b"))
	spec := isolatortest.Spec()
	if err := s.Prepare(t.Context(), isolatortest.Container("x"), spec); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{isolatortest.Annotation + "a": "a", isolatortest.Annotation + "b": "b"}
	if d := cmp.Diff(want, spec.Annotations); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
}

func TestSetCleanupContinuesPastErrors(t *testing.T) {
	a, b := isolatortest.NewFake("a"), failing("b", "Cleanup")
	s := newSet(t, a, b)
	if err := s.Prepare(t.Context(), isolatortest.Container("x"), isolatortest.Spec()); err != nil {
		t.Fatal(err)
	}
	if err := s.Cleanup(t.Context(), "x"); !errors.Is(err, errBroken) {
		t.Errorf("Cleanup: got %v, want %v", err, errBroken)
	}
	if got := a.Containers(); len(got) != 0 {
		t.Errorf("a still holds %v", got)
	}
}

func TestSetUsage(t *testing.T) {
	a := isolatortest.NewFake("a")
	s := newSet(t, bare{isolatortest.NewFake("b")}, a)
	if err := s.Prepare(t.Context(), isolatortest.Container("x"), isolatortest.Spec()); err != nil {
		t.Fatal(err)
	}
	if err := a.SetUsage("x", isolator.Usage{CPU: time.Second, Pids: 3}); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	u, err := s.Usage(t.Context(), "x")
	if err != nil || u.CPU != time.Second || u.Pids != 3 || u.At.Before(before) {
		t.Errorf("Usage: got %+v, %v", u, err)
	}
	if _, err := s.Usage(t.Context(), "y"); !errors.Is(err, errs.NotFound) {
		t.Errorf("Usage of an unknown id: got %v, want %v", err, errs.NotFound)
	}
}

func TestSetWithoutAbilities(t *testing.T) {
	s := newSet(t, bare{isolatortest.NewFake("a")})
	ctx := t.Context()
	if _, err := s.Usage(ctx, "x"); !errors.Is(err, errs.Unsupported) {
		t.Errorf("Usage: got %v, want %v", err, errs.Unsupported)
	}
	if err := s.Kill(ctx, "x"); !errors.Is(err, errs.Unsupported) {
		t.Errorf("Kill: got %v, want %v", err, errs.Unsupported)
	}
	if l, err := s.Explain(ctx, "x"); l != nil || err != nil {
		t.Errorf("Explain: got %v, %v, want nothing", l, err)
	}
	if err := s.Update(ctx, isolatortest.Container("x")); err != nil {
		t.Errorf("Update: %v", err)
	}
	if o, err := s.Recover(ctx, nil); len(o) != 0 || err != nil {
		t.Errorf("Recover: got %v, %v, want nothing", o, err)
	}
}

func TestSetExplainReturnsTheFirstVerdict(t *testing.T) {
	broken, a, b := failing("broken", "Explain"), isolatortest.NewFake("a"), isolatortest.NewFake("b")
	s := newSet(t, broken, a, b)
	if err := s.Prepare(t.Context(), isolatortest.Container("x"), isolatortest.Spec()); err != nil {
		t.Fatal(err)
	}
	for f, m := range map[*isolatortest.Fake]string{a: "of a", b: "of b"} {
		if err := f.SetLimitation("x", &isolator.Limitation{Cause: isolator.CauseOther, Message: m}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := s.Explain(t.Context(), "x")
	if l == nil || l.Message != "of a" || !errors.Is(err, errBroken) {
		t.Errorf("Explain: got %v, %v, want the verdict of a and %v", l, err, errBroken)
	}
}

func TestSetUpdateStopsAtTheFirstRefusal(t *testing.T) {
	a, b := failing("a", "Update"), isolatortest.NewFake("b")
	s := newSet(t, a, b)
	if err := s.Update(t.Context(), isolatortest.Container("x")); !errors.Is(err, errBroken) {
		t.Errorf("Update: got %v, want %v", err, errBroken)
	}
	if calls := b.Calls(); len(calls) != 0 {
		t.Errorf("b was called: %q", calls)
	}
}

func TestSetRecoverMergesOrphans(t *testing.T) {
	ctx := t.Context()
	a, b := isolatortest.NewFake("a"), isolatortest.NewFake("b")
	for _, p := range []struct {
		f  *isolatortest.Fake
		id isolator.ID
	}{{a, "z"}, {a, "k"}, {b, "z"}, {b, "c"}} {
		if err := p.f.Prepare(ctx, isolatortest.Container(p.id), isolatortest.Spec()); err != nil {
			t.Fatal(err)
		}
	}
	s := newSet(t, failing("broken", "Recover"), a, b)
	got, err := s.Recover(ctx, []isolator.Container{isolatortest.Container("k")})
	if !errors.Is(err, errBroken) {
		t.Errorf("Recover: got %v, want %v", err, errBroken)
	}
	if d := cmp.Diff([]isolator.ID{"c", "z"}, got); d != "" {
		t.Errorf("orphans (-want +got):\n%s", d)
	}
}
