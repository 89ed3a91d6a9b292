package wal

import (
	"slices"
	"sort"
)

// slot is where the record of a position is, in 24 bytes. A zero kind is a hole.
type slot struct {
	ballot  uint64
	segment uint32 // low half of the sequence: live ones never span more
	block   uint32 // offset / alignBytes
	length  uint32
	kind    uint8
}

const chunkSlots = 256

// chunk is the slots from base, a multiple of chunkSlots, on.
type chunk struct {
	base  uint64
	slots [chunkSlots]slot
}

// index finds the record of a position. Positions are dense but for holes;
// should they not be, each costs a chunk, never the distance.
type index struct {
	chunks []*chunk // by base
	count  int
}

// find gives the place of the first chunk that has or is behind the position.
func (x *index) find(position uint64) int {
	base := position - position%chunkSlots
	n := len(x.chunks)
	if n > 0 && x.chunks[n-1].base == base {
		return n - 1
	}
	return sort.Search(n, func(i int) bool { return x.chunks[i].base >= base })
}

func (x *index) get(position uint64) (slot, bool) {
	p, s, ok := x.next(position)
	return s, ok && p == position
}

// put returns the slot that it replaces, if there was one.
func (x *index) put(position uint64, s slot) (old slot, had bool) {
	base := position - position%chunkSlots
	i := x.find(position)
	if i == len(x.chunks) || x.chunks[i].base != base {
		x.chunks = slices.Insert(x.chunks, i, &chunk{base: base})
	}
	at := &x.chunks[i].slots[position-base]
	old, *at = *at, s
	if old.kind == 0 {
		x.count++
	}
	return old, old.kind != 0
}

// next is the first position from the given one on that has a record.
func (x *index) next(position uint64) (uint64, slot, bool) {
	for _, c := range x.chunks[x.find(position):] {
		start := uint64(0)
		if c.base < position {
			start = position - c.base
		}
		for i := start; i < chunkSlots; i++ {
			if c.slots[i].kind != 0 {
				return c.base + i, c.slots[i], true
			}
		}
	}
	return 0, slot{}, false
}

// last is the highest position, 0 if there is none.
func (x *index) last() uint64 {
	for _, c := range slices.Backward(x.chunks) {
		for i := chunkSlots - 1; i >= 0; i-- {
			if c.slots[i].kind != 0 {
				return c.base + uint64(i)
			}
		}
	}
	return 0
}

// drop forgets the positions below the given one, and tells of each.
func (x *index) drop(below uint64, forgotten func(slot)) {
	full := 0
	for _, c := range x.chunks {
		if c.base >= below {
			break
		}
		n := min(below-c.base, chunkSlots)
		for i := range c.slots[:n] {
			if c.slots[i].kind != 0 {
				forgotten(c.slots[i])
				c.slots[i] = slot{}
				x.count--
			}
		}
		if n == chunkSlots {
			full++
		}
	}
	x.chunks = slices.Delete(x.chunks, 0, full)
}
