package resources

import "slices"

// Set is a set of words: ascending, without duplicates.
type Set []string

// NewSet sorts items and drops duplicates.
//
// Ownership: items is not kept.
func NewSet(items ...string) Set {
	s := slices.Clone(items)
	slices.Sort(s)
	return slices.Compact(s)
}

// Union is the items in s or o.
func (s Set) Union(o Set) Set { return NewSet(append(slices.Clone(s), o...)...) }

// Minus is the items in s and not in o.
func (s Set) Minus(o Set) Set {
	return slices.DeleteFunc(slices.Clone(s), o.has)
}

// Contains tells whether every item of o is in s.
func (s Set) Contains(o Set) bool {
	return !slices.ContainsFunc(o, func(item string) bool { return !s.has(item) })
}

func (s Set) has(item string) bool {
	_, found := slices.BinarySearch(s, item)
	return found
}

// String prints "{a, b}", quoting where the text form needs it.
func (s Set) String() string { return string(s.append(nil)) }

func (s Set) append(b []byte) []byte {
	b = append(b, '{')
	for i, item := range s {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendWord(b, item)
	}
	return append(b, '}')
}
