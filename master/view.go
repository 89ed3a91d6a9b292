package master

import (
	"sync"
	"time"

	"mezzo/master/core"
)

// view is a snapshot that many may read at once.
type view struct {
	snapshot *core.Snapshot
	step     uint64    // of the core, at which it was made
	until    time.Time // it is new enough till then, whatever happened since
	sort     sync.Once
}

// viewShare: the loop spends at most one part in so many on making views.
const viewShare = 10

// look makes a view, unless there is one that will do.
func (l *loop) look() *view {
	start := time.Now()
	step := l.steps.Load()
	if v := l.cached.Load(); v != nil && (v.step == step || start.Before(v.until)) {
		return v
	}
	v := &view{snapshot: l.core.Snapshot(), step: step}
	v.until = start.Add(viewShare * time.Since(start))
	return v
}

// read returns the state, sorted. It may be called from anywhere; unless
// something happened since it was read last, the loop does not notice.
func (l *loop) read() (*core.Snapshot, error) {
	v := l.cached.Load()
	if v == nil || v.step != l.steps.Load() {
		answer := make(chan *view, 1)
		select {
		case l.inbox <- request{view: answer}:
		default:
			return nil, errBusy
		}
		select {
		case v = <-answer:
		case <-l.done:
			return nil, errStopped
		}
	}
	v.sort.Do(v.snapshot.Sort)
	return v.snapshot, nil
}
