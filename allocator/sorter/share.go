package sorter

import (
	"cmp"
	"math/bits"

	"mezzo/resources"
)

// share is the fraction used/total of the dominant resource. Zero is 0.
//
// Invariant: total is 0 only if used is: what there is nothing of counts for
// nothing.
type share struct{ used, total uint64 }

// dominant is the largest fraction of amounts.
func dominant(charged, totals []resources.Scalar) share {
	var s share
	for d, used := range charged {
		if used > 0 && totals[d] > 0 {
			if o := (share{uint64(used), uint64(totals[d])}); o.compare(s) > 0 {
				s = o
			}
		}
	}
	return s
}

// compare orders fractions exactly.
func (s share) compare(o share) int {
	if s.used == 0 || o.used == 0 {
		return cmp.Compare(s.used, o.used)
	}
	hi1, lo1 := bits.Mul64(s.used, o.total)
	hi2, lo2 := bits.Mul64(o.used, s.total)
	return cmp.Or(cmp.Compare(hi1, hi2), cmp.Compare(lo1, lo2))
}

// compareWeighted orders s/w and o/v exactly.
func (s share) compareWeighted(w uint32, o share, v uint32) int {
	if w == v || s.used == 0 || o.used == 0 {
		return s.compare(o)
	}
	a := mul192(s.used, o.total, uint64(v))
	b := mul192(o.used, s.total, uint64(w))
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
