package master

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"mezzo/api/link"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
	"mezzo/master/core"
)

// inboxSize bounds the events that wait for the loop, of each kind: calls and readers,
// who are refused when there are too many, and agents, who wait. A flood of theirs
// keeps nobody else out.
const inboxSize = 4096

var (
	errBusy    = fmt.Errorf("master is too busy: %w", errs.Exhausted)
	errStopped = fmt.Errorf("master is stopping: %w", errs.Unavailable)
	errSlow    = fmt.Errorf("events were not read fast enough: %w", errs.Exhausted)
)

type (
	subscriberQueue = queue[*scheduler.Event]
	agentQueue      = queue[*link.FromMaster]
)

// request is what the loop is asked: to take an event, or to show the state.
type request struct {
	event      core.Event
	reply      chan<- core.Reply // capacity 1; nil if the event has no Reply
	subscriber *subscriberQueue  // of the stream a SUBSCRIBE opens
	agent      *agentQueue       // of the connection a Hello opens
	view       chan<- *view      // capacity 1; set instead of event
	watcher    *watcherQueue     // with view: hears what changes after it
	unwatch    bool              // instead of event: watcher hears no more
}

// loop owns the core. Everything below it runs in the goroutine of run, except
// where it says otherwise.
type loop struct {
	core  *core.Core
	gate  *gate
	log   *slog.Logger
	inbox chan request  // from those who can be refused
	told  chan request  // from those who can wait
	done  chan struct{} // closed when run has returned

	steps  atomic.Uint64 // counts the core's changes
	rounds timing        // of the steps with a round of offers
	cached atomic.Pointer[view]

	subscribers map[core.StreamID]*subscriberQueue
	agents      map[core.ConnID]*agentQueue
	watchers    watchers
	watching    atomic.Int64 // how many of them
	later       []core.Event // what effects led to, to be fed after them
	fatal       error        // ends it
}

func newLoop(c *core.Core, g *gate, log *slog.Logger, maxWatchers int) *loop {
	return &loop{
		watchers:    watchers{most: maxWatchers},
		core:        c,
		gate:        g,
		log:         log,
		inbox:       make(chan request, inboxSize),
		told:        make(chan request, inboxSize),
		done:        make(chan struct{}),
		subscribers: map[core.StreamID]*subscriberQueue{},
		agents:      map[core.ConnID]*agentQueue{},
	}
}

// run feeds the core until ctx ends, then ends every stream without a word, so
// that frameworks and agents look for the next master. An error says why it can't
// go on.
func (l *loop) run(ctx context.Context) error {
	defer close(l.done)
	defer l.closeAll()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-l.inbox:
			l.handle(r)
		case r := <-l.told:
			l.handle(r)
		case <-l.gate.signal:
		case <-timer.C:
			l.feed(core.Tick{}, nil)
		}
		if l.flush(); l.fatal != nil {
			return l.fatal
		}
		wait := time.Until(l.core.NextWake())
		if len(l.gate.held) > 0 {
			wait = min(wait, retryAfter)
		}
		timer.Reset(wait)
	}
}

func (l *loop) closeAll() {
	for _, q := range l.subscribers {
		q.close(nil)
	}
	for _, q := range l.agents {
		q.close(errStopped)
	}
	for _, q := range l.watchers.queues {
		q.close(nil)
	}
}

func (l *loop) handle(r request) {
	if r.unwatch {
		l.unwatch(r.watcher)
		return
	}
	if r.view != nil {
		h := held{viewer: r.view, watcher: r.watcher}
		if r.watcher != nil {
			h.view = l.begin()
		} else {
			h.view = l.look()
		}
		if l.gate.pass(h) {
			l.show(h)
		}
		return
	}
	switch ev := r.event.(type) {
	case core.SchedulerCall:
		if r.subscriber != nil {
			l.subscribers[ev.Stream] = r.subscriber
		}
	case core.StreamClosed:
		delete(l.subscribers, ev.Stream)
	case core.AgentHello:
		l.agents[ev.Conn] = r.agent
	case core.AgentDisconnected:
		delete(l.agents, ev.Conn)
	}
	l.feed(r.event, r.reply)
}

