package wal

import (
	"cmp"
	"errors"
	"fmt"
	"iter"

	"mezzo/internal/errs"
)

// batch is what waits to be written together: one append, or a truncation.
type batch struct {
	records []record
	bytes   int64 // in a segment
	sync    bool
	below   uint64 // positions to give up
	done    func(error)
	err     error
}

// Append writes the records, together and in order, after all that was appended
// before. done is told once they are written, and if sync, once all up to them
// is durable; without sync they survive the process, not the machine. Without
// records it waits for what was before. done is called once, or not if Append
// fails, by the writer, in the order of appends: it must neither block nor append.
//
// Ownership: payloads are the log's until done is called.
// Concurrency: blocks only while Config.QueueBytes wait already.
// Errors: errs.Invalid for a record or a batch over a limit; errs.Exhausted if
// there is no room, then nothing of it is written and others may be; any other
// says that the log ended.
func (w *WAL) Append(records []Record, sync bool, done func(error)) error {
	b := &batch{records: make([]record, 0, len(records)), sync: sync, done: done}
	for _, r := range records {
		limit := MaxPayload
		if isState(r.Kind) {
			limit = MaxState
		}
		if !isState(r.Kind) && !isEntry(r.Kind) || len(r.Payload) > limit {
			return fmt.Errorf("append to log: position %d has kind %#x and %d bytes, not a kind from %#x to %#x and at most %d bytes: %w", r.Position, r.Kind, len(r.Payload), FirstKind, LastState, limit, errs.Invalid)
		}
		b.records = append(b.records, record{r, 0, checksum(r.Payload)})
		b.bytes += slotBytes(len(r.Payload))
	}
	if b.bytes > MaxBatch {
		return fmt.Errorf("append to log: batch of %d records has %d bytes, more than %d: %w", len(records), b.bytes, MaxBatch, errs.Invalid)
	}
	return w.enqueue(b)
}

// Truncate gives up the positions below the given one, and from the oldest on the
// segments that hold nothing else. done is told as by Append.
func (w *WAL) Truncate(below uint64, done func(error)) error {
	return w.enqueue(&batch{below: below, done: done})
}

// enqueue waits for room. An empty queue has room for any batch.
func (w *WAL) enqueue(b *batch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.refused == nil && w.queued > 0 && w.queued+b.bytes > w.cfg.QueueBytes {
		w.room.Wait()
	}
	if w.refused != nil {
		return w.refused
	}
	w.queue = append(w.queue, b)
	w.queued += b.bytes
	w.work.Signal()
	return nil
}

// take waits for batches and takes all there are; none once the log has ended.
func (w *WAL) take() []*batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.refused == nil && len(w.queue) == 0 {
		w.work.Wait()
	}
	group := w.queue
	w.queue, w.queued = nil, 0
	w.room.Broadcast()
	return group
}

// refuse has nothing taken or read from now on, with err. The first one stays.
func (w *WAL) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = cmp.Or(w.refused, err)
	w.work.Broadcast()
	w.room.Broadcast()
}

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
// order, but for what is truncated meanwhile. It ends behind the first error.
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
