package wal

import (
	"errors"
	"maps"
	"slices"

	"mezzo/internal/errs"
)

// ownBytes at the end of a segment are for the log's own records: its seal, and
// truncations when nothing else has room.
const ownBytes = 1 << 10

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
