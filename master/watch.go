package master

import (
	"errors"
	"fmt"
	"net/http"

	"mezzo/api/codec"
	"mezzo/internal/errs"
	"mezzo/master/core"
)

var errTooMany = fmt.Errorf("newer subscribers took the place (--max_operator_event_stream_subscribers): %w", errs.Exhausted)

type watcherQueue = queue[*news]

// watchers are those who watch, of one loop, which alone may touch them.
type watchers struct {
	most   int             // of them
	asked  int             // whose end is not known yet, with those that are not let in yet
	queues []*watcherQueue // the oldest first
}

// add lets q hear what is told from now on. If there are too many, the oldest
// has to go.
func (w *watchers) add(q *watcherQueue) {
	w.queues = append(w.queues, q)
	for len(w.queues) > w.most {
		w.queues[0].cut(errTooMany)
		w.queues = w.queues[1:]
	}
}

func (w *watchers) remove(q *watcherQueue) {
	for i, other := range w.queues {
		if other == q {
			w.queues = append(w.queues[:i:i], w.queues[i+1:]...)
			return
		}
	}
}

// tell puts n into all queues. Who did not read what came before is dropped.
func (w *watchers) tell(n *news) {
	kept := w.queues[:0]
	for _, q := range w.queues {
		if q.push(n) {
			kept = append(kept, q)
		} else {
			q.cut(errSlow)
		}
	}
	clear(w.queues[len(kept):])
	w.queues = kept
}

// watch serves the SUBSCRIBE call of operators until either side ends it: the
// state, and then what changes.
func (m *Master) watch(w http.ResponseWriter, r *http.Request, out codec.Codec) {
	t := m.lead()
	heard := newQueueOf(&m.watched, func(n *news) int { return n.size })
	defer heard.cut(nil)
	v, err := t.loop.watch(heard)
	if err != nil {
		fail(w, err)
		return
	}
	defer func() { _ = t.loop.tell(request{unwatch: true, watcher: heard}) }()
	s := &watcherStream{openStream(w, out)}
	doc, err := m.documentOf(v, "SUBSCRIBED "+out.ContentType(), func(s *core.Snapshot) (pieces, error) { return m.subscribed(out, s) })
	if err == nil {
		err = s.writeEncoded(doc.text())
	}
	if err == nil {
		err = serve(r, heard, s)
	}
	switch {
	case errors.Is(err, errs.Exhausted):
		m.log.Warn("operator's subscription ended", "peer", r.RemoteAddr, "err", err)
	case err != nil:
		m.log.Debug("operator's subscription gone", "peer", r.RemoteAddr, "err", err)
	}
}

// watcherStream is the writing side of one operator's subscription.
type watcherStream struct{ *stream }

func (s *watcherStream) event(n *news) error {
	data, err := n.encoded(s.codec)
	if err != nil {
		return err
	}
	return s.writeEncoded(data)
}

func (s *watcherStream) heartbeat() error { return s.event(heartbeatNews) }

// farewell has no words: there is no event for it.
func (s *watcherStream) farewell(string) {}

// watch returns the state, behind which q hears all changes. It may be called from
// anywhere. If there is no error a request to unwatch has to follow.
func (l *loop) watch(q *watcherQueue) (*view, error) {
	answer := make(chan *view, 1)
	select {
	case l.inbox <- request{view: answer, watcher: q}:
	default:
		return nil, errBusy
	}
	select {
	case v := <-answer:
		return v, nil
	case <-l.done:
		return nil, errStopped
	}
}

// begin makes the core tell what changes from now on, and the view before that.
func (l *loop) begin() *view {
	if l.watchers.asked++; l.watchers.asked == 1 {
		l.feed(core.Watch{On: true}, nil)
	}
	if v := l.cached.Load(); v != nil && v.step == l.steps.Load() {
		return v
	}
	return l.view()
}

// unwatch ends what begin began.
func (l *loop) unwatch(q *watcherQueue) {
	l.watchers.remove(q)
	if l.watchers.asked--; l.watchers.asked == 0 {
		l.feed(core.Watch{}, nil)
	}
	l.watching.Store(int64(len(l.watchers.queues)))
}
