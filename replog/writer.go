package replog

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"mezzo/internal/errs"
	"mezzo/replog/paxos"
)

// Writer is a time in which one replica leads. All methods may be called by any
// goroutine.
type Writer struct {
	log    *Log
	ballot paxos.Ballot
	start  uint64
	done   chan struct{}
	until  atomic.Pointer[time.Time]
}

// Elect contends, and returns once this replica leads. When ctx ends first it
// contends no more. Only one may contend or lead at a time: errs.Conflict.
func (l *Log) Elect(ctx context.Context) (*Writer, error) {
	won := make(chan *Writer, 1)
	busy := false
	err := l.do(ctx, func(lp *loop) {
		if busy = lp.electing != nil || lp.writer != nil; !busy {
			lp.electing = won
			lp.core.Contend(true)
		}
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("contend for log: %w", err)
	case busy:
		return nil, fmt.Errorf("contend for log: this replica does already: %w", errs.Conflict)
	}
	select {
	case w := <-won:
		return w, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-l.ended:
		err = ErrClosed
	}
	_ = l.do(context.WithoutCancel(ctx), func(lp *loop) { // or it ended
		lp.electing = nil
		lp.core.Contend(false)
		if lp.writer != nil {
			lp.core.Resign()
		}
	})
	return nil, fmt.Errorf("contend for log: %w", err)
}

// settle tells who waits what became of it.
func (lp *loop) settle() {
	ballot, start := lp.core.Elected()
	if w := lp.writer; w != nil && w.ballot != ballot {
		if lost, at := lp.core.Lost(); lost == w.ballot {
			lp.acknowledge(at)
		}
		waiting := lp.waiting
		lp.waiting, lp.writer = nil, nil
		lp.core.Contend(lp.electing != nil)
		w.until.Store(&time.Time{})
		close(w.done)
		for _, p := range waiting {
			p.done(p.position, ErrDemoted)
		}
	}
	switch {
	case ballot == 0:
		return
	case lp.writer == nil && lp.electing == nil: // nobody wants it any more
		lp.core.Resign()
		return
	case lp.writer == nil:
		lp.writer = &Writer{log: lp.log, ballot: ballot, start: start, done: make(chan struct{})}
		lp.writer.until.Store(&time.Time{})
		lp.log.deps.Log.Info("replica leads the log", "addr", lp.log.cfg.Addr, "ballot", uint64(ballot), "start", start)
		lp.electing <- lp.writer
		lp.electing = nil
	}
	lp.acknowledge(lp.core.State().Chosen)
	end := lp.started.Add(time.Duration(lp.core.LeaseEnd()) * lp.log.cfg.Tick)
	if !lp.writer.Until().Equal(end) {
		lp.writer.until.Store(&end)
		lp.log.mu.Lock()
		lp.log.notify()
		lp.log.mu.Unlock()
	}
}

func (lp *loop) acknowledge(below uint64) {
	n := 0
	for ; n < len(lp.waiting) && lp.waiting[n].position < below; n++ {
		p := &lp.waiting[n]
		p.done(p.position, nil)
		*p = proposal{}
	}
	lp.waiting = lp.waiting[n:]
}

// Start is where the term began: all below is from before and chosen.
func (w *Writer) Start() uint64 { return w.start }

// Done is closed when the replica leads no more.
func (w *Writer) Done() <-chan struct{} { return w.done }

// Until is up to when certainly nobody else leads, unless it moves on. It is in
// the past if that is not certain.
func (w *Writer) Until() time.Time { return *w.until.Load() }

// Confirm returns nil if at this moment certainly nobody else leads, or waits
// for that.
func (w *Writer) Confirm(ctx context.Context) error {
	for {
		w.log.mu.Lock()
		changed := w.log.changed
		w.log.mu.Unlock()
		if time.Now().Before(w.Until()) {
			return nil
		}
		select {
		case <-changed:
		case <-w.done:
			return ErrDemoted
		case <-ctx.Done():
			return fmt.Errorf("confirm that nobody else leads: %w", context.Cause(ctx))
		}
	}
}

// Append hands over data, which is the log's from then on. done is told its
// position once it is chosen, in the order of the calls, or an error: ErrDemoted
// if nobody knows. It must not block. Append blocks while much is under way.
//
// Errors: errs.Exhausted if data is larger than Config.MaxEntryBytes;
// ErrDemoted, and done will not be called; ctx's.
func (w *Writer) Append(ctx context.Context, data []byte, done func(position uint64, err error)) error {
	if limit := w.log.cfg.MaxEntryBytes; len(data) > limit {
		return fmt.Errorf("append %d bytes to log, which takes at most %d: %w", len(data), limit, errs.Exhausted)
	}
	return w.hand(ctx, proposal{ballot: w.ballot, kind: paxos.Data, data: data, done: done})
}

// Truncate gives up all positions below to, at every replica.
func (w *Writer) Truncate(ctx context.Context, to uint64, done func(error)) error {
	if end := w.log.End(); to > end {
		return fmt.Errorf("truncate log to %d, which ends at %d: %w", to, end, errs.Invalid)
	}
	return w.hand(ctx, proposal{ballot: w.ballot, kind: paxos.Truncate, data: paxos.TruncateTo(to), done: func(_ uint64, err error) { done(err) }})
}

func (w *Writer) hand(ctx context.Context, p proposal) error {
	select {
	case <-w.done:
		return ErrDemoted
	default:
	}
	select {
	case w.log.proposals <- p:
		return nil
	case <-w.done:
		return ErrDemoted
	case <-ctx.Done():
		return fmt.Errorf("append to log: %w", context.Cause(ctx))
	case <-w.log.ended:
		return ErrClosed
	}
}

// AppendWait is Append that waits.
func (w *Writer) AppendWait(ctx context.Context, data []byte) (uint64, error) {
	type result struct {
		position uint64
		err      error
	}
	done := make(chan result, 1)
	if err := w.Append(ctx, data, func(p uint64, err error) { done <- result{p, err} }); err != nil {
		return 0, err
	}
	select {
	case r := <-done:
		return r.position, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("append to log, outcome unknown: %w", context.Cause(ctx))
	case <-w.log.ended:
		return 0, ErrClosed
	}
}

// Resign lets another replica lead.
func (w *Writer) Resign(ctx context.Context) error {
	return w.log.do(ctx, func(lp *loop) {
		if lp.writer == w {
			lp.core.Resign()
		}
	})
}
