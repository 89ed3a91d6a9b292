package wal

import (
	"errors"
	"slices"
	"strings"
)

// truncate gives up the positions below, in memory at once, and the segments
// that hold nothing else.
func (w *WAL) truncate(below uint64) error {
	w.mu.Lock()
	w.begin = max(w.begin, below)
	w.index.drop(w.begin, func(s slot) { w.segmentOf(s).live-- })
	freed := 0
	for freed < len(w.segments)-1 && w.segments[freed].live == 0 {
		freed++
	}
	w.mu.Unlock()
	w.first += uint64(freed)
	// A truncation that frees something always finds room, or a full disk
	// would stay full.
	own := ownBytes
	if freed > 0 {
		own = recordBytes
	}
	if w.tail.end()+recordBytes > w.tail.Size-int64(own) {
		if err := w.roll(0); err != nil {
			w.first -= uint64(freed)
			return err
		}
	} else if err := w.note(kindBegin); err != nil {
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
		s.gone = true
		read := s.refs > 0 // then the reader closes it
		w.mu.Unlock()
		if reuse := !read && s.Size == w.cfg.SegmentBytes && len(w.spares) < w.cfg.Spares; reuse {
			name := w.unusedSpare()
			if err := w.deps.FS.Rename(s.name, name); err != nil {
				return err
			}
			w.spares = append(w.spares, name)
			w.counts.Recycled++
		} else if err := w.deps.FS.Remove(s.name); err != nil {
			return err
		}
		if err := w.deps.FS.SyncDir(); err != nil {
			return err
		}
		if !read {
			if err := s.file.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// tidy keeps the spares that it may and removes what was never finished.
func (w *WAL) tidy(files []FileInfo) error {
	slices.SortFunc(files, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	var all []error
	for _, f := range files {
		if strings.HasSuffix(f.Name, spareSuffix) && f.Size == w.cfg.SegmentBytes && len(w.spares) < w.cfg.Spares {
			w.spares = append(w.spares, f.Name)
		} else {
			all = append(all, w.deps.FS.Remove(f.Name))
		}
	}
	return errors.Join(all...)
}
