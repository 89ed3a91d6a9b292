// Package compat holds docs/compat.md against the code and the binary: every call,
// event, operation, path and flag of Mesos has a row, and no row lies.
package compat

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed notes.txt
var notesText string

// note is what there is to say of some names.
type note struct {
	section, state, why string
	names               []string
}

// states in the order in which they are shown.
var states = []string{"done", "differs", "ours", "not yet", "never"}

// readNotes reads notes.txt.
func readNotes(text string) (notes []note, err error) {
	seen := map[string]bool{}
	for number, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		if len(parts) != 4 || !slices.Contains(states, parts[2]) || parts[3] == "" {
			return nil, fmt.Errorf("line %d: want SECTION | NAMES | STATE | WHY", number+1)
		}
		n := note{section: parts[0], names: strings.Fields(parts[1]), state: parts[2], why: parts[3]}
		for _, name := range n.names {
			if key := n.section + " " + name; seen[key] {
				return nil, fmt.Errorf("line %d: %s has two notes", number+1, key)
			} else {
				seen[key] = true
			}
		}
		notes = append(notes, n)
	}
	return notes, nil
}

// find is the note of a name; nil if it is simply done.
func find(notes []note, section, name string) *note {
	for i := range notes {
		if notes[i].section != section {
			continue
		}
		for _, pattern := range notes[i].names {
			if matches(pattern, name) {
				return &notes[i]
			}
		}
	}
	return nil
}

// matches knows stars that stand for anything.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	rest := name[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// section is a part of the table.
type section struct {
	key, title, before string
	names              []string // there are, in order
}

// render writes a section: names of which the same is to be said share a row.
func render(s section, notes []note) string {
	type row struct {
		state, why string
		names      []string
	}
	var rows []*row
	add := func(state, why, name string) {
		for _, r := range rows {
			if r.state == state && r.why == why {
				r.names = append(r.names, name)
				return
			}
		}
		rows = append(rows, &row{state, why, []string{name}})
	}
	known := map[string]bool{}
	for _, name := range s.names {
		known[name] = true
		if n := find(notes, s.key, name); n != nil {
			add(n.state, n.why, name)
		} else {
			add("done", "", name)
		}
	}
	for _, n := range notes { // what is not there, and why
		for _, name := range n.names {
			if n.section == s.key && !known[name] {
				add(n.state, n.why, name)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(slices.Index(states, a.state), slices.Index(states, b.state)), cmp.Compare(a.why, b.why))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", s.title)
	if s.before != "" {
		fmt.Fprintf(&b, "%s\n\n", s.before)
	}
	b.WriteString("| | state | |\n|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(r.names, ", "), r.state, r.why)
	}
	b.WriteString("\n")
	return b.String()
}
