package wal

import (
	"errors"
	"fmt"
	"iter"

	"mezzo/internal/errs"
)

// Meta is what the log knows of a position without reading the disk.
type Meta struct {
	Position uint64
	Ballot   uint64
	Kind     uint8
	Length   int
}

// Next tells of the first position from the given one on that has a record.
func (w *WAL) Next(from uint64) (Meta, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, s, ok := w.index.next(from)
	return Meta{p, s.ballot, s.kind, int(s.length)}, ok
}

// Read reads the record of a position.
//
// Errors: errs.NotFound if there is none; errs.Corrupt names file and offset.
// Ownership: the payload is the caller's.
func (w *WAL) Read(position uint64) (Record, error) {
	w.mu.Lock()
	if err := w.unread; err != nil {
		w.mu.Unlock()
		return Record{}, err
	}
	at, ok := w.index.get(position)
	if !ok {
		begin := w.begin
		w.mu.Unlock()
		return Record{}, fmt.Errorf("read position %d of log, which begins at %d: %w", position, begin, errs.NotFound)
	}
	s := w.segmentOf(at)
	s.refs++
	w.mu.Unlock()
	r, err := s.read(position, at)
	if err = errors.Join(err, w.release(s)); err != nil {
		return Record{}, fmt.Errorf("read position %d of log %q: %w", position, w.cfg.Dir, err)
	}
	return r, nil
}

// release closes a file that went while it was read.
func (w *WAL) release(s *segment) error {
	w.mu.Lock()
	s.refs--
	last := s.refs == 0 && s.gone
	w.mu.Unlock()
	if last {
		return s.file.Close()
	}
	return nil
}

func (s *segment) read(position uint64, at slot) (Record, error) {
	offset := int64(at.block) * alignBytes
	buf := make([]byte, slotBytes(int(at.length)))
	if _, err := s.file.ReadAt(buf, offset); err != nil {
		return Record{}, err
	}
	r, ok := parseRecord(buf, s.seed(), offset)
	if !ok || r.Position != position || checksum(r.Payload) != r.sum {
		return Record{}, fmt.Errorf("record at offset %d of segment %q is damaged: %w", offset, s.name, errs.Corrupt)
	}
	return r.Record, nil
}

// Records reads what there is from one position to another, both included, in
// order of positions. It ends behind the first error. What is truncated
// meanwhile is left out.
func (w *WAL) Records(from, to uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			m, ok := w.Next(from)
			if !ok || m.Position > to {
				return
			}
			r, err := w.Read(m.Position)
			if gone := errors.Is(err, errs.NotFound); !gone && (!yield(r, err) || err != nil) {
				return
			}
			if from = m.Position + 1; from == 0 {
				return
			}
		}
	}
}
