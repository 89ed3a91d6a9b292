package sorter

import (
	"slices"

	"mezzo/internal/ratio"
	"mezzo/resources"
)

// Totals is how much there is in all, what shares are taken of. Many sorters
// look at the same one.
type Totals struct {
	excluded []string
	names    resources.Names
	amounts  resources.Amounts
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
func (t *Totals) Add(q resources.Quantities) { t.count(&t.amounts, q, 1) }

// Sub counts q, once added, out again.
func (t *Totals) Sub(q resources.Quantities) { t.count(&t.amounts, q, -1) }

// count adds q to v, but for what is excluded.
func (t *Totals) count(v *resources.Amounts, q resources.Quantities, sign resources.Scalar) {
	for _, x := range q {
		if len(t.excluded) > 0 && slices.Contains(t.excluded, x.Name) {
			continue
		}
		v.Add(t.names.Of(x.Name), sign*x.Amount)
		if v == &t.amounts {
			t.version++
		}
	}
}

// share is the largest fraction of the totals that is charged.
func (t *Totals) share(charged resources.Amounts) ratio.Ratio {
	_, s := t.dominant(charged)
	return s
}

// dominant is that fraction, and which of the names it is of; -1 if none.
func (t *Totals) dominant(charged resources.Amounts) (int, ratio.Ratio) {
	at, s := -1, ratio.Ratio{}
	for d, used := range charged {
		if total := t.amounts.At(d); used > 0 && total > 0 {
			if o := (ratio.Ratio{Num: uint64(used), Den: uint64(total)}); o.Compare(s) > 0 {
				at, s = d, o
			}
		}
	}
	return at, s
}
