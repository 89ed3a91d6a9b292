package executor

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
)

// maxWaiting bounds the events that wait for the handler. Beyond it the stream
// is not read, so that the agent waits, too.
const maxWaiting = 1000

// loop is the state of Run, and who owns it.
type loop struct {
	c *Client
	h *Handler

	pending pending
	jitter  *rand.Rand

	session    *session   // nil between two tries
	subscribed bool       // session has brought SUBSCRIBED
	outbox     []*request // to be sent in session, in order
	sending    *request   // on its way, perhaps in an earlier session
	sent       chan sent

	waiting []invocation // of the handler, in order
	busy    bool         // one is running
	handled chan error

	wait    time.Duration // before the next try
	why     error         // the last one failed
	upSince time.Time     // of the subscription

	stopping bool  // Stop was called
	ending   bool  // Run returns as soon as may be
	err      error // what it returns then
	over     bool  // the grace is

	retry, patience, heartbeat, grace *time.Timer
}

func newLoop(c *Client, h *Handler) *loop {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails: crypto/rand
	return &loop{
		c: c, h: h,
		jitter:  rand.New(rand.NewChaCha8(seed)),
		sent:    make(chan sent, 1),
		handled: make(chan error, 1),
		wait:    c.cfg.MinBackoff,
		why:     fmt.Errorf("no answer: %w", ErrDisconnected),
		retry:   stopped(), patience: stopped(), heartbeat: stopped(), grace: stopped(),
	}
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (l *loop) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errEnded)
	defer func() {
		for _, t := range []*time.Timer{l.retry, l.patience, l.heartbeat, l.grace} {
			t.Stop()
		}
		l.drop(errEnded)
		if l.sending != nil {
			l.sending.answer(l.undelivered(l.sending, errEnded))
		}
	}()

	l.patience.Reset(l.c.cfg.RecoveryTimeout)
	l.connect(ctx)
	done, stop := ctx.Done(), l.c.stop
	for {
		l.handle(ctx)
		l.send()
		if l.finished() {
			return l.err
		}
		var events <-chan received
		if l.session != nil && len(l.waiting) < maxWaiting {
			events = l.session.received
		}
		select {
		case <-done:
			done = nil
			l.end(context.Cause(ctx))
		case <-stop:
			stop, l.stopping = nil, true
		case r := <-events:
			if r.err != nil {
				l.lost(ctx, r.err)
			} else {
				l.take(r.event)
			}
		case req := <-l.c.requests:
			l.accept(req)
		case s := <-l.sent:
			l.sending = nil
			l.outcome(ctx, s)
		case err := <-l.handled:
			l.busy = false
			l.judge(err)
		case <-l.retry.C:
			l.connect(ctx)
		case <-l.patience.C:
			l.shutdown(&LostError{Agent: l.c.cfg.Agent, Away: l.c.cfg.RecoveryTimeout, Cause: l.why})
		case <-l.heartbeat.C:
			l.beat()
		case <-l.grace.C:
			l.c.log.Warn("grace period is over", "handling", l.busy, "unacknowledged", len(l.pending.updates))
			l.over = true
		}
	}
}

// finished tells whether there is nothing left to wait for.
func (l *loop) finished() bool {
	if l.over {
		return true
	}
	if l.busy || len(l.waiting) > 0 {
		return false
	}
	unsent := len(l.outbox) > 0 || l.sending != nil || len(l.pending.updates) > 0
	if l.ending {
		return l.session == nil || !unsent
	}
	return l.stopping && !unsent
}

// handle starts the next call of the handler.
func (l *loop) handle(ctx context.Context) {
	if l.busy || len(l.waiting) == 0 {
		return
	}
	f := l.waiting[0].f
	l.waiting = slices.Delete(l.waiting, 0, 1)
	l.busy = true
	go func() { l.handled <- f(ctx) }()
}

// judge takes what a function of the handler returned.
func (l *loop) judge(err error) {
	switch {
	case err == nil:
	case errors.Is(err, ErrDisconnected):
		l.c.log.Warn("handler found no agent", "err", err)
	case l.ending:
		l.err = errors.Join(l.err, err)
	default:
		l.end(err)
	}
}

// connect subscribes, with all that the agent may have missed.
func (l *loop) connect(ctx context.Context) {
	req, err := l.c.request(&wire.Call{Type: wire.Call_SUBSCRIBE.Enum(), Subscribe: l.pending.subscribe()})
	if err != nil {
		l.shutdown(err)
		return
	}
	l.session = l.c.open(ctx, req)
}

// drop forgets the session, if any, and what was to be sent in it.
func (l *loop) drop(why error) {
	for _, req := range l.outbox {
		req.answer(l.undelivered(req, why))
	}
	l.outbox = nil
	if l.session != nil {
		l.session.cancel(errOver)
	}
	l.session, l.subscribed = nil, false
	l.heartbeat.Stop()
}

