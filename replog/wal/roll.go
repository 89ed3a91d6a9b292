package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

const (
	nextName  = "next" + unfinished
	largeName = "large" + unfinished
)

// roll begins another segment, with room for need bytes of records. Its order
// is what recovery relies on: the old segment is durable before the new one is
// there; that is durable, with all it is born with, before the old one is
// sealed; and only then are records put into it.
//
// Errors: errs.Exhausted if there is no room; then nothing has changed.
func (w *WAL) roll(need int64) error {
	carried := w.carried()
	total := headerBytes + need
	for _, r := range carried {
		total += slotBytes(len(r.Payload))
	}
	size := w.cfg.SegmentBytes
	if total+reserve(size, false) > size {
		size = roundUp(total+reserve(1<<30, false), blockBytes)
	}
	file, name, err := w.acquire(size)
	if err != nil {
		return err
	}
	if err := w.sync(); err != nil {
		return errors.Join(err, file.Close())
	}
	s, rest, err := w.install(file, name, carried, size)
	if err != nil {
		return err
	}
	if err := w.note(kindSeal); err != nil {
		return errors.Join(err, file.Close())
	}
	w.begins(s, rest)
	return nil
}

// begins makes s the segment that is appended to.
func (w *WAL) begins(s *segment, rest []byte) {
	w.tail.reset(s, 0, rest)
	w.synced = s.Base
	w.mu.Lock()
	defer w.mu.Unlock()
	w.segments = append(w.segments, s)
}

// install writes the start of a segment into a file, makes it durable and
// gives it its name. It returns the bytes of its last block. Without room for
// it, the file goes back to where it came from.
func (w *WAL) install(file File, name string, carried []Record, size int64) (*segment, []byte, error) {
	s := &segment{name: segmentName(w.tail.Sequence + 1), file: file, header: w.tail.header}
	s.Sequence, s.Size = w.tail.Sequence+1, size
	buf := make([]byte, headerBytes)
	for _, r := range carried {
		buf = record{r, 0, checksum(r.Payload)}.append(buf, s.seed(), int64(len(buf)))
	}
	s.Base = int64(len(buf))
	copy(buf, s.encode())
	err := w.write(file, append(buf, zeros[:roundUp(s.Base, blockBytes)-s.Base]...), 0)
	if err == nil {
		if err := file.Datasync(); err != nil {
			return nil, nil, errors.Join(err, file.Close())
		}
		err = w.deps.FS.Rename(name, s.name)
	}
	if isFull(err) && name == largeName {
		return nil, nil, errors.Join(exhausted(err), file.Close(), w.deps.FS.Remove(name))
	} else if isFull(err) {
		w.spares = append(w.spares, name)
		return nil, nil, errors.Join(exhausted(err), file.Close())
	}
	if err == nil {
		err = w.deps.FS.SyncDir()
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return s, buf, nil
}

// create makes the first segment of a directory.
func (w *WAL) create(others []FileInfo) (*Report, error) {
	if err := w.tidy(others); err != nil {
		return nil, err
	}
	h := header{Ensemble: w.cfg.Ensemble, Member: w.cfg.Member}
	if h.Ensemble == (ID{}) {
		return nil, fmt.Errorf("directory has no log, and no ensemble is named to make one for: %w", errs.Invalid)
	}
	if h.Member == (ID{}) {
		if _, err := io.ReadFull(w.deps.Random, h.Member[:]); err != nil {
			return nil, fmt.Errorf("draw member id: %w", err)
		}
	}
	var salt [8]byte
	if _, err := io.ReadFull(w.deps.Random, salt[:]); err != nil {
		return nil, fmt.Errorf("draw salt: %w", err)
	}
	h.Salt = binary.LittleEndian.Uint64(salt[:])
	file, name, err := w.acquire(w.cfg.SegmentBytes)
	if err != nil {
		return nil, err
	}
	w.first, w.tail.segment = 1, &segment{header: h}
	s, rest, err := w.install(file, name, w.carried(), w.cfg.SegmentBytes)
	if err != nil {
		return nil, err
	}
	w.begins(s, rest)
	return &Report{Ensemble: h.Ensemble, Member: h.Member, State: map[uint8]Record{}}, nil
}

// acquire gets a file for a segment: a spare, or a new one.
func (w *WAL) acquire(size int64) (File, string, error) {
	if size != w.cfg.SegmentBytes {
		// It is written once only: blocks that were never written will do.
		file, err := w.allocate(largeName, size)
		if err == nil {
			w.counts.Created++
		}
		return file, largeName, err
	}
	if len(w.spares) == 0 {
		if err := w.fill(size); err != nil {
			return nil, "", err
		}
	}
	name := w.spares[0]
	file, err := w.deps.FS.Open(name, true)
	if err == nil {
		w.spares = w.spares[1:]
	}
	return file, name, err
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
	return file, nil
}

// prepare makes the next spare while the segment before it fills, two bytes for
// each byte appended and not much at once, so that nobody waits for the whole.
func (w *WAL) prepare() error {
	step := min(writeBytes, w.cfg.SegmentBytes)
	if w.cfg.Spares <= 0 || len(w.spares) > 0 {
		w.debt = 0
	}
	if w.debt < step {
		return nil
	}
	n := min(roundDown(w.debt, step), 4*step)
	w.debt -= n
	if err := w.fill(n); err != nil && !errors.Is(err, errs.Exhausted) {
		return err
	}
	return nil
}

// fill writes n more bytes of the next spare: a sync of blocks that were written
// before has only their content to make durable.
func (w *WAL) fill(n int64) error {
	var err error
	if w.next == nil {
		if w.next, err = w.allocate(nextName, w.cfg.SegmentBytes); err != nil {
			w.next = nil
			return err
		}
		w.nextAt = 0
	}
	for end := min(w.nextAt+n, w.cfg.SegmentBytes); w.nextAt < end && err == nil; {
		step := min(end-w.nextAt, writeBytes)
		if err = w.write(w.next, zeros[:step], w.nextAt); err == nil {
			err = w.next.Datasync()
		}
		w.nextAt += step
	}
	if err == nil && w.nextAt < w.cfg.SegmentBytes {
		return nil
	}
	file := w.next
	w.next = nil
	if err != nil {
		return errors.Join(exhausted(err), file.Close(), w.deps.FS.Remove(nextName))
	}
	w.counts.Created++
	name := w.unusedSpare()
	if err := errors.Join(file.Close(), w.deps.FS.Rename(nextName, name)); err != nil {
		return exhausted(err)
	}
	w.spares = append(w.spares, name)
	return nil
}

func (w *WAL) unusedSpare() string {
	n := 0
	for slices.Contains(w.spares, spareName(n)) {
		n++
	}
	return spareName(n)
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// exhausted gives the class to an error that says so.
func exhausted(err error) error {
	if isFull(err) {
		return fmt.Errorf("make room for another segment: %w: %w", err, errs.Exhausted)
	}
	return err
}
