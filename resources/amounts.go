package resources

import (
	"slices"
	"strings"
)

// Names gives names of resources small numbers, their dimensions, in the order
// in which they were first asked for.
type Names []string

// Of is the dimension of name.
func (n *Names) Of(name string) int {
	if i := slices.Index(*n, name); i >= 0 {
		return i
	}
	*n = append(*n, name)
	return len(*n) - 1
}

// Amounts is how much there is in each dimension. Beyond its end it is 0.
type Amounts []Scalar

// At is the amount in dimension d.
func (v Amounts) At(d int) Scalar {
	if d < len(v) {
		return v[d]
	}
	return 0
}

// Add counts x in dimension d.
func (v *Amounts) Add(d int, x Scalar) {
	for len(*v) <= d {
		*v = append(*v, 0)
	}
	(*v)[d] += x
}

// IsZero tells whether all amounts are 0.
func (v Amounts) IsZero() bool {
	return !slices.ContainsFunc(v, func(x Scalar) bool { return x != 0 })
}

// Quantities is the amounts above 0 under their names.
func (v Amounts) Quantities(n Names) Quantities {
	out := Quantities{}
	for d, x := range v {
		if x > 0 {
			out = append(out, Quantity{n[d], x})
		}
	}
	slices.SortFunc(out, func(a, b Quantity) int { return strings.Compare(a.Name, b.Name) })
	return out
}
