package wal

import (
	"errors"
	"maps"
)

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
	Torn    int64 // bytes behind it, of a write that was never acknowledged: Open cuts them
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