// lost takes the end of a session and plans the next, if there is to be one.
func (l *loop) lost(ctx context.Context, why error) {
	if ctx.Err() != nil {
		l.end(context.Cause(ctx)) // everything fails then
		return
	}
	wasUp := l.subscribed
	l.drop(why)
	if l.ending {
		return
	}
	l.why = why
	if wasUp {
		l.patience.Reset(l.c.cfg.RecoveryTimeout)
		// A stream that breaks as soon as it is there is no success.
		if time.Since(l.upSince) > l.c.cfg.SubscriptionBackoffMax {
			l.wait = l.c.cfg.MinBackoff
		}
	}
	var refusal *RefusedError
	switch {
	case !wasUp && !errors.Is(why, ErrDisconnected):
		l.shutdown(why)
	case !l.c.cfg.Checkpoint && !errors.As(why, &refusal): // who answers is not lost
		l.shutdown(&LostError{Agent: l.c.cfg.Agent, Cause: why})
	default:
		l.c.log.Warn("no subscription", "agent", l.c.cfg.Agent, "err", why)
		// Between half and the whole, so that executors which lost the same agent
		// don't return in step.
		l.retry.Reset(l.wait/2 + time.Duration(l.jitter.Int64N(int64(l.wait/2)+1)))
		l.wait = min(2*l.wait, l.c.cfg.SubscriptionBackoffMax)
	}
}

// take takes an event, valid in itself.
func (l *loop) take(ev *wire.Event) {
	if l.ending && ev.GetType() != wire.Event_ACKNOWLEDGED {
		return
	}
	switch ev.GetType() {
	case wire.Event_SUBSCRIBED:
		l.subscribed, l.upSince = true, time.Now()
		l.patience.Stop()
		l.heartbeat.Reset(l.c.cfg.Heartbeat)
		l.queue(bind(l.h.Subscribed, ev.GetSubscribed()))
	case wire.Event_LAUNCH:
		task := ev.GetLaunch().GetTask()
		l.launch(bind(l.h.Launch, task), task)
	case wire.Event_LAUNCH_GROUP:
		group := ev.GetLaunchGroup().GetTaskGroup()
		l.launch(bind(l.h.LaunchGroup, group), group.GetTasks()...)
	case wire.Event_KILL:
		l.queue(bind(l.h.Kill, ev.GetKill()))
	case wire.Event_ACKNOWLEDGED:
		l.acknowledged(ev.GetAcknowledged())
	case wire.Event_MESSAGE:
		l.queue(bind(l.h.Message, ev.GetMessage().GetData()))
	case wire.Event_ERROR:
		l.c.log.Error("agent complains", "message", fmt.Sprintf("%.1000s", ev.GetError().GetMessage()))
		l.queue(bind(l.h.Error, ev.GetError().GetMessage()))
	case wire.Event_SHUTDOWN:
		l.shutdown(nil)
	default: // HEARTBEAT, and what a newer agent may send
	}
}

func (l *loop) queue(i invocation) {
	if i.f != nil {
		l.waiting = append(l.waiting, i)
	}
}

// launch takes tasks in, once, and answers those that the handler has no
// function for.
func (l *loop) launch(i invocation, tasks ...*v1.TaskInfo) {
	if err := l.pending.launch(tasks...); err != nil {
		l.c.log.Warn("launch skipped", "err", err)
		return
	}
	if i.f != nil {
		i.launch = true
		l.queue(i)
		return
	}
	message := "this executor does not launch such tasks"
	for _, t := range tasks {
		req, err := l.c.updateRequest(&v1.TaskStatus{
			TaskId:  t.GetTaskId(),
			State:   v1.TaskState_TASK_ERROR.Enum(),
			Reason:  v1.TaskStatus_REASON_TASK_INVALID.Enum(),
			Message: &message,
		})
		if err != nil {
			l.c.log.Error("launch not answered", "err", err)
			continue
		}
		l.accept(req)
	}
}

func (l *loop) acknowledged(ack *wire.Event_Acknowledged) {
	s := l.pending.acknowledge(ids.TaskID(ack.GetTaskId().GetValue()), ack.GetUuid())
	if s != nil && !l.ending { // else a repeated sending was acknowledged twice
		l.queue(bind(l.h.Acknowledged, s))
	}
}

// shutdown ends Run with err, after the handler has ended the tasks. Launches
// that wait are not begun.
func (l *loop) shutdown(err error) {
	if l.ending {
		return
	}
	end := l.finish(err)
	if err != nil {
		l.drop(err)
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(i invocation) bool { return i.launch })
	if f := l.h.Shutdown; f != nil {
		l.queue(invocation{f: func(ctx context.Context) error {
			ctx, cancel := context.WithDeadline(ctx, end)
			defer cancel()
			return f(ctx)
		}})
	}
}

// end ends Run with err at once, save for the present call of the handler.
func (l *loop) end(err error) {
	if l.ending {
		return
	}
	l.finish(err)
	l.drop(err)
	l.waiting = nil
}

// finish begins the end of Run and tells when it comes at the latest.
func (l *loop) finish(err error) time.Time {
	l.ending, l.err = true, err
	l.retry.Stop()
	l.patience.Stop()
	grace := l.c.cfg.ShutdownGracePeriod / 10 * 9
	l.grace.Reset(grace)
	return time.Now().Add(grace)
}
