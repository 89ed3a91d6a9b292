package wal

import (
	"errors"
	"fmt"
	"iter"

	"mezzo/internal/errs"
)

// Stats counts since Open what the log did, and says what it is.
type Stats struct {
	Records, Syncs uint64
	StoredBytes    uint64 // payloads
	WrittenBytes   uint64 // given to files, zeros ahead of records included
	Created        uint64 // files
	Recycled       uint64 // segments made spares

	Begin               uint64 // positions below are truncated
	Positions, Segments int
	DiskBytes           int64 // of the segments
}

// Stats is a snapshot.
func (w *WAL) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Begin, s.Positions, s.Segments = w.begin, len(w.index), len(w.segments)
	for _, seg := range w.segments {
		s.DiskBytes += seg.Bytes
	}
	return s
}

// Next tells of the first record from a position on.
func (w *WAL) Next(from uint64) (Meta, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i, _ := w.find(from); i < len(w.index) {
		return w.index[i].Meta, true
	}
	return Meta{}, false
}

// Read reads the record of a position.
//
// Errors: errs.NotFound if there is none; errs.Corrupt names file and offset.
// Ownership: the payload is the caller's.
func (w *WAL) Read(position uint64) (Record, error) {
	for {
		at, s, err := w.locate(position)
		var r Record
		if err == nil {
			if r, err = s.read(at); s.gone.Load() {
				continue // its file may be another's by now, and the record is not there
			}
		}
		if err != nil {
			err = fmt.Errorf("read position %d of log %q: %w", position, w.cfg.Dir, err)
		}
		return r, err
	}
}

func (w *WAL) locate(position uint64) (slot, *segment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused != nil {
		return slot{}, nil, w.refused
	}
	i, ok := w.find(position)
	if !ok {
		return slot{}, nil, fmt.Errorf("it has none, and begins at %d: %w", w.begin, errs.NotFound)
	}
	return w.index[i], w.at(w.index[i]), nil
}

// Records reads what there is from one position to another, both included, in
// order of positions. It ends behind the first error. What is truncated
// meanwhile is left out.
func (w *WAL) Records(from, to uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for m, ok := w.Next(from); ok && m.Position <= to; m, ok = w.Next(m.Position + 1) {
			r, err := w.Read(m.Position)
			gone := errors.Is(err, errs.NotFound)
			if !gone && (!yield(r, err) || err != nil) || m.Position == to {
				return
			}
		}
	}
}
