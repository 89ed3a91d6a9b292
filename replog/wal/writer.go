package wal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"mezzo/internal/errs"
)

// writeBytes is how much is written at once, but for a record that is larger.
const writeBytes = 1 << 20

var zeros [writeBytes]byte

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
	w.sync()
	if w.tail.fits(recordBytes, ownBytes) {
		w.note(kindBegin) // it says that all before is durable
	}
	w.failure = errors.Join(w.failure, w.release())
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
	write()
	if w.failure != nil {
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
		w.tail.put(r)
		if len(w.tail.buf) >= writeBytes {
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

// tail is the end of the segment that is appended to. It remembers its last
// block, to write whole ones: of another, the kernel would read the rest first.
type tail struct {
	*segment
	offset int64 // of buf[0] in the file, a multiple of blockBytes
	buf    []byte
	clean  int   // how much of buf is in the file
	synced int64 // up to here the segment is durable
}

// reset continues in another segment, whose last bytes stand at the offset.
func (t *tail) reset(s *segment, synced, offset int64, last []byte) {
	keep := roundDown(int64(len(last)), blockBytes)
	*t = tail{s, offset + keep, append(t.buf[:0], last[keep:]...), len(last[keep:]), synced}
}

func (t *tail) end() int64 { return t.offset + int64(len(t.buf)) }

// fits tells whether there is room for n bytes of records, less what is reserved.
func (t *tail) fits(n, reserved int64) bool { return t.end()+n <= t.Bytes-reserved }

// put adds a record, which there is room for.
func (t *tail) put(r record) {
	r.synced = t.synced
	t.buf = r.append(t.buf, t.seed(), t.end())
}

// note writes a record of the log's own, durably.
func (w *WAL) note(kind uint8) {
	w.tail.put(record{Record: Record{Kind: kind, Position: w.begin, Ballot: w.first}})
	w.sync()
}

// flush writes what was put.
func (w *WAL) flush() {
	t, n := &w.tail, int64(len(w.tail.buf))
	if int(n) == t.clean {
		return
	}
	t.buf = append(t.buf, zeros[:roundUp(n, blockBytes)-n]...)
	w.do(func() error { return w.write(t.file, t.buf, t.offset) })
	t.reset(t.segment, t.synced, t.offset, t.buf[:n])
}

// sync makes all that was put durable.
func (w *WAL) sync() {
	w.flush()
	if w.tail.synced < w.tail.end() {
		w.do(w.tail.file.Datasync)
		w.tail.synced = w.tail.end()
		w.counts.Syncs++
	}
}

func (w *WAL) write(f File, p []byte, offset int64) error {
	_, err := f.WriteAt(p, offset)
	w.counts.WrittenBytes += uint64(len(p))
	return err
}

// do changes something on the disk, unless an earlier change failed. There is no
// second try: after a sync that failed, nobody knows what is there.
func (w *WAL) do(change func() error) error {
	if w.failure != nil {
		return w.failure
	}
	if err := change(); err != nil {
		w.failure = fmt.Errorf("write log %q: %w", w.cfg.Dir, err)
		w.refuse(w.failure)
		w.fatal(w.failure)
	}
	return w.failure
}

// ask is do for what a full disk may refuse: that is errs.Exhausted, no failure.
func (w *WAL) ask(change func() error) error {
	if w.failure != nil {
		return w.failure
	}
	err := change()
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("make room for another segment: %w: %w", err, errs.Exhausted)
	}
	return w.do(func() error { return err })
}