// feed gives the core an event, and then those that followed from its effects.
func (l *loop) feed(ev core.Event, reply chan<- core.Reply) {
	l.step(ev, reply)
	l.follow()
}

func (l *loop) follow() {
	for len(l.later) > 0 {
		ev := l.later[0]
		l.later = l.later[1:]
		l.step(ev, nil)
	}
}

func (l *loop) step(ev core.Event, reply chan<- core.Reply) {
	start, before := time.Now(), l.core.Rounds()
	effects := l.core.Step(start, ev)
	if l.core.Rounds() != before {
		l.rounds.add(time.Since(start))
	}
	l.steps.Add(1)
	for _, e := range effects {
		if h := (held{effect: e, reply: reply}); l.gate.pass(h) {
			l.show(h)
		}
	}
}

// flush lets out what was held back and need not be any more.
func (l *loop) flush() {
	out, err := l.gate.free()
	for _, h := range out {
		l.show(h)
	}
	l.follow()
	if err != nil && l.fatal == nil {
		l.fatal = err
	}
}

// show lets the world see something.
func (l *loop) show(h held) {
	if h.viewer != nil {
		if h.watcher != nil {
			l.watchers.add(h.watcher)
			l.watching.Store(int64(len(l.watchers.queues)))
		}
		l.cached.Store(h.view)
		h.viewer <- h.view
		return
	}
	l.perform(h.effect, h.reply)
}

func (l *loop) perform(e core.Effect, reply chan<- core.Reply) {
	switch e := e.(type) {
	case core.SendFramework:
		if q, ok := l.subscribers[e.Stream]; ok && !q.push(e.Event) {
			q.cut(errSlow)
			delete(l.subscribers, e.Stream)
			l.later = append(l.later, core.StreamClosed{Stream: e.Stream})
		}
	case core.CloseFramework:
		if q, ok := l.subscribers[e.Stream]; ok {
			q.close(nil)
			delete(l.subscribers, e.Stream)
		}
	case core.SendAgent:
		if q, ok := l.agents[e.Conn]; ok && !q.push(e.Message) {
			q.cut(errSlow)
			delete(l.agents, e.Conn)
			l.later = append(l.later, core.AgentDisconnected{Conn: e.Conn})
		}
	case core.CloseAgent:
		if q, ok := l.agents[e.Conn]; ok {
			q.close(e.Err)
			delete(l.agents, e.Conn)
		}
	case core.Reply:
		if reply != nil {
			reply <- e
		}
	case core.Fatal:
		l.fatal = e.Err
	case core.Trace:
		l.trace(e)
	default:
		if ev := newsOf(e); ev != nil && len(l.watchers.queues) > 0 {
			l.watchers.tell(newNews(ev))
			l.watching.Store(int64(len(l.watchers.queues)))
		}
	}
}

var levels = map[core.Level]slog.Level{core.Debug: slog.LevelDebug, core.Info: slog.LevelInfo, core.Warn: slog.LevelWarn}

func (l *loop) trace(t core.Trace) {
	attrs := make([]slog.Attr, len(t.Attrs))
	for i, a := range t.Attrs {
		attrs[i] = slog.String(a.Key, a.Value)
	}
	l.log.LogAttrs(context.Background(), levels[t.Level], t.Message, attrs...)
}

// ask hands r over unless the inbox is full, and waits until it is done. It may
// be called from anywhere.
func (l *loop) ask(r request) error {
	_, err := l.put(r)
	return err
}

// put is ask for events whose reply has more to say than an error.
func (l *loop) put(r request) (core.Reply, error) {
	reply := make(chan core.Reply, 1)
	r.reply = reply
	select {
	case l.inbox <- r:
	default:
		return core.Reply{}, errBusy
	}
	select {
	case answer := <-reply:
		return answer, answer.Err
	case <-l.done:
		return core.Reply{}, errStopped
	}
}

// tell hands r over as soon as there is room. It may be called from anywhere.
func (l *loop) tell(r request) error {
	select {
	case l.told <- r:
		return nil
	case <-l.done:
		return errStopped
	}
}
