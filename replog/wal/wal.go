package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	synced  int64  // up to here the tail's segment is durable
	staged  []slot // written but not yet told of
	spares  []string
	next    File  // a spare in the making
	filled  int64 // bytes of it
	counts  Stats
	failure error // for good

	mu     sync.Mutex // guards what follows, but image's first and state
	image             // what can be read
	stats  Stats
	unread error // why nothing is read any more
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
	w.unread = cmp.Or(w.unread, errClosed)
	err := w.image.close()
	if w.next != nil {
		err = errors.Join(err, w.next.Close())
	}
	return errors.Join(err, w.lock.Close())
}

// recover takes over what is in the directory, and mends what a crash left.
func (w *WAL) recover() (*Report, error) {
	others, err := w.load(w.deps.FS, true, func(Item) error { return nil })
	if err != nil {
		return nil, err
	}
	r, n := w.report(), len(w.segments)
	switch {
	case n == 0 && w.cfg.MustExist:
		return nil, errNone
	case n == 0:
		if err := w.tidy(others); err != nil {
			return nil, err
		}
		if err := w.create(); err != nil {
			return nil, err
		}
		r.Ensemble, r.Member = w.tail.Ensemble, w.tail.Member
		return r, nil
	case cmp.Or(w.cfg.Ensemble, r.Ensemble) != r.Ensemble:
		return nil, fmt.Errorf("it belongs to ensemble %v, not to %v: %w", r.Ensemble, w.cfg.Ensemble, errs.Conflict)
	case cmp.Or(w.cfg.Member, r.Member) != r.Member:
		return nil, fmt.Errorf("it belongs to member %v, not to %v: %w", r.Member, w.cfg.Member, errs.Conflict)
	}
	// The process before may have ended before the names were durable.
	if err := errors.Join(w.tidy(others), w.deps.FS.SyncDir()); err != nil {
		return nil, err
	}
	// Nor may the seal before a segment be in which nothing was appended.
	last := w.segments[n-1]
	if n > 1 && last.end == last.Base {
		before := w.segments[n-2]
		if err := w.mend(before); err != nil {
			return nil, err
		}
		if !before.sealed {
			if err := w.note(kindSeal); err != nil {
				return nil, err
			}
		}
	}
	if err := w.mend(last); err != nil {
		return nil, err
	}
	return r, w.retire(int(w.first - w.segments[0].Sequence))
}

// mend makes s the tail, clears what was torn off, and writes once more what no
// sync is known to have covered: after one that failed, the kernel may show
// bytes as written that are not on the disk.
func (w *WAL) mend(s *segment) error {
	start := roundDown(s.synced, blockBytes)
	buf := make([]byte, roundUp(s.torn, blockBytes)-start)
	if _, err := s.file.ReadAt(buf[:s.end-start], start); err != nil {
		return err
	}
	if err := w.write(s.file, buf, start); err != nil {
		return err
	}
	w.tail.reset(s, start, buf[:s.end-start])
	w.synced = s.synced
	return w.sync()
}
