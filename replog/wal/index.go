package wal

import (
	"cmp"
	"errors"
	"slices"
)

// Meta is what the log knows of a record without reading the disk.
type Meta struct {
	Position, Ballot uint64
	Length           uint32 // of the payload
	Kind             uint8
}

// slot is where the record of a position is.
type slot struct {
	Meta
	segment uint32 // low half of the sequence: live ones never span more
	block   uint32 // offset / alignBytes
}

// index is the slots by position. Positions come nearly in order: one that comes
// late moves those above it, 32 bytes each.
type index []slot

// find gives the place of the first slot from a position on, and whether it is
// the position's.
func (x index) find(position uint64) (int, bool) {
	if n := len(x); n == 0 || x[n-1].Position < position {
		return n, false
	}
	return slices.BinarySearchFunc(x, position, func(s slot, p uint64) int { return cmp.Compare(s.Position, p) })
}

// image is what a log holds, as its segments tell.
type image struct {
	segments []*segment // the last is appended to
	index    index
	begin    uint64
	first    uint64 // sequence of the first segment that is not given up
	state    map[uint8]Record
}

func (m *image) at(s slot) *segment { return m.segments[s.segment-uint32(m.segments[0].Sequence)] }

// enter indexes a record in place of an older one of the position.
func (m *image) enter(s slot) {
	i, had := m.index.find(s.Position)
	if had {
		m.at(m.index[i]).live--
		m.index[i] = s
	} else {
		m.index = slices.Insert(m.index, i, s)
	}
	m.at(s).live++
}

// drop forgets the positions below the given one.
func (m *image) drop(below uint64) {
	m.begin = max(m.begin, below)
	n, _ := m.index.find(m.begin)
	for _, s := range m.index[:n] {
		m.at(s).live--
	}
	m.index = m.index[n:]
}

func (m *image) close() error {
	var all []error
	for _, s := range m.segments {
		s.gone.Store(true)
		all = append(all, s.file.Close())
	}
	return errors.Join(all...)
}
