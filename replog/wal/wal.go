package wal

import (
	"cmp"
	"crypto/rand"
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
	ended chan struct{} // closed when the writer has ended
	shut  func() error  // once
	fatal func(error)

	// The writer's alone.
	tail    tail
	staged  []slot // put but not yet told of
	spares  []string
	counts  Stats
	failure error // for good

	mu      sync.Mutex // guards what follows, but image's first and state
	image              // what can be read
	stats   Stats
	refused error // why nothing is taken or read any more
	queue   []*batch
	queued  int64     // bytes of it
	work    sync.Cond // something is in it
	room    sync.Cond // something was taken
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
	cfg.SegmentBytes = cmp.Or(cfg.SegmentBytes, 32<<20)
	cfg.Spares = cmp.Or(cfg.Spares, 2)
	cfg.QueueBytes = cmp.Or(cfg.QueueBytes, 64<<20)
	d.FS = cmp.Or(d.FS, OS(cfg.Dir))
	w := &WAL{cfg: cfg, deps: d, ended: make(chan struct{}), fatal: func(error) {}}
	w.work.L, w.room.L = &w.mu, &w.mu
	w.shut = sync.OnceValue(w.end)
	r, err := w.open()
	if err != nil {
		return nil, nil, fmt.Errorf("open log %q: %w", cfg.Dir, err)
	}
	w.fatal = d.Fatal // until now it was Open that failed
	w.publish()
	go w.run()
	return w, r, nil
}

func (w *WAL) open() (*Report, error) {
	if n := w.cfg.SegmentBytes; n < minSegment || n > maxSegment || n%blockBytes != 0 {
		return nil, fmt.Errorf("segment size %d is not a multiple of %d from %d to %d: %w", n, blockBytes, minSegment, maxSegment, errs.Invalid)
	}
	if w.deps.Fatal == nil {
		return nil, fmt.Errorf("nobody is there to be told that the disk failed: %w", errs.Invalid)
	}
	if _, err := w.deps.FS.List(); w.cfg.MustExist && errors.Is(err, fs.ErrNotExist) {
		return nil, errNone // and none is made by the lock
	}
	var err error
	if w.lock, err = w.deps.FS.Lock(); err != nil {
		return nil, fmt.Errorf("lock it for writing: %w", err)
	}
	r, err := w.recover()
	if err != nil {
		return nil, errors.Join(err, w.release())
	}
	return r, nil
}

// Close writes what waits, and ends. It returns why the log had ended before,
// if it had.
func (w *WAL) Close() error { return w.shut() }

func (w *WAL) end() error {
	w.refuse(errClosed)
	<-w.ended
	return errors.Join(w.failure, w.release())
}

func (w *WAL) release() error { return errors.Join(w.image.close(), w.lock.Close()) }

// recover takes over what is in the directory, and mends what a crash left.
func (w *WAL) recover() (*Report, error) {
	spares, err := w.load(w.deps.FS, true, func(Item) error { return nil })
	if err != nil {
		return nil, err
	}
	r, n := w.report(), len(w.segments)
	switch {
	case n == 0 && w.cfg.MustExist:
		return nil, errNone
	case n == 0:
		if err := w.draw(); err != nil {
			return nil, err
		}
		r.Ensemble, r.Member = w.tail.Ensemble, w.tail.Member
	case cmp.Or(w.cfg.Ensemble, r.Ensemble) != r.Ensemble:
		return nil, fmt.Errorf("it belongs to ensemble %v, not to %v: %w", r.Ensemble, w.cfg.Ensemble, errs.Conflict)
	case cmp.Or(w.cfg.Member, r.Member) != r.Member:
		return nil, fmt.Errorf("it belongs to member %v, not to %v: %w", r.Member, w.cfg.Member, errs.Conflict)
	}
	for _, f := range spares {
		if n > 0 && f.Size == w.cfg.SegmentBytes && len(w.spares) < w.cfg.Spares {
			w.spares = append(w.spares, f.Name)
		} else {
			w.do(func() error { return w.deps.FS.Remove(f.Name) })
		}
	}
	if n == 0 {
		return r, w.roll(0)
	}
	// The process before may have ended before the names were durable, or the
	// seal before a segment in which nothing was appended.
	w.do(w.deps.FS.SyncDir)
	for i := max(0, n-2); i < n; i++ {
		w.mend(w.segments[i])
		if i < n-1 && !w.segments[i].Sealed {
			w.note(kindSeal)
		}
	}
	w.retire(int(w.first - w.segments[0].Sequence))
	return r, w.failure
}

// draw makes the head of a log that is new.
func (w *WAL) draw() error {
	if w.cfg.Ensemble == (ID{}) {
		return fmt.Errorf("directory has no log, and no ensemble is named to make one for: %w", errs.Invalid)
	}
	var drawn [24]byte
	rand.Read(drawn[:]) // never fails
	w.first, w.tail.segment = 1, &segment{header: header{
		Ensemble: w.cfg.Ensemble,
		Member:   cmp.Or(w.cfg.Member, ID(drawn[:16])),
		Salt:     le.Uint64(drawn[16:]),
	}}
	return nil
}

// mend makes s the tail, clears what was torn off, and writes once more what no
// sync is known to have covered: after one that failed, the kernel may show
// bytes as written that are not on the disk.
func (w *WAL) mend(s *segment) {
	start := roundDown(s.vouched, blockBytes)
	buf := make([]byte, roundUp(s.End+s.Torn, blockBytes)-start)
	known := buf[:s.End-start]
	w.do(func() error {
		_, err := s.file.ReadAt(known, start)
		return err
	})
	w.do(func() error { return w.write(s.file, buf, start) })
	w.tail.reset(s, s.vouched, start, known)
	w.sync()
}
