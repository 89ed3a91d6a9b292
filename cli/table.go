package cli

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// table writes rows in columns that are aligned on a terminal, whatever letters
// are in them.
type table struct {
	w    io.Writer
	rows [][]string
}

func newTable(w io.Writer, columns ...string) *table {
	t := &table{w: w}
	t.row(columns...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		if cells[i] = oneLine(c); cells[i] == "" {
			cells[i] = "-"
		}
	}
	t.rows = append(t.rows, cells)
}

func (t *table) flush() error {
	var widths []int
	for _, cells := range t.rows {
		widths = slices.Concat(widths, make([]int, max(0, len(cells)-len(widths))))
		for i, c := range cells {
			widths[i] = max(widths[i], columns(c))
		}
	}
	var b bytes.Buffer
	for _, cells := range t.rows {
		for i, c := range cells {
			b.WriteString(c)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-columns(c)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := b.WriteTo(t.w)
	return err
}

// columns is how much room s takes on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// clip cuts s to what fits into so many columns.
func clip(s string, most int) string {
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > most {
			return s[:i]
		}
	}
	return s
}

// oneLine keeps a table a table and a terminal in order, whatever is in s.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
