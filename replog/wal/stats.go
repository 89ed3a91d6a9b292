package wal

// Stats counts since Open what the log did, and says what it is.
type Stats struct {
	Batches, Records uint64 // appended
	Groups, Syncs    uint64 // written together, made durable together
	StoredBytes      uint64 // payloads
	WrittenBytes     uint64 // given to files, blocks that are prepared included
	Created          uint64 // files
	Recycled         uint64 // segments made spares

	Begin     uint64 // positions below are truncated
	Last      uint64 // highest position, 0 if there is none
	Positions int
	Segments  int
	DiskBytes int64 // of the segments
}

// Stats is a snapshot.
func (w *WAL) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Begin, s.Last, s.Positions, s.Segments = w.begin, 0, len(w.index), len(w.segments)
	if s.Positions > 0 {
		s.Last = w.index[s.Positions-1].Position
	}
	for _, seg := range w.segments {
		s.DiskBytes += seg.Size
	}
	return s
}
