// Package ratio compares fractions exactly, without floats.
package ratio

import (
	"cmp"
	"math/bits"
)

// Ratio is the fraction Num/Den. The zero value is 0.
//
// Invariant: Den is 0 only if Num is.
type Ratio struct{ Num, Den uint64 }

// Compare orders r and o.
func (r Ratio) Compare(o Ratio) int {
	if r.Num == 0 || o.Num == 0 {
		return cmp.Compare(r.Num, o.Num)
	}
	hi1, lo1 := bits.Mul64(r.Num, o.Den)
	hi2, lo2 := bits.Mul64(o.Num, r.Den)
	return cmp.Or(cmp.Compare(hi1, hi2), cmp.Compare(lo1, lo2))
}

// CompareWeighted orders r/w and o/v. Weights are above 0.
func (r Ratio) CompareWeighted(w uint32, o Ratio, v uint32) int {
	if w == v || r.Num == 0 || o.Num == 0 {
		return r.Compare(o)
	}
	a := mul192(r.Num, o.Den, uint64(v))
	b := mul192(o.Num, r.Den, uint64(w))
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]), cmp.Compare(a[2], b[2]))
}

// mul192 is x·y·z, the most significant word first.
func mul192(x, y, z uint64) [3]uint64 {
	hi, lo := bits.Mul64(x, y)
	carry, low := bits.Mul64(lo, z)
	top, mid := bits.Mul64(hi, z)
	mid, c := bits.Add64(mid, carry, 0)
	return [3]uint64{top + c, mid, low}
}
