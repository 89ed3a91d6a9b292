package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"sync"

	"mezzo/internal/errs"
)

// WAL is an open log.
type WAL struct {
	cfg   Config
	deps  Deps
	lock  io.Closer
	queue *queue
	ended chan struct{} // closed when the writer has ended
	once  sync.Once
	end   error // of Close

	// The writer's alone.
	tail    tail
	synced  int64 // up to here the tail's segment is durable
	state   map[uint8]Record
	first   uint64
	staged  []staged
	spares  []string
	next    File // a spare in the making, nextAt bytes of it done
	nextAt  int64
	debt    int64 // bytes to prepare
	counts  Stats
	failure error // for good

	mu       sync.Mutex // guards what follows
	index    index
	begin    uint64
	segments []*segment // the last is appended to
	stats    Stats
	unread   error // why nothing is read any more
}

// staged is a record that is written but not yet told of.
type staged struct {
	position uint64
	slot     slot
	segment  *segment
}

var (
	errClosed = fmt.Errorf("log is closed: %w", errs.Unavailable)
	errNone   = fmt.Errorf("directory has no log: %w", errs.NotFound)
)

// Open opens the log of a directory, or makes one, and reports what was in it.
// All that it reports is durable.
//
// Errors: errs.Corrupt names file and offset; errs.Conflict if the directory is
// another member's or another process has it; errs.NotFound if Config.MustExist
// and there is none; errs.Exhausted if there is no room for the first segment.
func Open(cfg Config, d Deps) (*WAL, *Report, error) {
	w, r, err := open(cfg, d)
	if err != nil {
		return nil, nil, fmt.Errorf("open log %q: %w", cfg.Dir, err)
	}
	return w, r, nil
}

func open(cfg Config, d Deps) (*WAL, *Report, error) {
	cfg.SetDefaults()
	if err := errors.Join(cfg.Validate(), d.setDefaults(cfg.Dir)); err != nil {
		return nil, nil, err
	}
	if _, err := d.FS.List(); cfg.MustExist && errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errNone // and none is made by the lock
	}
	lock, err := d.FS.Lock()
	if err != nil {
		return nil, nil, fmt.Errorf("lock it for writing: %w", err)
	}
	w := &WAL{cfg: cfg, deps: d, lock: lock, queue: newQueue(cfg.QueueBytes), ended: make(chan struct{})}
	r, err := w.recover()
	if err != nil {
		return nil, nil, errors.Join(err, w.closeFiles())
	}
	w.publish()
	go w.run()
	return w, r, nil
}

// Append writes the records, together and in order, after all that was appended
// before. done is told once they are written, and if sync, once all up to them
// is durable; without sync they survive the process, not the machine. Records
// may be none: then it waits for what was before. Each done is called once, by
// the writer, in the order of the appends: it must neither block nor append. If
// Append returns an error, done isn't called.
//
// Ownership: payloads are the log's until done is called.
// Concurrency: blocks only while Config.QueueBytes wait already.
// Errors: errs.Invalid for a record or a batch over a limit; errs.Exhausted if
// there is no room, then nothing of it is written and others may be; any other
// says that the log ended.
func (w *WAL) Append(records []Record, sync bool, done func(error)) error {
	b := &batch{records: records, sums: make([]uint32, len(records)), sync: sync, done: done}
	for i, r := range records {
		if err := r.check(); err != nil {
			return fmt.Errorf("append to log: %w", err)
		}
		b.sums[i] = checksum(r.Payload)
		b.bytes += slotBytes(len(r.Payload))
	}
	if b.bytes > MaxBatch {
		return fmt.Errorf("append to log: batch of %d records has %d bytes, more than %d: %w", len(records), b.bytes, MaxBatch, errs.Invalid)
	}
	return w.queue.put(b)
}

// Truncate gives up all positions below the given one. Their segments are
// reused or removed from the oldest on, up to the first that something above
// is in. done is told as by Append.
func (w *WAL) Truncate(below uint64, done func(error)) error {
	return w.queue.put(&batch{truncate: true, below: below, done: done})
}

// Close writes what waits, and ends. It returns why the log had ended before,
// if it had.
func (w *WAL) Close() error {
	w.once.Do(func() {
		w.queue.close(errClosed)
		<-w.ended
		w.end = errors.Join(w.failure, w.closeFiles())
	})
	return w.end
}

func (w *WAL) closeFiles() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []error
	for _, s := range w.segments {
		s.gone = true
		if s.refs == 0 { // otherwise the reader closes it
			all = append(all, s.file.Close())
		}
	}
	w.segments, w.unread = nil, cmp.Or(w.unread, errClosed)
	if w.next != nil {
		all = append(all, w.next.Close())
	}
	return errors.Join(append(all, w.lock.Close())...)
}

// recover takes over what is in the directory, and mends what a crash left.
func (w *WAL) recover() (*Report, error) {
	m, err := load(w.deps.FS, true, func(Item) error { return nil })
	if err != nil {
		return nil, err
	}
	w.segments, w.index, w.begin = m.segments, m.index, m.begin
	w.state, w.first = maps.Clone(m.state), m.first
	r := m.report()
	if len(m.segments) == 0 {
		if w.cfg.MustExist {
			return nil, errNone
		}
		return w.create(m.others)
	}
	for _, id := range []struct {
		name      string
		has, want ID
	}{{"ensemble", r.Ensemble, w.cfg.Ensemble}, {"member", r.Member, w.cfg.Member}} {
		if id.want != (ID{}) && id.want != id.has {
			return nil, fmt.Errorf("it belongs to %s %v, not to %v: %w", id.name, id.has, id.want, errs.Conflict)
		}
	}
	if err := w.tidy(m.others); err != nil {
		return nil, err
	}
	// The process before may have ended before the names were durable.
	if err := w.deps.FS.SyncDir(); err != nil {
		return nil, err
	}
	// Nor may the seal before a segment be in which nothing was appended.
	tail, n := m.segments[len(m.segments)-1], len(m.segments)
	if n > 1 && m.tail.end == tail.Base {
		if err := w.mend(m.segments[n-2], m.before); err != nil {
			return nil, err
		}
		if !m.before.sealed {
			if err := w.note(kindSeal); err != nil {
				return nil, err
			}
		}
	}
	if err := w.mend(tail, m.tail); err != nil {
		return nil, err
	}
	return r, w.retire(int(max(w.first, m.segments[0].Sequence) - m.segments[0].Sequence))
}

// mend makes s the tail, clears what was torn off, and writes once more what no
// sync is known to have covered: after one that failed, the kernel may show
// bytes as written that are not on the disk.
func (w *WAL) mend(s *segment, sc scanned) error {
	start := roundDown(sc.synced, blockBytes)
	buf := make([]byte, roundUp(sc.torn, blockBytes)-start)
	if _, err := s.file.ReadAt(buf[:sc.end-start], start); err != nil {
		return err
	}
	if err := w.write(s.file, buf, start); err != nil {
		return err
	}
	w.tail.reset(s, start, buf[:sc.end-start])
	w.synced = sc.synced
	return w.sync()
}
