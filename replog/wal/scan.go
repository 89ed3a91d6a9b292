package wal

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
