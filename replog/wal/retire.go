package wal

import (
	"cmp"
	"errors"
	"fmt"

	"mezzo/internal/errs"
)

// truncate gives up the positions below, in memory at once, and the segments
// that hold nothing else, if there are any. It then always finds room, or a
// full disk would stay full; should it not, the next one frees them.
func (w *WAL) truncate(below uint64) error {
	w.mu.Lock()
	w.drop(below)
	freed := 0
	for freed < len(w.segments)-1 && w.segments[freed].live == 0 {
		freed++
	}
	w.mu.Unlock()
	if freed == 0 {
		return nil
	}
	w.first += uint64(freed)
	var err error
	if w.fits(recordBytes, recordBytes) {
		err = w.note(kindBegin)
	} else {
		err = w.roll(0)
	}
	if errors.Is(err, errs.Exhausted) {
		w.first -= uint64(freed)
		return nil
	} else if err != nil {
		return err
	}
	return w.retire(freed)
}

// retire reuses or removes the n oldest segments, which the log says by now to
// be given up. Each is durably gone before the next, so that a crash leaves no
// gap, and before it is written to.
func (w *WAL) retire(n int) error {
	for range n {
		w.mu.Lock()
		s := w.segments[0]
		w.segments = w.segments[1:]
		w.mu.Unlock()
		s.gone.Store(true)
		name, err := segmentName(s.Sequence), error(nil)
		if s.Size == w.cfg.SegmentBytes && len(w.spares) < w.cfg.Spares {
			spare := fmt.Sprintf("%016x%s", s.Sequence, spareSuffix)
			err = w.deps.FS.Rename(name, spare)
			w.spares = append(w.spares, spare)
			w.counts.Recycled++
		} else {
			err = w.deps.FS.Remove(name)
		}
		if err = cmp.Or(err, w.deps.FS.SyncDir(), s.file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// tidy keeps the spares that it may and removes what was never finished.
func (w *WAL) tidy(files []FileInfo) error {
	var all []error
	for _, f := range files {
		if len(w.segments) > 0 && f.Size == w.cfg.SegmentBytes && len(w.spares) < w.cfg.Spares {
			w.spares = append(w.spares, f.Name)
		} else {
			all = append(all, w.deps.FS.Remove(f.Name))
		}
	}
	return errors.Join(all...)
}
