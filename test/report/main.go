// Command report reads `go test -json` and prints what a person wants: a line a
// package, the whole output of what failed, every skipped test with its reason,
// and a count. It fails when a test failed, when none ran, or when one was
// skipped that the file given with -skips does not expect.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// event is one line of `go test -json` (cmd/test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

func main() {
	skips := flag.String("skips", "", "file with the tests that may be skipped, one \"package.Test\" a line, # starts a comment")
	flag.Parse()
	expected, err := readSkips(*skips)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	if err := report(os.Stdin, os.Stdout, expected); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func readSkips(path string) (map[string]bool, error) {
	expected := map[string]bool{}
	if path == "" {
		return expected, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			expected[line] = true
		}
	}
	return expected, nil
}

type tally struct {
	passed, failed int
	skipped        []string // "package.Test: reason"
	unexpected     int
	broken         []string // packages that failed without a failed test
	output         map[string]*strings.Builder
}

func report(in io.Reader, out io.Writer, expected map[string]bool) error {
	t := tally{output: map[string]*strings.Builder{}}
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(out, "%s", line) // the go command's own words
			} else {
				t.add(out, e, expected)
			}
		}
		if err != nil {
			break
		}
	}
	for _, s := range t.skipped {
		fmt.Fprintln(out, "SKIP", s)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed+len(t.broken), len(t.skipped))
	switch {
	case t.failed+len(t.broken) > 0:
		return fmt.Errorf("%d failed", t.failed+len(t.broken))
	case t.passed == 0:
		return fmt.Errorf("no test ran")
	case t.unexpected > 0:
		return fmt.Errorf("%d tests were skipped that should have run", t.unexpected)
	}
	return nil
}

func (t *tally) add(out io.Writer, e event, expected map[string]bool) {
	key := e.Package + "." + e.Test
	switch e.Action {
	case "output":
		b := t.output[key]
		if b == nil {
			b = &strings.Builder{}
			t.output[key] = b
		}
		b.WriteString(e.Output)
		return
	case "build-output":
		fmt.Fprint(out, e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	text := ""
	if b := t.output[key]; b != nil {
		text = b.String()
		delete(t.output, key)
	}
	if e.Test == "" {
		t.addPackage(out, e, text)
		return
	}
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		fmt.Fprintf(out, "FAIL %s\n%s", key, text)
	case "skip":
		note := ""
		if !expected[key] {
			t.unexpected++
			note = " (not expected)"
		}
		t.skipped = append(t.skipped, key+note+": "+reason(text))
	}
}

func (t *tally) addPackage(out io.Writer, e event, text string) {
	d := time.Duration(e.Elapsed * float64(time.Second)).Round(time.Millisecond)
	switch e.Action {
	case "pass":
		fmt.Fprintf(out, "ok   %-44s %s\n", e.Package, d)
	case "fail":
		if t.failed == 0 {
			t.broken = append(t.broken, e.Package)
		}
		fmt.Fprintf(out, "FAIL %-44s %s\n%s", e.Package, d, text)
	}
}

// reason is what the test said when it skipped: its last line of its own.
func reason(text string) string {
	best := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			best = line
		}
	}
	return best
}
