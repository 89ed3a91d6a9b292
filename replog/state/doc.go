// Package state keeps named, versioned variables in the replicated log: a
// program's working set, without another database.
//
//	s := state.Open(log, state.Config{})     // on every replica; follows the log
//	w, err := log.Elect(ctx)
//	l, err := s.Lead(ctx, w)                 // until <-w.Done()
//	v, err := l.Fetch(ctx, "jobs/1")
//	v, ok, err := l.Store(ctx, v.Mutate(value)) // not ok: somebody was faster
//
// All variables are in memory, about 200 bytes each beside name and value. Only
// who leads the log changes them, after it has applied all that is from before
// its term; so entries need no condition, and mean the same whatever of the log
// was truncated before them. Others follow, and lead within moments.
//
// The log is cleaned as it is written: while it has more than twice the bytes of
// what lives in it, and Config.SpareBytes, each change takes along the oldest
// living variables, with their versions, and the log before the then oldest is
// truncated. There is no snapshot and no pause.
//
// Fetch, Store, Commit, Expunge and Names are linearizable.
package state
