package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mezzo/internal/errs"
)

// load reads a directory, changes nothing in it, and returns the files that are
// no segments. The segments' are open then, also after an error.
func (m *image) load(dir FS, write bool, visit func(Item) error) (others []FileInfo, err error) {
	files, err := dir.List()
	if err != nil {
		return nil, err
	}
	var found []FileInfo
	for _, f := range files {
		if stem, ok := strings.CutSuffix(f.Name, segmentSuffix); ok && len(stem) == 16 {
			found = append(found, f)
		} else if strings.HasSuffix(f.Name, spareSuffix) {
			others = append(others, f)
		}
	}
	m.state = map[uint8]Record{}
	var data []byte
	for i, f := range found {
		if f.Size > maxSegment {
			return nil, fmt.Errorf("segment %q has %d bytes, more than any: %w", f.Name, f.Size, errs.Corrupt)
		}
		data = slices.Grow(data[:0], int(f.Size))[:f.Size]
		if err := m.add(dir, f, i == len(found)-1, write, data, visit); err != nil {
			return nil, fmt.Errorf("read segment %q: %w", f.Name, err)
		}
	}
	if len(m.segments) > 0 && m.segments[0].Sequence > m.first {
		return nil, fmt.Errorf("segment %q is missing: %w", segmentName(m.first), errs.Corrupt)
	}
	m.drop(m.begin)
	return others, nil
}

// add reads the next segment into data.
func (m *image) add(dir FS, f FileInfo, last, write bool, data []byte, visit func(Item) error) error {
	s := &segment{}
	var err error
	if s.file, err = dir.Open(f.Name, write); err != nil {
		return err
	}
	before := s
	if n := len(m.segments); n > 0 {
		before = m.segments[n-1]
	}
	m.segments = append(m.segments, s)
	if _, err := io.ReadFull(io.NewSectionReader(s.file, 0, f.Size), data); err != nil {
		return err
	}
	if s.header, err = parseHeader(data, f.Size); err != nil {
		return err
	}
	switch name := segmentName(s.Sequence); {
	case name != f.Name:
		return fmt.Errorf("header says it is %q: %w", name, errs.Corrupt)
	case before == s:
	case s.Sequence != before.Sequence+1:
		return fmt.Errorf("segment %q before it is missing: %w", segmentName(s.Sequence-1), errs.Corrupt)
	case s.Ensemble != before.Ensemble || s.Member != before.Member || s.Salt != before.Salt:
		return fmt.Errorf("it belongs to member %v of ensemble %v, salt %x, the one before to %v of %v, salt %x: %w", s.Member, s.Ensemble, s.Salt, before.Member, before.Ensemble, before.Salt, errs.Corrupt)
	}
	s.found, err = scan(data, s.header, func(offset int64, r record) error {
		m.apply(s, offset, r.Record)
		return visit(Item{f.Name, offset, ownNames[r.Kind], r.Record})
	})
	switch {
	case err != nil:
		return err
	case s.found.broken:
		return fmt.Errorf("record at offset %d is damaged though it was durable: %w", s.found.end, errs.Corrupt)
	case before != s && !before.found.sealed && !(last && s.found.end == s.Base):
		// Nothing is appended to a segment before the one before is sealed.
		return fmt.Errorf("segment before it ends without a seal at offset %d: %w", before.found.end, errs.Corrupt)
	case last && s.found.sealed:
		return fmt.Errorf("segment %q after it is missing: %w", segmentName(s.Sequence+1), errs.Corrupt)
	}
	return nil
}

func (m *image) apply(s *segment, offset int64, r Record) {
	switch {
	case isEntry(r.Kind):
		m.enter(s.place(offset, r))
	case isState(r.Kind):
		r.Payload = bytes.Clone(r.Payload)
		m.state[r.Kind] = r
	case r.Kind == kindBegin, r.Kind == kindSeal:
		m.begin, m.first = max(m.begin, r.Position), max(m.first, r.Ballot)
	}
}

func (m *image) report() *Report {
	r := &Report{Begin: m.begin, Positions: len(m.index), State: maps.Clone(m.state)}
	if n := len(m.index); n > 0 {
		r.First, r.Last = m.index[0].Position, m.index[n-1].Position
	}
	for _, s := range m.segments {
		r.Ensemble, r.Member = s.Ensemble, s.Member
		name := segmentName(s.Sequence)
		r.Segments = append(r.Segments, SegmentReport{name, s.found.records, s.live, s.found.end, s.Size, s.found.sealed})
		if s.found.torn > s.found.end {
			r.Torn = &Torn{name, s.found.end, s.found.torn - s.found.end}
		}
	}
	return r
}

// Verify reads the log in a directory and changes nothing. The directory should
// be at rest: of one in use, a segment may be reused meanwhile.
//
// Errors: errs.Corrupt names file and offset; errs.NotFound if there is no log.
func Verify(dir FS) (*Report, error) { return Dump(dir, func(Item) error { return nil }) }

// Dump is Verify, and visits each record in the order of writing. The payload
// is the visitor's until it returns.
func Dump(dir FS, visit func(Item) error) (*Report, error) {
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
