package wal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"mezzo/internal/errs"
)

const (
	segmentSuffix = ".seg"
	spareSuffix   = ".spare"
	newName       = "new" + spareSuffix // a new file's until it is a segment
	ownBytes      = 1 << 10             // at a segment's end, for its seal and truncations alone
)

// segment is one file of the log.
type segment struct {
	header
	SegmentReport       // as it was found, but for File and Live
	vouched       int64 // up to here the last record says that all is durable
	raw           int64 // bytes at the end that were never written
	file          File
	gone          atomic.Bool // the file may be another's
}

func segmentName(sequence uint64) string { return fmt.Sprintf("%016x%s", sequence, segmentSuffix) }

// place is the slot of a record at the offset.
func (s *segment) place(offset int64, r Record) slot {
	return slot{Meta{r.Position, r.Ballot, uint32(len(r.Payload)), r.Kind}, uint32(s.Sequence), uint32(offset / alignBytes)}
}

func (s *segment) read(at slot) (Record, error) {
	offset := int64(at.block) * alignBytes
	buf := make([]byte, slotBytes(int(at.Length)))
	if _, err := s.file.ReadAt(buf, offset); err != nil {
		return Record{}, err
	}
	r, ok := parseRecord(buf, s.seed(), offset)
	if !ok || r.Position != at.Position || checksum(r.Payload) != r.sum {
		return Record{}, fmt.Errorf("record at offset %d of segment %q is damaged: %w", offset, s.File, errs.Corrupt)
	}
	return r.Record, nil
}

// scan reads the records of the segment's bytes until there is one no more, and
// then tells why. If a record behind the bad place says that this was durable,
// then it was damaged later; if none does, it is of the last write, which no sync
// covered. What a segment was born with was durable always: it vouches for nothing,
// and all that follows for at least that. So what is left of a longer birth, when
// the file was to be this segment before, in vain, is not taken for records.
func (s *segment) scan(data []byte, visit func(offset int64, r record)) error {
	seed := s.seed()
	parse := func(at int64) (record, bool) {
		r, ok := parseRecord(data[at:], seed, at)
		return r, ok && (at < s.Base) == (r.synced < s.Base)
	}
	s.File, s.Size, s.End, s.vouched = segmentName(s.Sequence), s.Bytes, headerBytes, headerBytes
	for r, ok := parse(s.End); ok && !s.Sealed && checksum(r.Payload) == r.sum; r, ok = parse(s.End) {
		visit(s.End, r)
		s.Records++
		s.End += slotBytes(len(r.Payload))
		s.vouched = max(s.vouched, r.synced)
		s.Sealed = r.Kind == kindSeal
	}
	durable := s.Base
	for at := s.End; at+recordBytes <= s.Size && !s.Sealed; at += alignBytes {
		if data[at+12] == 0 {
			continue // no kind: most of what was never written
		}
		if r, ok := parse(at); ok {
			durable = max(durable, r.synced)
			s.Torn = max(s.Torn, at+slotBytes(len(r.Payload))-s.End)
		}
	}
	if s.End < durable {
		return fmt.Errorf("record at offset %d is damaged though it was durable: %w", s.End, errs.Corrupt)
	}
	return nil
}

// reserve is what of a segment only state may use, so that a full disk stops
// entries first and promises later; and what state may not use either.
func reserve(size int64, state bool) int64 {
	if state {
		return ownBytes
	}
	return ownBytes + min(64<<10, size/8)
}

