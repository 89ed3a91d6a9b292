package containerizer

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"mezzo/internal/errs"
)

func TestExecOnFake(t *testing.T) {
	c, e := newFake(t)
	if _, err := c.Launch(t.Context(), fakeSpec(t, "c1")); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		spec ExecSpec
		want string // in what the process sees; or
		err  error
	}{
		{spec: ExecSpec{Value: "echo", Args: []string{"echo", "a"}, Env: []string{"PATH=/x", "A=b"}, WorkingDir: "/srv/"}, want: "[echo a] /srv [PATH=/x"},
		{spec: ExecSpec{Shell: true, Value: "echo a"}, want: "[/bin/sh -c echo a]"},
		{spec: ExecSpec{}, err: errs.Invalid},
		{spec: ExecSpec{Value: "a\x00"}, err: errs.Invalid},
		{spec: ExecSpec{Value: "a", Env: []string{"x"}}, err: errs.Invalid},
		{spec: ExecSpec{Value: "a", WorkingDir: "/proc/self/fd/8"}, err: errs.Invalid},
		{spec: ExecSpec{Value: "a", TTY: &Window{Rows: 24}}, err: errs.Invalid},
		{spec: ExecSpec{Value: "a", TTY: &Window{Columns: 80}}, err: errs.Invalid},
		{spec: ExecSpec{Value: strings.Repeat("x", maxWord+1)}, err: errs.Invalid},
	} {
		var out bytes.Buffer
		x, err := c.Exec(t.Context(), "c1", row.spec, Streams{Stdout: &out})
		if !errors.Is(err, row.err) || !strings.Contains(out.String(), row.want) {
			t.Errorf("%+v: %v, %q", row.spec, err, &out)
		}
		if err != nil {
			continue
		}
		if code, unknown, err := x.Wait(t.Context()); code != 3 || unknown || err != nil {
			t.Errorf("end %d, %v, %v", code, unknown, err)
		}
		if err := x.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Exec(t.Context(), "none", ExecSpec{Value: "a"}, Streams{}); !errors.Is(err, errs.NotFound) {
		t.Errorf("no container: %v", err)
	}
	var all []Process
	for range maxExecs {
		x, err := c.Exec(t.Context(), "c1", ExecSpec{Value: "a"}, Streams{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	if _, err := c.Exec(t.Context(), "c1", ExecSpec{Value: "a"}, Streams{}); !errors.Is(err, errs.Exhausted) {
		t.Errorf("one too many: %v", err)
	}
	for range 2 { // Close is repeatable
		for _, x := range all {
			if err := x.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(c.execs.byID) != 0 {
		t.Errorf("left: %v", c.execs.byID)
	}
	e.made["c1"].state = stopped
	if _, err := c.Exec(t.Context(), "c1", ExecSpec{Value: "a"}, Streams{}); !errors.Is(err, errs.Conflict) {
		t.Errorf("an ended container: %v", err)
	}
}
