package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mezzo/internal/errs"
)

// segment is one file of the log.
type segment struct {
	header
	name string
	file File
	live int // positions whose record is here
	refs int // readers
	gone bool
}

const (
	segmentSuffix = ".seg"
	spareSuffix   = ".spare"
	unfinished    = ".tmp"
)

func segmentName(sequence uint64) string { return fmt.Sprintf("%016x%s", sequence, segmentSuffix) }

// image is the log as its directory tells it.
type image struct {
	segments []*segment
	index    index
	state    map[uint8]Record
	begin    uint64
	first    uint64  // sequence of the first segment that is not given up
	before   scanned // of the segment before the last
	tail     scanned // of the last
	torn     *Torn
	reports  []SegmentReport
	others   []FileInfo // spares and what creating one left
}

// load reads a directory and changes nothing in it. Files stay open on success.
func load(dir FS, write bool, visit func(Item) error) (*image, error) {
	files, err := dir.List()
	if err != nil {
		return nil, err
	}
	m := &image{state: map[uint8]Record{}}
	var found []FileInfo
	for _, f := range files {
		if stem, ok := strings.CutSuffix(f.Name, segmentSuffix); ok && len(stem) == 16 {
			found = append(found, f)
		} else if strings.HasSuffix(f.Name, spareSuffix) || strings.HasSuffix(f.Name, unfinished) {
			m.others = append(m.others, f)
		}
	}
	slices.SortFunc(found, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	var buf []byte
	for i, f := range found {
		if err := m.add(dir, f, len(found)-1-i, write, &buf, visit); err != nil {
			return nil, errors.Join(fmt.Errorf("read segment %q: %w", f.Name, err), m.close())
		}
	}
	if len(m.segments) > 0 && m.segments[0].Sequence > m.first {
		return nil, errors.Join(fmt.Errorf("segment %q is missing: %w", segmentName(m.first), errs.Corrupt), m.close())
	}
	m.index.drop(m.begin, func(s slot) { m.at(s).live-- })
	for i, s := range m.segments {
		m.reports[i].Live = s.live
	}
	return m, nil
}

func (m *image) at(s slot) *segment { return m.segments[s.segment-uint32(m.segments[0].Sequence)] }

func (m *image) close() error {
	var all []error
	for _, s := range m.segments {
		all = append(all, s.file.Close())
	}
	return errors.Join(all...)
}

// add reads the next segment, behind which others are still to come.
func (m *image) add(dir FS, f FileInfo, behind int, write bool, buf *[]byte, visit func(Item) error) error {
	file, err := dir.Open(f.Name, write)
	if err != nil {
		return err
	}
	s := &segment{name: f.Name, file: file}
	m.segments = append(m.segments, s)
	if f.Size > 1<<30 {
		return fmt.Errorf("file has %d bytes, more than any segment: %w", f.Size, errs.Corrupt)
	}
	data := slices.Grow((*buf)[:0], int(f.Size))[:f.Size]
	*buf = data
	if n, err := file.ReadAt(data, 0); err != nil && !(errors.Is(err, io.EOF) && int64(n) == f.Size) {
		return err
	}
	if s.header, err = parseHeader(data, f.Size); err != nil {
		return err
	}
	if err := m.succeeds(s); err != nil {
		return err
	}
	sc, err := scan(data, s.header, func(offset int64, r record) error {
		m.apply(s, offset, r.Record)
		return visit(Item{f.Name, offset, ownName(r.Kind), r.Record})
	})
	if err != nil {
		return err
	}
	m.reports = append(m.reports, SegmentReport{File: f.Name, Records: sc.records, End: sc.end, Size: f.Size, Sealed: sc.sealed})
	m.before, m.tail = m.tail, sc
	switch {
	case sc.broken:
		return fmt.Errorf("record at offset %d is damaged though it was durable: %w", sc.end, errs.Corrupt)
	case len(m.segments) > 1 && !m.before.sealed && (behind > 0 || sc.end > s.Base):
		// Nothing is appended to a segment before the one before is sealed.
		return fmt.Errorf("segment before it ends without a seal at offset %d: %w", m.before.end, errs.Corrupt)
	case behind == 0 && sc.sealed:
		return fmt.Errorf("segment %q after it is missing: %w", segmentName(s.Sequence+1), errs.Corrupt)
	}
	if !sc.sealed && sc.torn > sc.end {
		m.torn = &Torn{File: f.Name, Offset: sc.end, Bytes: sc.torn - sc.end}
	}
	return nil
}

// succeeds checks that s follows the segments before it.
func (m *image) succeeds(s *segment) error {
	if s.name != segmentName(s.Sequence) {
		return fmt.Errorf("header says it is %q: %w", segmentName(s.Sequence), errs.Corrupt)
	}
	if len(m.segments) == 1 {
		return nil
	}
	switch before := m.segments[len(m.segments)-2]; {
	case s.Sequence != before.Sequence+1:
		return fmt.Errorf("segment %q before it is missing: %w", segmentName(s.Sequence-1), errs.Corrupt)
	case s.Ensemble != before.Ensemble || s.Member != before.Member:
		return fmt.Errorf("it belongs to member %v of ensemble %v, the one before to %v of %v: %w", s.Member, s.Ensemble, before.Member, before.Ensemble, errs.Corrupt)
	case s.Salt != before.Salt:
		return fmt.Errorf("salt %x differs from %x before: %w", s.Salt, before.Salt, errs.Corrupt)
	}
	return nil
}

func (m *image) apply(s *segment, offset int64, r Record) {
	switch {
	case r.Kind == kindBegin:
		m.begin, m.first = max(m.begin, r.Position), max(m.first, r.Ballot)
	case isState(r.Kind):
		r.Payload = bytes.Clone(r.Payload)
		m.state[r.Kind] = r
	case isEntry(r.Kind):
		if old, had := m.index.put(r.Position, place(s, offset, r)); had {
			m.at(old).live--
		}
		s.live++
	}
}

func place(s *segment, offset int64, r Record) slot {
	return slot{ballot: r.Ballot, segment: uint32(s.Sequence), block: uint32(offset / alignBytes), length: uint32(len(r.Payload)), kind: r.Kind}
}

func (m *image) report() *Report {
	r := &Report{Begin: m.begin, Positions: m.index.count, State: m.state, Torn: m.torn, Segments: m.reports}
	if len(m.segments) > 0 {
		r.Ensemble, r.Member = m.segments[0].Ensemble, m.segments[0].Member
	}
	r.First, _, _ = m.index.next(0)
	r.Last = m.index.last()
	return r
}

// Verify reads the log in a directory and changes nothing. The directory should
// be at rest: of one in use, a segment may be reused meanwhile.
//
// Errors: errs.Corrupt names file and offset; errs.NotFound if there is no log.
func Verify(dir FS) (*Report, error) {
	return Dump(dir, func(Item) error { return nil })
}

// Dump is Verify, and visits each record in the order of writing. The payload
// is the visitor's until it returns.
func Dump(dir FS, visit func(Item) error) (*Report, error) {
	m, err := load(dir, false, visit)
	if err != nil {
		return nil, err
	}
	if len(m.segments) == 0 {
		return nil, errNone
	}
	return m.report(), m.close()
}

// spareName is the n-th spare's.
func spareName(n int) string { return strconv.Itoa(n) + spareSuffix }
