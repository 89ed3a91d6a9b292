package election

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mezzo/internal/errs"
)

const (
	// lingering is how long a session is kept for who asks again: longer than an
	// agent's longest wait between two tries.
	lingering = 2 * time.Minute
	// retryAfter is the wait before ZooKeeper is asked again after an error.
	retryAfter = time.Second
)

// watcher follows who leads by ZooKeeper while somebody wants to know. While
// ZooKeeper does not answer, the last one known is taken to lead: the master
// itself knows better.
type watcher struct {
	of      ensemble
	cfg     Config
	connect func(ensemble, Config) session

	mu      sync.Mutex
	askers  int
	idle    *time.Timer        // ends the following; armed when the last asker left
	stop    context.CancelFunc // ends the following; nil while nobody follows
	leader  string             // "host:port"; empty if none is known
	problem error              // why none is
	news    chan struct{}      // closed, and another made, when these change
}

var _ Detector = (*watcher)(nil)

func newWatcher(e ensemble, cfg Config) *watcher {
	return &watcher{of: e, cfg: cfg, connect: connect, news: make(chan struct{})}
}

// Detect returns the master that leads, and waits until there is one. It may be
// the previous one: ZooKeeper takes a while to notice an end.
func (w *watcher) Detect(ctx context.Context, _ string) (string, error) { return w.await(ctx, "") }

// Watch returns the first that leads and is not at addr.
func (w *watcher) Watch(ctx context.Context, addr string) (string, error) { return w.await(ctx, addr) }

func (w *watcher) await(ctx context.Context, not string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enter()
	defer w.leave()
	for ctx.Err() == nil {
		if w.leader != "" && w.leader != not {
			return w.leader, nil
		}
		news := w.news
		w.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-news:
		}
		w.mu.Lock()
	}
	if w.problem == nil {
		return "", context.Cause(ctx)
	}
	return "", fmt.Errorf("find the leading master at %v: %w: %w", w.of, context.Cause(ctx), w.problem)
}

// enter and leave begin the following with the first asker, and end it some time
// after the last; both need mu.
func (w *watcher) enter() {
	w.askers++
	if w.idle != nil {
		w.idle.Stop()
	}
	if w.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		w.stop, w.leader, w.problem = stop, "", fmt.Errorf("no answer yet: %w", errs.Unavailable)
		go w.follow(ctx)
	}
}

func (w *watcher) leave() {
	if w.askers--; w.askers == 0 {
		w.idle = time.AfterFunc(lingering, w.rest)
	}
}

func (w *watcher) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.askers == 0 && w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// tell notes who leads; with a problem alone, the last one known is kept.
func (w *watcher) tell(ctx context.Context, leader string, known bool, problem error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return // somebody else follows by now
	}
	if known && leader != w.leader {
		w.cfg.Log.Info("leading master changed", "from", w.leader, "to", leader)
		w.leader = leader
		close(w.news)
		w.news = make(chan struct{})
	}
	if problem != nil && (w.problem == nil || problem.Error() != w.problem.Error()) {
		w.cfg.Log.Warn("leading master not found", "ensemble", w.of.String(), "err", problem)
	}
	w.problem = problem
}

// follow looks who leads, again at each change, until ctx ends.
func (w *watcher) follow(ctx context.Context) {
	s := w.connect(w.of, w.cfg)
	defer context.AfterFunc(ctx, s.close)()
	for ctx.Err() == nil {
		leader, changed, err := w.look(s)
		known := err == nil || !errors.Is(err, errs.Unavailable)
		w.tell(ctx, leader, known, err)
		if changed == nil {
			_ = pause(ctx, retryAfter) // its end is the loop's
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// look returns who leads, and a channel that is closed when that may change; an
// error may come with both.
func (w *watcher) look(s session) (leader string, changed <-chan struct{}, err error) {
	names, changed, err := s.children(w.of.path, true)
	if errors.Is(err, errs.NotFound) {
		found, appeared, lost := s.exists(w.of.path)
		switch {
		case lost != nil:
			return "", nil, lost
		case found:
			return w.look(s)
		}
		return "", appeared, err
	}
	if err != nil {
		return "", nil, err
	}
	for _, name := range contenders(names) {
		body, err := s.read(w.of.path + "/" + name)
		switch {
		case errors.Is(err, errs.NotFound):
			continue // gone since; changed is closed
		case errors.Is(err, errs.Unavailable):
			return "", nil, err
		case err == nil:
			leader, err = address(body)
		}
		if err != nil {
			err = fmt.Errorf("znode %s: %w", name, err)
		}
		return leader, changed, err
	}
	return "", changed, fmt.Errorf("no master contends: %w", errs.NotFound)
}

// pause waits for d, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
