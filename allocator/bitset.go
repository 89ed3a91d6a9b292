package allocator

import (
	"math/bits"
	"slices"
)

// bitset is a set of small integers.
type bitset []uint64

func (b bitset) has(i int32) bool { return int(i/64) < len(b) && b[i/64]&(1<<(i%64)) != 0 }

func (b *bitset) set(i int32) {
	for int(i/64) >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bitset) clear(i int32) { b[i/64] &^= 1 << (i % 64) }

func (b bitset) empty() bool {
	return !slices.ContainsFunc(b, func(w uint64) bool { return w != 0 })
}

func (b bitset) remove(o bitset) {
	for i := range min(len(b), len(o)) {
		b[i] &^= o[i]
	}
}

func (b bitset) count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}
