package wal

import (
	"errors"
	"fmt"
	"syscall"

	"mezzo/internal/errs"
)

// writeBytes is how much is written at once, but for a record that is larger.
const writeBytes = 1 << 20

var zeros [writeBytes]byte

// tail is the end of the segment that is appended to. It writes whole blocks,
// of which it remembers the last, because the kernel would have to read the
// rest of a block that it does not have in memory.
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
	*t = tail{s, offset + keep, last[keep:], len(last[keep:]), synced}
}

func (t *tail) end() int64 { return t.offset + int64(len(t.buf)) }

// fits tells whether there is room for n bytes of records, less what is reserved.
func (t *tail) fits(n, reserved int64) bool { return t.end()+n <= t.Bytes-reserved }

// put adds a record, which there is room for.
func (t *tail) put(r record) {
	r.synced = t.synced
	t.buf = r.append(t.buf, t.seed(), t.end())
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

// ask is do for what a full disk may refuse, which is no failure.
//
// Errors: errs.Exhausted.
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
	keep := roundDown(n, blockBytes)
	t.buf = t.buf[:copy(t.buf, t.buf[keep:n])]
	t.offset, t.clean = t.offset+keep, len(t.buf)
}

// sync makes all that was put durable.
func (w *WAL) sync() {
	if w.flush(); w.tail.synced < w.tail.end() {
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
