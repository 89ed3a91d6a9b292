package wal

import (
	"cmp"
	"fmt"
	"slices"
)

// run is the writer: it takes all that waits, writes it, syncs once, and tells
// those who wait.
func (w *WAL) run() {
	defer close(w.ended)
	for group := w.take(); len(group) > 0; group = w.take() {
		w.commit(group)
		for _, b := range group {
			b.done(cmp.Or(w.failure, b.err))
		}
		w.writeAhead()
	}
	// What follows the last record says that this was durable.
	if w.sync(); w.tail.fits(recordBytes, ownBytes) {
		w.note(kindBegin)
	}
}

// commit writes a group. A batch that there is no room for has its error.
func (w *WAL) commit(group []*batch) {
	write, below := w.flush, uint64(0)
	for _, b := range group {
		if len(b.records) > 0 {
			b.err = w.stage(b)
		}
		if b.sync {
			write = w.sync
		}
		below = max(below, b.below)
	}
	if write(); w.failure != nil {
		return
	}
	w.publish()
	if below > 0 {
		w.truncate(below)
		w.publish()
	}
}

// stage puts a batch into the tail, and begins another segment before if it
// does not fit.
//
// Errors: errs.Exhausted if there is none; then nothing is put.
func (w *WAL) stage(b *batch) error {
	state := !slices.ContainsFunc(b.records, func(r record) bool { return isEntry(r.Kind) })
	// What follows a large batch would keep its whole segment.
	large := !state && w.tail.Bytes > w.cfg.SegmentBytes && w.tail.end() > w.tail.Base
	if large || !w.tail.fits(b.bytes, reserve(w.tail.Bytes, state)) {
		if err := w.roll(b.bytes); err != nil {
			return fmt.Errorf("append to log %q: %w", w.cfg.Dir, err)
		}
	}
	for _, r := range b.records {
		if isState(r.Kind) {
			w.keep(r.Record)
		} else {
			w.staged = append(w.staged, w.tail.place(w.tail.end(), r.Record))
		}
		if w.tail.put(r); len(w.tail.buf) >= writeBytes {
			w.flush()
		}
		w.counts.Records++
		w.counts.StoredBytes += uint64(len(r.Payload))
	}
	return nil
}

// publish lets readers see what was written.
func (w *WAL) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.staged {
		if s.Position >= w.begin {
			w.enter(s)
		}
	}
	w.staged = w.staged[:0]
	w.stats = w.counts
}

// truncate gives up the positions below, in memory at once, and the segments
// that hold nothing else, if there are any. It then always finds room, or a
// full disk would stay full; should it not, the next one frees them.
func (w *WAL) truncate(below uint64) {
	w.mu.Lock()
	w.drop(below)
	freed := 0
	for freed < len(w.segments)-1 && w.segments[freed].Live == 0 {
		freed++
	}
	w.mu.Unlock()
	if freed == 0 {
		return
	}
	w.first = w.segments[freed].Sequence
	if w.tail.fits(recordBytes, recordBytes) {
		w.note(kindBegin)
	} else if err := w.roll(0); err != nil {
		return
	}
	w.retire(freed)
}
