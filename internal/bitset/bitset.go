// Package bitset has sets of small integers, one bit each.
package bitset

import (
	"math/bits"
	"slices"
)

// Set is a set of integers from 0. The zero value is empty.
type Set []uint64

// Has tells whether i is in s.
func (s Set) Has(i int32) bool { return int(i/64) < len(s) && s[i/64]&(1<<(i%64)) != 0 }

// Add puts i into s.
func (s *Set) Add(i int32) {
	for int(i/64) >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[i/64] |= 1 << (i % 64)
}

// Remove takes i out of s.
func (s Set) Remove(i int32) {
	if int(i/64) < len(s) {
		s[i/64] &^= 1 << (i % 64)
	}
}

// RemoveAll takes what is in o out of s.
func (s Set) RemoveAll(o Set) {
	for i := range min(len(s), len(o)) {
		s[i] &^= o[i]
	}
}

// IsEmpty tells whether there is nothing in s.
func (s Set) IsEmpty() bool {
	return !slices.ContainsFunc(s, func(w uint64) bool { return w != 0 })
}

// Len is the number of integers in s.
func (s Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}
