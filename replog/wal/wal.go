package wal

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"mezzo/internal/errs"
)

// Config is what a WAL is opened with.
type Config struct {
	Dir string // the directory
	// Ensemble and Member own the directory. In one that has a log, zero
	// takes what it says; in an empty one, a zero Member is drawn.
	Ensemble, Member ID
	// MustExist refuses a directory without a log: a mistyped path, a lost disk.
	MustExist    bool
	SegmentBytes int64 // of a segment, a multiple of 4096 from 16 KiB to 1 GiB; 0 is 32 MiB
	Spares       int   // used segments that are kept; 0 is 2, none if negative
	QueueBytes   int64 // that may wait to be written, but for one batch; 0 is 64 MiB
}

// Deps is what a WAL needs from outside.
type Deps struct {
	FS FS // the directory, OS(Config.Dir) if nil
	// Fatal is told, once, that the disk failed: the process must end. No
	// append is acknowledged after it, and none that failed by it is told so
	// before. It is called by the writer: it must not call the WAL.
	Fatal func(error)
}

// WAL is an open log.
type WAL struct {
	cfg   Config
	fs    FS
	lock  io.Closer
	ended chan struct{} // closed when the writer has ended

	// The writer's alone.
	tail    tail
	staged  []slot // put but not yet told of
	spares  []string
	counts  Stats
	fatal   func(error)
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

var errNone = fmt.Errorf("directory has no log: %w", errs.NotFound)

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
	w := &WAL{cfg: cfg, fs: cmp.Or(d.FS, OS(cfg.Dir)), ended: make(chan struct{})}
	w.work.L, w.room.L = &w.mu, &w.mu
	w.fatal = func(error) {} // until it runs, it is Open that fails
	r, err := w.open(d)
	if err != nil {
		return nil, nil, fmt.Errorf("open log %q: %w", cfg.Dir, err)
	}
	w.fatal = d.Fatal
	w.publish()
	go w.run()
	return w, r, nil
}

func (w *WAL) open(d Deps) (r *Report, err error) {
	if n := w.cfg.SegmentBytes; n < minSegment || n > maxSegment || n%blockBytes != 0 {
		return nil, fmt.Errorf("segment size %d is not a multiple of %d from %d to %d: %w", n, blockBytes, minSegment, maxSegment, errs.Invalid)
	}
	if d.Fatal == nil {
		return nil, fmt.Errorf("nobody is there to be told that the disk failed: %w", errs.Invalid)
	}
	if _, err := w.fs.List(); w.cfg.MustExist && errors.Is(err, fs.ErrNotExist) {
		return nil, errNone // and none is made by the lock
	}
	if w.lock, err = w.fs.Lock(); err != nil {
		return nil, fmt.Errorf("lock it for writing: %w", err)
	}
	if r, err = w.recover(); err != nil {
		err = errors.Join(err, w.release())
	}
	return r, err
}

// Close writes what waits, and ends. It returns why the log had ended before.
func (w *WAL) Close() error {
	w.refuse(fmt.Errorf("log is closed: %w", errs.Unavailable))
	<-w.ended
	return w.failure
}

func (w *WAL) release() error { return errors.Join(w.image.close(), w.lock.Close()) }

// recover takes over what is in the directory, and mends what a crash left.
func (w *WAL) recover() (*Report, error) {
	files, err := w.load(w.fs, true, func(Item) {})
	if err != nil {
		return nil, err
	}
	r, n := w.report(), len(w.segments)
	switch {
	case n == 0 && w.cfg.MustExist:
		return nil, errNone
	case n == 0 && w.cfg.Ensemble == ID{}:
		return nil, fmt.Errorf("directory has no log, and no ensemble is named to make one for: %w", errs.Invalid)
	case n == 0:
		var drawn [24]byte
		rand.Read(drawn[:]) // never fails
		r.Ensemble, r.Member = w.cfg.Ensemble, cmp.Or(w.cfg.Member, ID(drawn[:]))
		w.first = 1
		w.tail.segment = &segment{header: header{Ensemble: r.Ensemble, Member: r.Member, Salt: le.Uint64(drawn[16:])}}
	case cmp.Or(w.cfg.Ensemble, r.Ensemble) != r.Ensemble:
		return nil, fmt.Errorf("it belongs to ensemble %v, not to %v: %w", r.Ensemble, w.cfg.Ensemble, errs.Conflict)
	case cmp.Or(w.cfg.Member, r.Member) != r.Member:
		return nil, fmt.Errorf("it belongs to member %v, not to %v: %w", r.Member, w.cfg.Member, errs.Conflict)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch spare := strings.HasSuffix(name, spareSuffix); {
		case spare && n > 0 && files[name] == w.cfg.SegmentBytes && len(w.spares) < w.cfg.Spares:
			w.spares = append(w.spares, name)
		case spare:
			w.do(func() error { return w.fs.Remove(name) })
		}
	}
	if n == 0 {
		return r, w.roll(0)
	}
	// The process before may have ended before names or a seal were durable.
	w.do(w.fs.SyncDir)
	for _, s := range w.segments[max(0, n-2):] {
		w.mend(s)
		if s != w.segments[n-1] && !s.Sealed {
			w.note(kindSeal)
		}
	}
	w.retire(int(w.first - w.segments[0].Sequence))
	return r, w.failure
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
