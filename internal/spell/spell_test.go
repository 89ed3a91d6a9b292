package spell_test

import (
	"testing"

	"mezzo/internal/spell"
)

func TestClosest(t *testing.T) {
	known := []string{"web", "work_dir", "isolation", "ip", "名前"}
	for typed, want := range map[string]string{
		"wbe": "web", "we": "web", "webb": "web", "web": "web", "bew": "", "x": "", "": "",
		"work-dir": "work_dir", "workdir": "work_dir", "WORK_DIR": "", "isolaton": "isolation", "ipp": "ip", "名": "名前",
	} {
		if got := spell.Closest(typed, known); got != want {
			t.Errorf("Closest(%q) = %q, want %q", typed, got, want)
		}
	}
	if got := spell.Closest("web", nil); got != "" {
		t.Errorf("Closest to nothing: %q", got)
	}
	if got := spell.Closest("ac", []string{"ab", "aa"}); got != "ab" {
		t.Errorf("of two equally near: %q", got)
	}
}
