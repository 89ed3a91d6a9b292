package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mezzo/internal/errs"
)

// errFull says that the cache has no room; the content is fetched past it.
var errFull = errors.New("does not fit into the cache")

// stream is content on its way.
type stream struct {
	io.ReadCloser
	size int64 // negative: unknown
}

// download writes what u names to w. With a limit, it does not begin with what
// is known to be larger.
func (f *Fetcher) download(ctx context.Context, j Job, u uri, m *meter, limit int64, w io.Writer) error {
	dog, ctx := watch(ctx, f.cfg.Stall)
	defer dog.stop()
	err := f.transfer(ctx, dog, j, u, m, limit, w)
	if err != nil && ctx.Err() != nil {
		// What was reading knows only that it was interrupted.
		return context.Cause(ctx)
	}
	return err
}

func (f *Fetcher) transfer(ctx context.Context, dog *watchdog, j Job, u uri, m *meter, limit int64, w io.Writer) (err error) {
	src, err := f.source(ctx, dog, j, u, m)
	if err != nil {
		return err
	}
	defer func() {
		// Closing may wait for the server to say that this was all.
		dog.feed()
		if cerr := src.Close(); err == nil {
			err = cerr
		}
	}()
	if limit > 0 && src.size > limit {
		return errFull
	}
	m.got.Store(0)
	m.total.Store(src.size)
	body := &watched{Reader: src, dog: dog}
	if u.sum.hash == nil {
		err = copyAll(ctx, w, body, m)
	} else {
		h := u.sum.hash()
		if err = copyAll(ctx, io.MultiWriter(w, h), body, m); err == nil {
			err = u.sum.verify(h)
		}
	}
	if got := m.got.Load(); err == nil && src.size >= 0 && got != src.size {
		err = fmt.Errorf("it ended after %d of %d bytes: %w", got, src.size, errs.Unavailable)
	}
	return err
}

func (f *Fetcher) source(ctx context.Context, dog *watchdog, j Job, u uri, m *meter) (stream, error) {
	switch u.kind {
	case web:
		return f.get(ctx, u)
	case ftpServer:
		return retrieve(ctx, u)
	case hadoop:
		return f.copyToLocal(ctx, dog, j, u, m)
	default:
		return f.local(j, u)
	}
}

// copyAll copies until src ends or ctx does, and counts; m may be nil.
func copyAll(ctx context.Context, w io.Writer, src io.Reader, m *meter) error {
	buf := make([]byte, 128<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := src.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if m != nil {
				m.got.Add(int64(n))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// watchdog ends a context when it was not fed for too long.
type watchdog struct {
	patience time.Duration
	timer    *time.Timer
	cancel   context.CancelCauseFunc
}

func watch(ctx context.Context, patience time.Duration) (*watchdog, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	stalled := fmt.Errorf("stalled: nothing came for %v: %w", patience, errs.Unavailable)
	return &watchdog{patience, time.AfterFunc(patience, func() { cancel(stalled) }), cancel}, ctx
}

func (w *watchdog) feed() { w.timer.Reset(w.patience) }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// watched feeds a watchdog with what it reads. Between reads, when it is our own
// disk that is slow, the dog sleeps.
type watched struct {
	io.Reader
	dog *watchdog
}

func (r *watched) Read(p []byte) (int, error) {
	r.dog.feed()
	n, err := r.Reader.Read(p)
	r.dog.timer.Stop()
	return n, err
}
