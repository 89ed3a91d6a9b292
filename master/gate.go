package master

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mezzo/internal/errs"
	"mezzo/master/core"
	"mezzo/master/registry"
)

// gate holds back what nobody may see yet: what comes behind a Store that is not
// durable, and everything while it is not certain that no other master leads. The
// loop owns it; what committer has is shared.
type gate struct {
	reign   Reign
	timeout time.Duration // of a Store; 0: none
	held    []held
	since   time.Time // the oldest Store in held waits
	stores  int       // in held
	landed  int       // of them are durable
	committer
}

// held is what waits: an effect of which a Store is a barrier, or a view.
type held struct {
	effect core.Effect
	reply  chan<- core.Reply
	view   *view
	viewer chan<- *view

	watcher *watcherQueue // hears what comes behind view
}

// retryAfter is when to look again whether it is certain that this master leads.
const retryAfter = 10 * time.Millisecond

// pass tells whether h may be seen now. If not it is held.
func (g *gate) pass(h held) bool {
	s, store := h.effect.(core.Store)
	if !store && len(g.held) == 0 && g.certain() {
		return true
	}
	g.held = append(g.held, h)
	if store {
		if g.stores == 0 {
			g.since = time.Now()
		}
		g.stores++
		g.add(s.Changes)
	}
	return false
}

func (g *gate) certain() bool { return time.Now().Before(g.reign.Until()) }

// free takes out, in order, what may be seen now.
//
// Errors: a commit failed, or takes too long: the reign is over.
func (g *gate) free() (out []held, err error) {
	durable, err := g.take()
	if err != nil {
		return nil, fmt.Errorf("store registry: %w", err)
	}
	if g.landed += durable; durable > 0 {
		g.since = time.Now()
	}
	if g.stores > g.landed && g.timeout > 0 && time.Since(g.since) > g.timeout {
		return nil, fmt.Errorf("store registry: not durable within %v (--registry_store_timeout): %w", g.timeout, errs.Unavailable)
	}
	for g.certain() && len(g.held) > 0 {
		h := g.held[0]
		if _, store := h.effect.(core.Store); !store {
			out = append(out, h)
		} else if g.landed == 0 {
			break
		} else {
			g.landed, g.stores = g.landed-1, g.stores-1
		}
		g.held = g.held[1:]
	}
	return out, nil
}

// committer makes Stores durable, those that wait at the same time together.
type committer struct {
	wake   chan struct{} // something waits
	signal chan struct{} // something is durable, or failed

	mu      sync.Mutex
	waiting []registry.Change
	stores  int // in waiting
	durable int // not yet taken
	failure error
	queued  int    // Stores that are not durable
	took    timing // from taking to durable
}

func newGate(r Reign, timeout time.Duration) *gate {
	return &gate{reign: r, timeout: timeout, committer: committer{wake: make(chan struct{}, 1), signal: make(chan struct{}, 1)}}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (c *committer) add(changes []registry.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, changes...)
	c.stores++
	c.queued++
	poke(c.wake)
}

func (c *committer) take() (durable int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	durable, c.durable = c.durable, 0
	return durable, c.failure
}

// load is how long commits took, how many Stores wait, and how much is kept. A
// nil gate has nothing.
func (g *gate) load() (took timings, queued int, kept int64) {
	if g == nil {
		return timings{}, 0, 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.took.read(), g.queued, g.reign.SizeBytes()
}

// run commits until ctx ends.
func (c *committer) run(ctx context.Context, r Reign) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		c.mu.Lock()
		changes, stores := c.waiting, c.stores
		c.waiting, c.stores = nil, 0
		c.mu.Unlock()
		if stores > 0 {
			start := time.Now()
			r.Commit(ctx, newest(changes), func(err error) { c.done(stores, time.Since(start), err) })
		}
	}
}

func (c *committer) done(stores int, took time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.failure == nil {
		c.failure = err
	}
	c.durable += stores
	c.queued -= stores
	c.took.add(took)
	poke(c.signal)
}

// newest drops changes that later ones undo.
func newest(all []registry.Change) []registry.Change {
	last := make(map[string]int, len(all))
	for i, c := range all {
		last[c.Name] = i
	}
	out := make([]registry.Change, 0, len(last))
	for i, c := range all {
		if last[c.Name] == i {
			out = append(out, c)
		}
	}
	return out
}
