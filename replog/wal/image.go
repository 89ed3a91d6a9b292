package wal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mezzo/internal/errs"
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

// image is what a log holds, as its segments tell.
type image struct {
	segments []*segment // the last is appended to
	index    []slot     // by position: one that comes late moves 32 bytes of each above it
	begin    uint64
	first    uint64 // sequence of the first segment that is not given up
	state    map[uint8]Record
}

// find gives the place of the first slot from a position on, and whether it is its.
func (m *image) find(position uint64) (int, bool) {
	if n := len(m.index); n == 0 || m.index[n-1].Position < position {
		return n, false
	}
	return slices.BinarySearchFunc(m.index, position, func(s slot, p uint64) int { return cmp.Compare(s.Position, p) })
}

func (m *image) at(s slot) *segment { return m.segments[s.segment-uint32(m.segments[0].Sequence)] }

// enter indexes a record in place of an older one of the position.
func (m *image) enter(s slot) {
	i, had := m.find(s.Position)
	if had {
		m.at(m.index[i]).Live--
		m.index[i] = s
	} else {
		m.index = slices.Insert(m.index, i, s)
	}
	m.at(s).Live++
}

// keep takes a copy of a state.
func (m *image) keep(r Record) {
	r.Payload = bytes.Clone(r.Payload)
	m.state[r.Kind] = r
}

// drop forgets the positions below the given one.
func (m *image) drop(below uint64) {
	m.begin = max(m.begin, below)
	n, _ := m.find(m.begin)
	for _, s := range m.index[:n] {
		m.at(s).Live--
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

// load reads a directory, changes nothing in it, and returns what it lists. The
// image has to be closed, also after an error.
func (m *image) load(dir FS, write bool, visit func(Item)) (files map[string]int64, err error) {
	if files, err = dir.List(); err != nil {
		return nil, err
	}
	m.state = map[uint8]Record{}
	var data []byte
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, segmentSuffix) {
			continue
		}
		file, err := dir.Open(name, write)
		if err == nil {
			m.segments = append(m.segments, &segment{file: file})
			size := min(files[name], maxSegment) // more is damage
			data = slices.Grow(data[:0], int(size))[:size]
			err = m.read(name, data, visit)
		}
		if err != nil {
			return nil, fmt.Errorf("read segment %q: %w", name, err)
		}
	}
	m.drop(m.begin)
	n := len(m.segments)
	switch i := slices.IndexFunc(m.segments, func(s *segment) bool { return !s.Sealed }); {
	case n == 0:
	case m.segments[0].Sequence > m.first:
		err = missing(m.first)
	case i < 0:
		err = missing(m.segments[n-1].Sequence + 1)
	// Nothing is appended to a segment before the one before is sealed.
	case i < n-2, i == n-2 && m.segments[n-1].End > m.segments[n-1].Base:
		err = fmt.Errorf("segment %q ends without a seal at offset %d: %w", m.segments[i].File, m.segments[i].End, errs.Corrupt)
	}
	return files, err
}

// read takes over the last segment, through a buffer of its size.
func (m *image) read(name string, data []byte, visit func(Item)) (err error) {
	n := len(m.segments)
	s := m.segments[n-1]
	if _, err := io.ReadFull(io.NewSectionReader(s.file, 0, int64(len(data))), data); err != nil {
		return err
	}
	if s.header, err = parseHeader(data); err != nil {
		return err
	}
	before := m.segments[max(0, n-2)] // or s, if it is the first
	switch has := segmentName(s.Sequence); {
	case has != name:
		return fmt.Errorf("header says it is %q: %w", has, errs.Corrupt)
	case before != s && s.Sequence != before.Sequence+1:
		return missing(before.Sequence + 1)
	case s.Ensemble != before.Ensemble || s.Member != before.Member || s.Salt != before.Salt:
		return fmt.Errorf("it belongs to member %v of ensemble %v, salt %x, the one before to %v of %v, salt %x: %w", s.Member, s.Ensemble, s.Salt, before.Member, before.Ensemble, before.Salt, errs.Corrupt)
	}
	return s.scan(data, func(offset int64, r record) {
		switch {
		case isEntry(r.Kind):
			m.enter(s.place(offset, r.Record))
		case isState(r.Kind):
			m.keep(r.Record)
		case r.Kind == kindBegin:
			m.begin, m.first = max(m.begin, r.Position), max(m.first, r.Ballot)
		}
		visit(Item{name, offset, ownNames[r.Kind], r.Record})
	})
}

func missing(sequence uint64) error {
	return fmt.Errorf("segment %q is missing: %w", segmentName(sequence), errs.Corrupt)
}

// Report is what was found in a directory.
type Report struct {
	Ensemble, Member ID
	Begin            uint64 // positions below are truncated
	First, Last      uint64 // positions held; both 0 if there is none
	Positions        int
	State            map[uint8]Record // the last of each kind of state
	Segments         []SegmentReport
}

// SegmentReport is one file.
type SegmentReport struct {
	File    string
	Records int
	Live    int   // positions whose record is here
	End     int64 // of the last record
	Torn    int64 // bytes behind it of records never acknowledged: Open cuts them
	Size    int64
	Sealed  bool
}

// Item is a record as it lies on the disk, superseded or not.
type Item struct {
	File   string
	Offset int64
	Name   string // of the log's own records: begin or seal
	Record
}

func (m *image) report() *Report {
	r := &Report{Begin: m.begin, Positions: len(m.index), State: maps.Clone(m.state)}
	if n := len(m.index); n > 0 {
		r.First, r.Last = m.index[0].Position, m.index[n-1].Position
	}
	for _, s := range m.segments {
		r.Ensemble, r.Member = s.Ensemble, s.Member
		r.Segments = append(r.Segments, s.SegmentReport)
	}
	return r
}

// Verify reads the log in a directory and changes nothing. The directory should
// be at rest: of one in use, a segment may be reused meanwhile.
//
// Errors: errs.Corrupt names file and offset; errs.NotFound if there is no log.
func Verify(dir FS) (*Report, error) { return Dump(dir, func(Item) {}) }

// Dump is Verify, and visits each record in the order of writing. The payload
// is the visitor's until it returns.
func Dump(dir FS, visit func(Item)) (*Report, error) {
	var m image
	_, err := m.load(dir, false, visit)
	if err == nil && len(m.segments) == 0 {
		err = errNone
	}
	if err = errors.Join(err, m.close()); err != nil {
		return nil, err
	}
	return m.report(), nil
}
