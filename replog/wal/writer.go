package wal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"mezzo/internal/errs"
)

// run is the writer: it takes all that waits, writes it, syncs once, and tells
// those who wait.
func (w *WAL) run() {
	defer close(w.ended)
	for group := w.take(); len(group) > 0; group = w.take() {
		w.try(func() error { return w.commit(group) })
		for _, b := range group {
			b.done(cmp.Or(w.failure, b.err))
		}
		w.try(w.prepare)
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
		w.refuse(w.failure)
		w.deps.Fatal(w.failure)
	}
}

// commit writes a group. A batch that there is no room for has its error; an
// error that is returned is the disk's.
func (w *WAL) commit(group []*batch) error {
	write, below := w.flush, uint64(0)
	for _, b := range group {
		if err := w.stage(b); errors.Is(err, errs.Exhausted) {
			b.err = fmt.Errorf("append to log %q: %w", w.cfg.Dir, err)
		} else if err != nil {
			return err
		}
		if b.sync {
			write = w.sync
		}
		below = max(below, b.below)
	}
	if err := write(); err != nil {
		return err
	}
	w.counts.Groups++
	w.counts.Batches += uint64(len(group))
	w.publish()
	if below == 0 {
		return nil
	}
	err := w.truncate(below)
	w.publish()
	return err
}

// stage puts a batch into the tail, and begins another segment before if it
// does not fit.
//
// Errors: errs.Exhausted if there is none; then nothing is put.
func (w *WAL) stage(b *batch) error {
	if len(b.records) == 0 {
		return nil
	}
	state := !slices.ContainsFunc(b.records, func(r Record) bool { return isEntry(r.Kind) })
	// What follows a large batch would keep its whole segment.
	large := !state && w.tail.Size > w.cfg.SegmentBytes && w.tail.end() > w.tail.Base
	if large || !w.fits(b.bytes, reserve(w.tail.Size, state)) {
		if err := w.roll(b.bytes); err != nil {
			return err
		}
	}
	for i, r := range b.records {
		if isState(r.Kind) {
			r.Payload = bytes.Clone(r.Payload)
			w.state[r.Kind] = r
		} else {
			w.staged = append(w.staged, w.tail.place(w.tail.end(), r))
		}
		w.put(r, b.sums[i])
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
