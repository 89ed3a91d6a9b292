package wal

import (
	"fmt"
	"sync/atomic"

	"mezzo/internal/errs"
)

const (
	segmentSuffix = ".seg"
	spareSuffix   = ".spare"
	newName       = "new" + spareSuffix // a new file's until it is a segment
)

// segment is one file of the log.
type segment struct {
	header
	SegmentReport       // as it was found, but for File and Live
	vouched       int64 // up to here the last record says that all is durable
	raw           int64 // bytes at the end that were never written
	file          File
	gone          atomic.Bool // the file may be another's
}

func segmentName(sequence uint64) string { return fmt.Sprintf("%016x%s", sequence, segmentSuffix) }

// place is the slot of a record at the offset.
func (s *segment) place(offset int64, r Record) slot {
	return slot{Meta{r.Position, r.Ballot, uint32(len(r.Payload)), r.Kind}, uint32(s.Sequence), uint32(offset / alignBytes)}
}

func (s *segment) read(at slot) (Record, error) {
	offset := int64(at.block) * alignBytes
	buf := make([]byte, slotBytes(int(at.Length)))
	if _, err := s.file.ReadAt(buf, offset); err != nil {
		return Record{}, err
	}
	r, ok := parseRecord(buf, s.seed(), offset)
	if !ok || r.Position != at.Position || checksum(r.Payload) != r.sum {
		return Record{}, fmt.Errorf("record at offset %d of segment %q is damaged: %w", offset, s.File, errs.Corrupt)
	}
	return r.Record, nil
}

// scan reads the records of the segment's bytes until there is one no more, and
// then tells why. If a record behind the bad place says that this was durable,
// then it was damaged later; if none does, it is of the last write, which no sync
// covered. What a segment was born with was durable always: it vouches for
// nothing, and all that follows for at least that. So of a file that was to be
// this segment before, in vain, and was longer when born, nothing is taken for a
// record now.
func (s *segment) scan(data []byte, visit func(offset int64, r record) error) error {
	seed := s.seed()
	parse := func(at int64) (record, bool) {
		r, ok := parseRecord(data[at:], seed, at)
		return r, ok && (at < s.Base) == (r.synced < s.Base)
	}
	s.File, s.Size, s.End, s.vouched = segmentName(s.Sequence), s.Bytes, headerBytes, headerBytes
	for !s.Sealed {
		r, ok := parse(s.End)
		if !ok || checksum(r.Payload) != r.sum {
			break
		}
		if err := visit(s.End, r); err != nil {
			return err
		}
		s.Records++
		s.End += slotBytes(len(r.Payload))
		s.vouched = max(s.vouched, r.synced)
		s.Sealed = r.Kind == kindSeal
	}
	durable := s.Base
	for at := s.End; at+recordBytes <= s.Size && !s.Sealed; at += alignBytes {
		if r, ok := parse(at); ok {
			durable = max(durable, r.synced)
			s.Torn = max(s.Torn, at+slotBytes(len(r.Payload))-s.End)
		}
	}
	if s.End < durable {
		return fmt.Errorf("record at offset %d is damaged though it was durable: %w", s.End, errs.Corrupt)
	}
	return nil
}
