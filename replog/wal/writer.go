package wal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"mezzo/internal/errs"
)

// run is the writer: it takes all that waits, writes it, syncs once, and tells
// those who wait.
func (w *WAL) run() {
	defer close(w.ended)
	var group, spent []*batch
	for {
		if group = w.queue.take(spent); len(group) == 0 {
			break
		}
		w.try(func() error { return w.commit(group) })
		for i, b := range group {
			if w.failure != nil {
				b.err = w.failure
			}
			b.done(b.err)
			group[i] = nil
		}
		w.try(w.prepare)
		spent = group
	}
	w.try(w.mark)
}

// try ends the log if the disk fails. There is no second try: after a sync that
// failed, nobody knows what is on the disk.
func (w *WAL) try(step func() error) {
	if w.failure != nil {
		return
	}
	if err := step(); err != nil {
		w.failure = fmt.Errorf("write log %q: %w", w.cfg.Dir, err)
		w.queue.close(w.failure)
		w.mu.Lock()
		w.unread = w.failure
		w.mu.Unlock()
		w.deps.Fatal(w.failure)
	}
}

// commit writes a group. A batch that there is no room for has its error; an
// error that is returned is the disk's.
func (w *WAL) commit(group []*batch) error {
	durable, truncate := false, false
	below := w.begin
	for _, b := range group {
		if b.truncate {
			truncate, below = true, max(below, b.below)
			continue
		}
		if err := w.stage(b.records, b.sums, b.bytes); errors.Is(err, errs.Exhausted) {
			b.err = fmt.Errorf("append to log %q: %w", w.cfg.Dir, err)
		} else if err != nil {
			return err
		} else {
			durable = durable || b.sync
		}
	}
	write := w.flush
	if durable {
		write = w.sync
	}
	if err := write(); err != nil {
		return err
	}
	w.counts.Groups++
	w.counts.Batches += uint64(len(group))
	w.publish()
	if !truncate {
		return nil
	}
	err := w.truncate(below)
	w.publish()
	return err
}

// stage puts records, of bytes in all, into the tail, and begins another
// segment before if they don't fit.
//
// Errors: errs.Exhausted if there is none; then nothing is put.
func (w *WAL) stage(records []Record, sums []uint32, bytesAll int64) error {
	if len(records) == 0 {
		return nil
	}
	state := !slices.ContainsFunc(records, func(r Record) bool { return isEntry(r.Kind) })
	// What follows a large batch would keep its whole segment.
	large := !state && w.tail.Size > w.cfg.SegmentBytes && w.tail.end() > w.tail.Base
	if large || !w.fits(bytesAll, reserve(w.tail.Size, state)) {
		if err := w.roll(bytesAll); err != nil {
			return err
		}
	}
	for i, r := range records {
		if isState(r.Kind) {
			r.Payload = bytes.Clone(r.Payload)
			w.state[r.Kind] = r
		} else {
			w.staged = append(w.staged, w.tail.place(w.tail.end(), r))
		}
		w.put(r, sums[i])
		if len(w.tail.buf) >= writeBytes {
			if err := w.flush(); err != nil {
				return err
			}
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

// mark writes a record behind the last one, so that damage to that is not taken
// for a torn write.
func (w *WAL) mark() error {
	if err := w.sync(); err != nil || !w.fits(recordBytes, ownBytes) {
		return err
	}
	return w.note(kindBegin)
}
