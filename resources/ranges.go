package resources

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// Range is the integers from Begin to End, both included.
type Range struct{ Begin, End uint64 }

// Ranges is a set of integers: ascending, disjoint, not adjacent ranges.
type Ranges []Range

// NewRanges merges ranges given in any order, overlapping or not. A range
// whose begin is above its end is empty.
//
// Ownership: rs is not kept.
func NewRanges(rs ...Range) Ranges {
	rs = slices.DeleteFunc(slices.Clone(rs), func(r Range) bool { return r.Begin > r.End })
	slices.SortFunc(rs, func(a, b Range) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	var out Ranges
	for _, r := range rs {
		out = out.push(r)
	}
	return out
}

// push appends r, which begins no earlier than any range in rs.
func (rs Ranges) push(r Range) Ranges {
	if n := len(rs); n > 0 {
		last := &rs[n-1]
		if last.End == math.MaxUint64 || r.Begin <= last.End+1 {
			last.End = max(last.End, r.End)
			return rs
		}
	}
	return append(rs, r)
}

// Union is the integers in rs or o.
func (rs Ranges) Union(o Ranges) Ranges {
	out := make(Ranges, 0, len(rs)+len(o))
	for len(rs) > 0 && len(o) > 0 {
		if rs[0].Begin <= o[0].Begin {
			out, rs = out.push(rs[0]), rs[1:]
		} else {
			out, o = out.push(o[0]), o[1:]
		}
	}
	for _, r := range rs {
		out = out.push(r)
	}
	for _, r := range o {
		out = out.push(r)
	}
	return out
}

// Minus is the integers in rs and not in o.
func (rs Ranges) Minus(o Ranges) Ranges {
	var out Ranges
	for _, r := range rs {
		for len(o) > 0 && o[0].End < r.Begin {
			o = o[1:]
		}
		gone := false
		for _, cut := range o {
			if cut.Begin > r.End {
				break
			}
			if cut.Begin > r.Begin {
				out = append(out, Range{r.Begin, cut.Begin - 1})
			}
			if gone = cut.End >= r.End; gone {
				break
			}
			r.Begin = cut.End + 1
		}
		if !gone {
			out = append(out, r)
		}
	}
	return out
}

// Contains tells whether every integer of o is in rs.
func (rs Ranges) Contains(o Ranges) bool {
	for _, want := range o {
		for len(rs) > 0 && rs[0].End < want.Begin {
			rs = rs[1:]
		}
		if len(rs) == 0 || rs[0].Begin > want.Begin || rs[0].End < want.End {
			return false
		}
	}
	return true
}

// Len counts the integers; a count beyond uint64 stays at its end.
func (rs Ranges) Len() uint64 {
	var n uint64
	for _, r := range rs {
		span := r.End - r.Begin
		if span == math.MaxUint64 || n+span+1 < n {
			return math.MaxUint64
		}
		n += span + 1
	}
	return n
}

// String prints "[31000-32000, 40000-40000]".
func (rs Ranges) String() string { return string(rs.append(nil)) }

func (rs Ranges) append(b []byte) []byte {
	b = append(b, '[')
	for i, r := range rs {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendUint(b, r.Begin, 10)
		b = append(b, '-')
		b = strconv.AppendUint(b, r.End, 10)
	}
	return append(b, ']')
}
