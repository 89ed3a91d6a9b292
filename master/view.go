package master

import (
	"sync"
	"time"

	"mezzo/master/core"
)

// view is a snapshot that many may read at once.
type view struct {
	unsorted *core.Unsorted
	step     uint64    // of the core, at which it was made
	until    time.Time // it is new enough till then, whatever happened since
	sort     sync.Once
	snapshot *core.Snapshot

	documents documents
}

// sorted is the snapshot in order.
func (v *view) sorted() *core.Snapshot {
	v.sort.Do(func() { v.snapshot = v.unsorted.Sort() })
	return v.snapshot
}

// viewShare: the loop spends at most one part in so many on making views.
const viewShare = 10

// look makes a view, unless there is one that will do.
func (l *loop) look() *view {
	if v := l.cached.Load(); v != nil && (v.step == l.steps.Load() || time.Now().Before(v.until)) {
		return v
	}
	return l.view()
}

// view makes a view.
func (l *loop) view() *view {
	start := time.Now()
	v := &view{unsorted: l.core.Snapshot(), step: l.steps.Load()}
	v.until = start.Add(viewShare * time.Since(start))
	return v
}

// read returns the state, sorted. It may be called from anywhere.
func (l *loop) read() (*core.Snapshot, error) {
	v, err := l.readView()
	if err != nil {
		return nil, err
	}
	return v.sorted(), nil
}

// readView returns a view that is new enough. Unless something happened since the
// last, the loop does not notice.
func (l *loop) readView() (*view, error) {
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
	return v, nil
}
