package master

// Goal: what is small and alone in this package. Method: tables.

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mezzo/internal/errs"
	"mezzo/master/core"
)

func TestTiming(t *testing.T) {
	var of timing
	if r := of.read(); r.percentile(0.5) != 0 || r.total != 0 {
		t.Errorf("an empty timing has %v", r)
	}
	for n := range 2 * timingWindow {
		of.add(time.Duration(n) * time.Millisecond)
	}
	r := of.read()
	for part, want := range map[float64]int{0: timingWindow, 1: 2*timingWindow - 1, 0.5: 1500, 0.99: 1989} {
		if got := r.percentile(part); got != time.Duration(want)*time.Millisecond {
			t.Errorf("part %v is %v, want %d ms", part, got, want)
		}
	}
	if r.total != 2*timingWindow || r.last != (2*timingWindow-1)*time.Millisecond {
		t.Errorf("%d runs, the last %v", r.total, r.last)
	}
}

func TestWhitelist(t *testing.T) {
	w := &whitelist{path: filepath.Join(t.TempDir(), "hosts")}
	if _, changed, err := w.look(); changed || !errors.Is(err, errs.Invalid) {
		t.Errorf("no file: %t %v", changed, err)
	}
	for _, step := range []struct {
		content string
		changed bool
		hosts   []string
	}{
		{"b\n\n a \n", true, []string{"a", "b"}},
		{"a\nb", false, nil},
		{"", true, nil},
		{"", false, nil},
		{"a\n", true, []string{"a"}},
	} {
		if err := os.WriteFile(w.path, []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		ev, changed, err := w.look()
		if err != nil || changed != step.changed || ev.All || !slices.Equal(ev.Hosts, step.hosts) {
			t.Errorf("%q: %v %t %v", step.content, ev, changed, err)
		}
	}
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	if _, changed, err := w.look(); changed || err == nil || len(w.hosts) != 1 {
		t.Errorf("the file is gone: %t %v, %v", changed, err, w.hosts)
	}
}

func TestParseWeights(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a=2": "a=2", " b=0.5,a/b=2.001": "a/b=2.001,b=0.5", "a=1": "a=1",
	} {
		got, err := ParseWeights(text)
		if err != nil || FormatWeights(got) != want {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"a", "a=", "a=x", "a=0", "a=-1", "a=NaN", "a=1e12", "a=1,a=2", "/a=1", "=1", ","} {
		if got, err := ParseWeights(text); !errors.Is(err, errs.Invalid) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	if core.WeightUnit.Float() != 1 {
		t.Error("the unit is not 1")
	}
}
