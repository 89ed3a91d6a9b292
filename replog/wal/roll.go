package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"syscall"

	"mezzo/internal/errs"
)

// ownBytes at the end of a segment are for the log's own records: its seal, and
// truncations when nothing else has room.
const ownBytes = 1 << 10

// reserve is what of a segment only state may use, so that a full disk stops
// entries first and promises later; and what state may not use either.
func reserve(size int64, state bool) int64 {
	if state {
		return ownBytes
	}
	return ownBytes + min(64<<10, size/8)
}

// Spares that are no segments from before: the one in the making, and a file for
// a batch that is larger than a segment. A crash leaves nothing in either that
// does harm, but a size.
const (
	nextName  = "next" + spareSuffix
	largeName = "large" + spareSuffix
)

// roll begins another segment, with room for need bytes of records. Its order
// is what recovery relies on: the old segment is durable before the new one is
// there; that is durable, with all it is born with, before the old one is
// sealed; and only then are records put into it.
//
// Errors: errs.Exhausted if there is no room; then nothing has changed.
func (w *WAL) roll(need int64) error {
	s := &segment{header: w.tail.header}
	s.Sequence++
	birth := w.birth(s.seed())
	s.Base, s.Size = int64(len(birth)), w.cfg.SegmentBytes
	if s.Base+need+reserve(s.Size, false) > s.Size {
		s.Size = roundUp(s.Base+need+reserve(maxSegment, false), blockBytes)
	}
	copy(birth, s.encode())
	name, err := w.acquire(s)
	if err != nil {
		return err
	}
	if err := w.install(s, name, birth); err != nil {
		err = errors.Join(err, s.file.Close())
		if errors.Is(err, errs.Exhausted) && name == largeName {
			err = errors.Join(err, w.deps.FS.Remove(name))
		} else if errors.Is(err, errs.Exhausted) {
			w.spares = append(w.spares, name)
		}
		return err
	}
	w.tail.reset(s, s.Base, 0, birth)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.segments = append(w.segments, s)
	return nil
}

// birth is what a segment starts with, in an order that is always the same: room
// for its header, the begin and all state.
func (w *WAL) birth(seed uint32) []byte {
	all := []Record{{Kind: kindBegin, Position: w.begin, Ballot: w.first}}
	for _, kind := range slices.Sorted(maps.Keys(w.state)) {
		all = append(all, w.state[kind])
	}
	b := make([]byte, headerBytes)
	for _, r := range all {
		b = record{r, 0, checksum(r.Payload)}.append(b, seed, int64(len(b)))
	}
	return b
}

// install makes a segment of the file of a spare.
func (w *WAL) install(s *segment, spare string, birth []byte) error {
	if err := w.sync(); err != nil {
		return err
	}
	if err := w.write(s.file, append(birth, zeros[:roundUp(s.Base, blockBytes)-s.Base]...), 0); err != nil {
		return exhausted(err)
	}
	if err := s.file.Datasync(); err != nil {
		return err
	}
	if err := w.deps.FS.Rename(spare, segmentName(s.Sequence)); err != nil {
		return exhausted(err)
	}
	if err := w.deps.FS.SyncDir(); err != nil || s.Sequence == 1 {
		return err
	}
	return w.note(kindSeal)
}

// create makes the first segment of a directory.
func (w *WAL) create() error {
	if w.cfg.Ensemble == (ID{}) {
		return fmt.Errorf("directory has no log, and no ensemble is named to make one for: %w", errs.Invalid)
	}
	var drawn [24]byte
	if _, err := io.ReadFull(w.deps.Random, drawn[:]); err != nil {
		return fmt.Errorf("draw member id and salt: %w", err)
	}
	w.first, w.tail.segment = 1, &segment{header: header{
		Ensemble: w.cfg.Ensemble,
		Member:   cmp.Or(w.cfg.Member, ID(drawn[:16])),
		Salt:     le.Uint64(drawn[16:]),
	}}
	return w.roll(0)
}

// acquire gets the file for a segment: a spare, or a new one.
func (w *WAL) acquire(s *segment) (name string, err error) {
	if s.Size != w.cfg.SegmentBytes {
		// It is written once only: blocks that were never written will do.
		s.file, err = w.allocate(largeName, s.Size)
		return largeName, err
	}
	if len(w.spares) == 0 {
		if err := w.fill(s.Size); err != nil {
			return "", err
		}
	}
	name = w.spares[0]
	if s.file, err = w.deps.FS.Open(name, true); err == nil {
		w.spares = w.spares[1:]
	}
	return name, err
}

// allocate creates a file, or leaves none.
func (w *WAL) allocate(name string, size int64) (File, error) {
	file, err := w.deps.FS.Create(name)
	if err != nil {
		return nil, exhausted(err)
	}
	if err := file.Allocate(size); err != nil {
		return nil, errors.Join(exhausted(err), file.Close(), w.deps.FS.Remove(name))
	}
	w.counts.Created++
	return file, nil
}

// prepare makes the next spare while the segment before it fills, two bytes for
// each byte appended and not much at once, so that nobody waits for the whole.
func (w *WAL) prepare() error {
	step := min(writeBytes, w.cfg.SegmentBytes)
	due := roundDown(2*w.tail.end()-w.filled, step)
	if w.cfg.Spares <= 0 || len(w.spares) > 0 || due <= 0 {
		return nil
	}
	if err := w.fill(min(due, 4*step)); !errors.Is(err, errs.Exhausted) {
		return err
	}
	return nil
}

// fill writes n more bytes of the next spare: a sync of blocks that were written
// before has only their content to make durable.
func (w *WAL) fill(n int64) (err error) {
	if w.next == nil {
		if w.next, err = w.allocate(nextName, w.cfg.SegmentBytes); err != nil {
			return err
		}
	}
	for end := min(w.filled+n, w.cfg.SegmentBytes); w.filled < end; {
		step := min(end-w.filled, writeBytes)
		if err := w.write(w.next, zeros[:step], w.filled); err != nil {
			return exhausted(err)
		}
		if err := w.next.Datasync(); err != nil {
			return exhausted(err)
		}
		w.filled += step
	}
	if w.filled == w.cfg.SegmentBytes {
		err = w.next.Close()
		w.spares, w.next, w.filled = append(w.spares, nextName), nil, 0
	}
	return err
}

// exhausted gives the class to an error that says so.
func exhausted(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("make room for another segment: %w: %w", err, errs.Exhausted)
	}
	return err
}
