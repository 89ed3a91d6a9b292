package resources

import "math"

// Unlimited is the limit of what Trim leaves as it is.
const Unlimited Scalar = math.MaxInt64

// Trim is r with at most limit of each item: of a scalar that amount, of
// ranges that many of the lowest integers. What cannot be split, volumes,
// whole disks and sets, is kept only if all of it is within the limit; of a
// set each word counts as 1.
func (r Resources) Trim(limit func(Resource) Scalar) Resources {
	var out []Resource
	for i := range r.items {
		item := r.items[i]
		most := limit(item)
		fits := item.size() <= most
		switch {
		case fits:
		case most <= 0 || item.whole() || item.kind == KindSet:
			item.scalar, item.many = 0, nil
		case item.kind == KindRanges:
			item.hold(item.ranges().first(uint64(most/scalarUnit)), nil)
		default:
			item.scalar = most
		}
		if out == nil && fits {
			continue
		}
		if out == nil {
			out = append(make([]Resource, 0, len(r.items)), r.items[:i]...)
		}
		if !item.empty() {
			out = append(out, item)
		}
	}
	if out == nil {
		return r
	}
	return Resources{out}
}

// size is the amount of r: of ranges and sets, how many there are.
func (r *Resource) size() Scalar {
	switch r.kind {
	case KindRanges:
		return Scalar(min(r.ranges().Len(), math.MaxInt64/scalarUnit)) * scalarUnit
	case KindSet:
		return Scalar(len(r.set())) * scalarUnit
	default:
		return r.scalar
	}
}

// Size is the amount of r: of ranges and sets, how many there are.
func (r Resource) Size() Scalar { return r.size() }

// Whole tells whether it cannot be split.
func (r Resource) Whole() bool { return r.whole() || r.kind == KindSet }

// Part is how much of r each gets of whom so many are to have some. Amounts of
// more than 1 are cut to whole numbers, so that tasks fit; what is whole or
// shared is not divided.
func (r *Resource) Part(parts int) Scalar {
	size := r.size()
	if parts <= 1 || r.Whole() || r.Shared() {
		return size
	}
	x := size / Scalar(parts)
	switch {
	case r.kind == KindRanges || r.name == "gpus":
		return (x + scalarUnit - 1) / scalarUnit * scalarUnit
	case x > scalarUnit:
		return x / scalarUnit * scalarUnit
	default:
		return x
	}
}

// first is the n lowest integers of rs.
func (rs Ranges) first(n uint64) Ranges {
	var out Ranges
	for _, r := range rs {
		if n == 0 {
			break
		}
		if span := r.End - r.Begin; span >= n {
			r.End = r.Begin + n - 1
		}
		out = append(out, r)
		n -= r.End - r.Begin + 1
	}
	return out
}
