package images

import (
	"context"
	"sync"
)

// flights makes concurrent fetches of one reference a single one.
type flights struct {
	mu   sync.Mutex
	byID map[string]*flight
}

// flight is one fetch and those who wait for it.
type flight struct {
	cancel context.CancelFunc
	done   chan struct{} // closed at the end; img and err are then set
	img    Image
	err    error

	mu      sync.Mutex // guards waiters; held while they are told
	waiters map[*waiter]struct{}
}

type waiter struct{ report func(Progress) }

// do runs fetch, or waits for the one that runs under id. The fetch has the
// values of its first caller's context but not its end: it is cancelled when
// the last one who waits has gone.
func (fs *flights) do(ctx context.Context, id string, report func(Progress),
	fetch func(context.Context, func(Progress)) (Image, error),
) (Image, error) {
	w := &waiter{report: report}
	f := fs.board(ctx, id, w, fetch)
	defer fs.leave(id, f, w)
	select {
	case <-f.done:
		return f.img, f.err
	case <-ctx.Done():
		return Image{}, ctx.Err()
	}
}

func (fs *flights) board(ctx context.Context, id string, w *waiter,
	fetch func(context.Context, func(Progress)) (Image, error),
) *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.byID[id]; f != nil {
		f.mu.Lock()
		f.waiters[w] = struct{}{}
		f.mu.Unlock()
		return f
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{cancel: cancel, done: make(chan struct{}), waiters: map[*waiter]struct{}{w: {}}}
	if fs.byID == nil {
		fs.byID = make(map[string]*flight)
	}
	fs.byID[id] = f
	go func() {
		f.img, f.err = fetch(ctx, f.report)
		cancel()
		fs.remove(id, f)
		close(f.done)
	}()
	return f
}

// leave takes w off; the last one cancels, and a later caller starts anew.
func (fs *flights) leave(id string, f *flight, w *waiter) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.mu.Lock()
	delete(f.waiters, w)
	empty := len(f.waiters) == 0
	f.mu.Unlock()
	if empty {
		f.cancel()
		if fs.byID[id] == f {
			delete(fs.byID, id)
		}
	}
}

func (fs *flights) remove(id string, f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.byID[id] == f {
		delete(fs.byID, id)
	}
}

func (f *flight) report(p Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.waiters {
		if w.report != nil {
			w.report(p)
		}
	}
}
