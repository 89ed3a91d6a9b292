package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	pass := `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	skip := `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: no kernel for it\n"}
{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"
	fail := `{"Action":"output","Package":"p","Test":"TestC","Output":"    got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestC"}` + "\n"
	broken := `{"Action":"output","Package":"q","Output":"panic: boom\n"}
{"Action":"fail","Package":"q"}` + "\n"
	for _, tc := range []struct {
		name, in string
		expected []string
		want     []string // parts of the output
		err      string
	}{
		{"passes", pass, nil, []string{"1 passed, 0 failed, 0 skipped"}, ""},
		{"nothing ran", "", nil, nil, "no test ran"},
		{"expected skip", pass + skip, []string{"p.TestB"}, []string{"SKIP p.TestB: b_test.go:3: no kernel for it"}, ""},
		{"unexpected skip", pass + skip, nil, []string{"not expected"}, "1 tests were skipped"},
		{"failure shows its output", pass + fail, nil, []string{"FAIL p.TestC", "got 1, want 2", "1 passed, 1 failed"}, "1 failed"},
		{"package that died", pass + broken, nil, []string{"panic: boom"}, "1 failed"},
		{"words of the go command", "go: no such module\n", nil, []string{"go: no such module"}, "no test ran"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expected := map[string]bool{}
			for _, e := range tc.expected {
				expected[e] = true
			}
			var out strings.Builder
			err := report(strings.NewReader(tc.in), &out, expected)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("report: %v, want %q", err, tc.err)
			}
			for _, w := range tc.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("output lacks %q:\n%s", w, out.String())
				}
			}
		})
	}
}
