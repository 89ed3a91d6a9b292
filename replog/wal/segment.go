package wal

import (
	"fmt"
	"sync/atomic"

	"mezzo/internal/errs"
)

const (
	segmentSuffix = ".seg"
	spareSuffix   = ".spare"
)

// segment is one file of the log.
type segment struct {
	header
	file  File
	found scanned     // when it was opened
	live  int         // positions whose record is here
	gone  atomic.Bool // the file may be another's
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
		return Record{}, fmt.Errorf("record at offset %d of segment %q is damaged: %w", offset, segmentName(s.Sequence), errs.Corrupt)
	}
	return r.Record, nil
}

// scanned is what the bytes of a segment tell.
type scanned struct {
	end     int64 // of the last record
	synced  int64 // up to here the last record vouches for
	sealed  bool
	broken  bool  // what is at end was durable once: not a torn write, but damage
	torn    int64 // end of what an unfinished write left behind end, or end
	records int
}

// scan reads the records of a whole segment until there is one no more, and
// then tells why. A record says up to where the segment was durable when it was
// written. So if one behind the bad place says that the bad place was, then
// that was damaged later; if none does, the bad place is of the last write,
// which no sync covered. What a segment was born with was durable always.
//
// What it is born with vouches for nothing, and all that follows for at least
// that. So a file that was to be this segment before, in vain, and was longer
// when born, has nothing that is taken for a record now.
func scan(data []byte, h header, visit func(offset int64, r record) error) (scanned, error) {
	seed, size := h.seed(), int64(len(data))
	parse := func(at int64) (record, bool) {
		r, ok := parseRecord(data[at:], seed, at)
		return r, ok && (at < h.Base) == (r.synced < h.Base)
	}
	s := scanned{end: headerBytes, synced: headerBytes}
	for !s.sealed {
		r, ok := parse(s.end)
		if !ok || checksum(r.Payload) != r.sum {
			break
		}
		if err := visit(s.end, r); err != nil {
			return s, err
		}
		s.records++
		s.end, s.synced, s.sealed = s.end+slotBytes(len(r.Payload)), max(s.synced, r.synced), r.Kind == kindSeal
	}
	s.torn = s.end
	if s.sealed {
		return s, nil
	}
	s.broken = s.end < h.Base
	for at := s.end; at+recordBytes <= size; at += alignBytes {
		if r, ok := parse(at); ok {
			s.broken = s.broken || r.synced > s.end
			s.torn = max(s.torn, at+slotBytes(len(r.Payload)))
		}
	}
	// Writes fill their last block with zeros.
	for at := min(roundUp(s.end, blockBytes), size) - 1; at >= s.torn; at-- {
		if data[at] != 0 {
			s.torn = at + 1
			break
		}
	}
	return s, nil
}
