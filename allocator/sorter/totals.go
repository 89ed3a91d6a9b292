package sorter

import (
	"slices"

	"mezzo/resources"
)

// Totals is how much there is in all, what shares are taken of. Many sorters
// look at the same one.
type Totals struct {
	excluded []string
	names    []string // position is the dimension of a resource
	amounts  []resources.Scalar
	version  uint64 // of amounts
}

// NewTotals is nothing of everything. Resources named in excluded play no
// part in shares.
func NewTotals(excluded ...string) *Totals {
	return &Totals{excluded: slices.Clone(excluded)}
}

// Add counts q in.
//
// Preconditions: no sum exceeds the range of Scalar.
func (t *Totals) Add(q resources.Quantities) {
	for _, v := range q {
		if d := t.dimension(v.Name); d >= 0 {
			t.amounts[d] += v.Amount
			t.version++
		}
	}
}

// Sub counts q, once added, out again.
func (t *Totals) Sub(q resources.Quantities) {
	for _, v := range q {
		if d := t.dimension(v.Name); d >= 0 {
			t.amounts[d] -= v.Amount
			t.version++
		}
	}
}

// dimension is the position of name; -1 if it is excluded.
func (t *Totals) dimension(name string) int {
	if d := slices.Index(t.names, name); d >= 0 {
		return d
	}
	if slices.Contains(t.excluded, name) {
		return -1
	}
	t.names = append(t.names, name)
	t.amounts = append(t.amounts, 0)
	return len(t.names) - 1
}
