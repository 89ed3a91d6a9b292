package state

import (
	"context"
	"sort"

	api "mezzo/api/replog"
)

// keepBytes is what at least is taken along.
const keepBytes = 4 << 10

// keep picks the oldest living variables for the next entry, if the log has too
// much that is dead: as many bytes again as the entry has, and at least one. Those
// that are changed at this moment come behind anyway. s.mu and l.order are held.
func (l *Leader) keep(bytes int) (kept []*api.Change) {
	s := l.s
	s.forget()
	if s.sum-s.base <= 2*s.live+s.cfg.SpareBytes {
		return nil
	}
	room := int64(min(2*bytes+keepBytes, l.limit()))
	for n := s.ring.next; n != &s.ring && (room >= n.bytes()+overhead || len(kept) == 0); n = n.next {
		if l.flying[n.name] == 0 {
			kept = append(kept, put(n.name, n.version, n.value))
			room -= n.bytes() + overhead
		}
	}
	return kept
}

// truncate gives up the log before the oldest living variable, if that is worth
// an entry. s.mu is held.
func (l *Leader) truncate() {
	s, to := l.s, l.s.applied
	if first := s.ring.next; first != &s.ring {
		to = first.at
	}
	s.forget()
	if l.truncating || s.sumBelow(to)-s.base <= s.cfg.SpareBytes/8 {
		return
	}
	l.truncating = true
	done := func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.truncating = false; err == nil { // else with the next change
			l.truncate()
		}
	}
	go func() {
		if err := l.w.Truncate(context.Background(), to, done); err != nil {
			done(err)
		}
	}()
}

// forget drops the extents that are truncated. s.mu is held.
func (s *State) forget() {
	begin := s.log.Begin()
	s.base = max(s.base, s.sumBelow(begin))
	n := sort.Search(len(s.extents), func(i int) bool { return s.extents[i].position >= begin })
	s.extents = s.extents[n:]
}

// sumBelow is the bytes of all entries before a position.
func (s *State) sumBelow(position uint64) int64 {
	n := sort.Search(len(s.extents), func(i int) bool { return s.extents[i].position >= position })
	if n == 0 {
		return s.base
	}
	return s.extents[n-1].sum
}
