package containerizer

import (
	"context"
	"fmt"
	"sync"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// turns makes calls that change one container come one at a time, lets a
// destruction overtake the launch, and hands a container's end to those who
// wait for it when it is removed under them.
type turns struct {
	mu   sync.Mutex
	byID map[isolator.ID]*turn
}

// turn is a container that somebody works on or waits for. Fields are guarded
// by turns.mu.
type turn struct {
	token   chan struct{} // capacity 1; whoever put the token in has the turn
	users   int           // the last one to leave removes the turn
	launch  context.CancelCauseFunc
	waiters int
	end     *Termination
}

// enter joins; leave must follow.
func (ts *turns) enter(id isolator.ID) *turn {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byID[id]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		if ts.byID == nil {
			ts.byID = make(map[isolator.ID]*turn)
		}
		ts.byID[id] = t
	}
	t.users++
	return t
}

func (ts *turns) leave(id isolator.ID, t *turn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(ts.byID, id)
	}
}

// take waits for the turn, of which release gives it up.
func (t *turn) take(ctx context.Context) (release func(), err error) {
	select {
	case t.token <- struct{}{}:
		return func() { <-t.token }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// launching notes how to end the launch of a container that begins; a second
// one is refused.
func (ts *turns) launching(t *turn, cancel context.CancelCauseFunc) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.launch != nil {
		return fmt.Errorf("it is being launched already: %w", errs.Conflict)
	}
	t.launch = cancel
	return nil
}

func (ts *turns) launched(t *turn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.launch = nil
}

// overtake ends the launch that is under way.
func (ts *turns) overtake(t *turn, cause error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.launch != nil {
		t.launch(cause)
	}
}

// await changes the number of those who want to know the end.
func (ts *turns) await(t *turn, by int) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.waiters += by
}

func (ts *turns) awaited(t *turn) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.waiters > 0
}

// ended makes the end known, or unknown for a container that begins anew.
func (ts *turns) ended(t *turn, end *Termination) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.end = end
}

func (ts *turns) theEnd(t *turn) *Termination {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.end
}