// roll begins another segment, with room for need bytes of records. Its order
// is what recovery relies on: the old segment is durable before the new one is
// there; that is durable, with all it is born with, before the old one is
// sealed; and only then are records put into it.
//
// Errors: errs.Exhausted if there is no room; then nothing has changed.
func (w *WAL) roll(need int64) error {
	s := &segment{header: w.tail.header}
	s.Sequence++
	s.File = segmentName(s.Sequence)
	birth := w.birth(s.seed())
	s.Base, s.Bytes = int64(len(birth)), w.cfg.SegmentBytes
	if s.Base+need+reserve(s.Bytes, false) > s.Bytes {
		s.Bytes = roundUp(s.Base+need+reserve(maxSegment, false), blockBytes)
	}
	copy(birth, s.encode())
	spare, err := w.acquire(s)
	if err != nil {
		return err
	}
	w.sync()
	err = w.ask(func() error {
		return w.write(s.file, append(birth, zeros[:roundUp(s.Base, blockBytes)-s.Base]...), 0)
	})
	if err == nil {
		w.do(s.file.Datasync)
		err = w.ask(func() error { return w.fs.Rename(spare, s.File) })
	}
	if errors.Is(err, errs.Exhausted) {
		w.do(s.file.Close)
		if spare == newName {
			w.do(func() error { return w.fs.Remove(spare) })
		} else {
			w.spares = append(w.spares, spare)
		}
		return err
	}
	w.do(w.fs.SyncDir)
	if len(w.segments) > 0 {
		w.note(kindSeal)
	}
	w.tail.buf = nil // it may have become large
	w.tail.reset(s, s.Base, 0, birth)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.segments = append(w.segments, s)
	return w.failure
}

// birth is what a segment starts with, in an order that is always the same: room
// for its header, the begin and all state.
func (w *WAL) birth(seed uint32) []byte {
	begin := record{Record: Record{Kind: kindBegin, Position: w.begin, Ballot: w.first}}
	b := begin.append(make([]byte, headerBytes), seed, headerBytes)
	for _, kind := range slices.Sorted(maps.Keys(w.state)) {
		r := w.state[kind]
		b = record{r, 0, checksum(r.Payload)}.append(b, seed, int64(len(b)))
	}
	return b
}

// acquire opens the file for a segment: a spare, or a new one.
func (w *WAL) acquire(s *segment) (spare string, err error) {
	if s.Bytes == w.cfg.SegmentBytes && len(w.spares) > 0 {
		spare, w.spares = w.spares[0], w.spares[1:]
		return spare, w.do(func() (err error) {
			s.file, err = w.fs.Open(spare, true)
			return err
		})
	}
	s.raw = s.Bytes
	w.counts.Created++
	return newName, w.ask(func() (err error) {
		s.file, err = w.fs.Create(newName, s.Bytes)
		return err
	})
}

// writeAhead writes zeros where records of a new file will be, in small steps: a
// sync of blocks that were written before has only their content to make durable.
func (w *WAL) writeAhead() {
	s, end := w.tail.segment, roundUp(w.tail.end(), blockBytes)
	at := max(s.Bytes-s.raw, end)
	n := min(s.Bytes-at, writeBytes)
	if n == 0 || at >= end+writeBytes {
		return
	}
	s.raw = s.Bytes - at - n
	if w.ask(func() error { return w.write(s.file, zeros[:n], at) }) == nil {
		w.do(s.file.Datasync)
	}
}

// truncate gives up the positions below, in memory at once, and the segments
// that hold nothing else, as soon as there is room in the last one to say so.
func (w *WAL) truncate(below uint64) {
	w.mu.Lock()
	w.drop(below)
	freed := 0
	for freed < len(w.segments)-1 && w.segments[freed].Live == 0 {
		freed++
	}
	w.mu.Unlock()
	if freed > 0 && w.tail.fits(recordBytes, recordBytes) {
		w.first += uint64(freed)
		w.note(kindBegin)
		w.retire(freed)
	}
}

// retire reuses or removes the n oldest segments, which the log says by now to
// be given up. Each is durably gone before the next, so that a crash leaves no
// gap, and before it is written to.
func (w *WAL) retire(n int) {
	for ; n > 0 && w.failure == nil; n-- {
		w.mu.Lock()
		s := w.segments[0]
		w.segments = w.segments[1:]
		w.mu.Unlock()
		s.gone.Store(true)
		if s.Bytes == w.cfg.SegmentBytes && len(w.spares) < w.cfg.Spares {
			spare := s.File + spareSuffix
			w.do(func() error { return w.fs.Rename(s.File, spare) })
			w.spares = append(w.spares, spare)
			w.counts.Recycled++
		} else {
			w.do(func() error { return w.fs.Remove(s.File) })
		}
		w.do(w.fs.SyncDir)
		w.do(s.file.Close)
	}
}
