// Command table reads what `go test -bench` prints and prints it as a table for
// people, times in units that can be compared at a glance. With -markdown it is
// one for docs/performance.md.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one benchmark and what was measured, by unit.
type row struct {
	name   string
	values map[string]float64
}

func main() {
	markdown := flag.Bool("markdown", false, "print a Markdown table")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// run prints a table for each package, and passes on at once what is not a
// benchmark: failures, and what machine it is.
func run(in io.Reader, out io.Writer, markdown bool) error {
	var rows []row
	failed := false
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if r, ok := parse(line); ok {
			rows = append(rows, r)
			fmt.Fprintf(os.Stderr, "  %s\n", r.name)
			continue
		}
		failed = failed || strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "--- FAIL")
		switch {
		case strings.HasPrefix(line, "ok ") || line == "PASS":
			print(out, rows, markdown)
			rows = nil
		case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "Benchmark"):
			fmt.Fprintln(out, line)
		}
	}
	print(out, rows, markdown)
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read benchmarks: %w", err)
	}
	if failed {
		return fmt.Errorf("a benchmark failed")
	}
	return nil
}

var processors = regexp.MustCompile(`-\d+$`)

// parse reads "BenchmarkX-2  10  123 ns/op  45 B/op".
func parse(line string) (row, bool) {
	f := strings.Fields(line)
	if len(f) < 4 || len(f)%2 != 0 || !strings.HasPrefix(f[0], "Benchmark") {
		return row{}, false
	}
	r := row{processors.ReplaceAllString(strings.TrimPrefix(f[0], "Benchmark"), ""), map[string]float64{}}
	for i := 2; i < len(f); i += 2 {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			return row{}, false
		}
		r.values[f[i+1]] = v
	}
	return r, true
}

func print(out io.Writer, rows []row, markdown bool) {
	if len(rows) == 0 {
		return
	}
	var units []string
	for _, r := range rows {
		for u := range r.values {
			if !slices.Contains(units, u) {
				units = append(units, u)
			}
		}
	}
	slices.SortFunc(units, func(a, b string) int {
		return 2*strings.Compare(rank(a), rank(b)) + strings.Compare(a, b)
	})
	head := []string{"benchmark"}
	for _, u := range units {
		head = append(head, strings.NewReplacer("ns/", "time/").Replace(u))
	}
	table := [][]string{head}
	for _, r := range rows {
		cells := []string{r.name}
		for _, u := range units {
			v, ok := r.values[u]
			switch {
			case !ok:
				cells = append(cells, "")
			case strings.HasPrefix(u, "ns/"):
				cells = append(cells, duration(v))
			default:
				cells = append(cells, number(v))
			}
		}
		table = append(table, cells)
	}
	if markdown {
		for i, cells := range table {
			fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
			if i == 0 {
				fmt.Fprintf(out, "|---|%s\n", strings.Repeat("---:|", len(cells)-1))
			}
		}
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, cells := range table {
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush()
}

// rank puts the time of an operation first and memory last.
func rank(unit string) string {
	switch {
	case unit == "ns/op":
		return "0"
	case strings.HasPrefix(unit, "ns/"):
		return "1"
	case unit == "B/op" || unit == "allocs/op":
		return "3"
	default:
		return "2"
	}
}

// duration has three digits.
func duration(ns float64) string {
	d := time.Duration(ns)
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return strconv.FormatFloat(ns/float64(unit), 'g', 3, 64) + " " + map[time.Duration]string{time.Second: "s", time.Millisecond: "ms", time.Microsecond: "µs"}[unit]
		}
	}
	return strconv.FormatFloat(ns, 'g', 3, 64) + " ns"
}

// number groups the digits of what is large, and keeps three of what is small.
func number(v float64) string {
	if v < 1000 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatInt(int64(v+0.5), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
