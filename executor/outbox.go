package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	wire "mezzo/api/mesos/v1/executor"
	"mezzo/internal/errs"
)

// sent is the outcome of a call in a session.
type sent struct {
	session *session
	req     *request
	err     error
}

// send starts the next call.
func (l *loop) send() {
	if l.sending != nil || !l.subscribed || len(l.outbox) == 0 {
		return
	}
	s, req := l.session, l.outbox[0]
	l.outbox = slices.Delete(l.outbox, 0, 1)
	l.sending = req
	go func() { l.sent <- sent{s, req, s.call(req)} }()
}

// accept takes what Update or Message asks for.
func (l *loop) accept(req *request) {
	if l.ending && l.session == nil {
		req.answer(fmt.Errorf("call %s: executor is ending without its agent: %w", req.name, ErrDisconnected))
		return
	}
	if req.status == nil && !l.subscribed {
		req.answer(fmt.Errorf("call %s: no subscription: %w", req.name, ErrDisconnected))
		return
	}
	if req.status != nil {
		if err := l.pending.update(req.status); err != nil {
			req.answer(err)
			return
		}
		if !l.subscribed {
			req.answer(nil) // it is kept
		}
	}
	if l.session != nil { // else SUBSCRIBE will carry it
		l.outbox = append(l.outbox, req)
	}
}

// outcome takes the agent's answer to a call, or that there was none.
func (l *loop) outcome(ctx context.Context, s sent) {
	var refusal *RefusedError
	switch {
	case s.err == nil:
		s.req.answer(nil)
	case errors.As(s.err, &refusal) && (errors.Is(s.err, errs.Invalid) || errors.Is(s.err, errs.Unsupported)):
		if s.req.status != nil {
			l.pending.withdraw(s.req.status)
			l.c.log.Error("update refused", "task", s.req.status.GetTaskId().GetValue(), "state", s.req.status.GetState(), "err", s.err)
		}
		s.req.answer(s.err)
	default:
		// An agent that restarted knows us again only once we subscribe.
		s.req.answer(l.undelivered(s.req, s.err))
		if s.session == l.session {
			l.lost(ctx, s.err)
		}
	}
}

// undelivered is how the end of a session looks to who waits for req: no loss
// for an update, as long as a SUBSCRIBE may carry it.
func (l *loop) undelivered(req *request, why error) error {
	var refusal *RefusedError
	switch {
	case req.status != nil && !l.ending:
		return nil
	case errors.Is(why, ErrDisconnected), errors.As(why, &refusal):
		return why
	}
	return fmt.Errorf("call %s: %w: %w", req.name, why, ErrDisconnected)
}

// beat sends a heartbeat. Agents before 1.10 refuse it, which does no harm.
func (l *loop) beat() {
	if req, err := l.c.request(&wire.Call{Type: wire.Call_HEARTBEAT.Enum()}); err == nil {
		l.outbox = append(l.outbox, req)
	}
	l.heartbeat.Reset(l.c.cfg.Heartbeat)
}
