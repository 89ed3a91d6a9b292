package wal

import (
	"cmp"
	"fmt"

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
// records it waits for what was before. done is called once, by the writer, in
// the order of the appends: it must neither block nor append. If Append returns
// an error, it isn't called.
//
// Ownership: payloads are the log's until done is called.
// Concurrency: blocks only while Config.QueueBytes wait already.
// Errors: errs.Invalid for a record or a batch over a limit; errs.Exhausted if
// there is no room, then nothing of it is written and others may be; any other
// says that the log ended.
func (w *WAL) Append(records []Record, sync bool, done func(error)) error {
	b := &batch{sync: sync, done: done}
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

// Truncate gives up all positions below the given one. Their segments are
// reused or removed from the oldest on, up to the first that something above
// is in. done is told as by Append.
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
