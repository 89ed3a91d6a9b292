package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// followInterval is the time between two looks at a file that grows.
const followInterval = 200 * time.Millisecond

// maxRotated bounds the files that one stream of a task is looked for in.
const maxRotated = 1000

// tail copies a stream of a task as far as it goes, again and again. Its file is
// begun anew when it is full: what it was goes on as name.1, that one as name.2,
// and so on. So a tail begins with the oldest and knows a file by its identity,
// as the names move on under it.
type tail struct {
	s      *sandbox
	name   string
	w      io.Writer
	begun  bool
	file   string // which one is copied
	offset int64  // in it
}

// writeError is output that could not be passed on, which no retry cures.
type writeError struct{ err error }

func (e *writeError) Error() string { return "pass on output: " + e.err.Error() }

func (e *writeError) Unwrap() error { return e.err }

// drain copies up to the end of the newest file.
func (t *tail) drain(ctx context.Context) error {
	i, err := 0, error(nil) // as a rule it is the newest that is copied
	if !t.begun {
		i, err = t.locate(ctx, i)
	}
	for err == nil {
		var b []byte
		var file string
		b, file, err = t.s.read(ctx, t.numbered(i), t.offset, chunkBytes)
		switch {
		case missing(err) && i > 0, err == nil && file != t.file:
			i, err = t.locate(ctx, i)
		case err != nil:
		case len(b) > 0:
			t.offset += int64(len(b))
			if _, err := t.w.Write(b); err != nil {
				return &writeError{err}
			}
		case i == 0:
			return nil
		default:
			i, err = t.next(ctx, i)
		}
	}
	return err
}

// locate finds the file that is copied, at from or after it as files only move on;
// one that is gone gives way to the oldest that there is.
func (t *tail) locate(ctx context.Context, from int) (int, error) {
	var oldest string
	for i := from; i < maxRotated; i++ {
		file, err := t.identity(ctx, i)
		switch {
		case missing(err) && i > 0 && i == from:
			return t.locate(ctx, 0)
		case missing(err) && i > 0:
			if _, err := t.identity(ctx, i+1); err == nil {
				continue // the one of this name was just being moved on
			}
			t.begun, t.file, t.offset = true, oldest, 0
			return i - 1, nil
		case err != nil:
			return 0, err
		case t.begun && file == t.file:
			return i, nil
		}
		oldest = file
	}
	return 0, fmt.Errorf("read %s of sandbox: there are more than %d files of it", t.name, maxRotated)
}

// next begins with the file after the i-th, which is at its end.
func (t *tail) next(ctx context.Context, i int) (int, error) {
	file, err := t.identity(ctx, i-1)
	if err != nil {
		return 0, err
	}
	if again, err := t.identity(ctx, i); err != nil || again != t.file {
		return t.locate(ctx, i) // the names have moved on
	}
	t.file, t.offset = file, 0
	return i - 1, nil
}

func (t *tail) identity(ctx context.Context, i int) (string, error) {
	_, file, err := t.s.read(ctx, t.numbered(i), 0, 1)
	return file, err
}

func (t *tail) numbered(i int) string {
	if i == 0 {
		return t.name
	}
	return t.name + "." + strconv.Itoa(i)
}

// missing tells that there is no such file.
func missing(err error) bool {
	code := (*statusError)(nil)
	return errors.As(err, &code) && code.status == http.StatusNotFound
}

// output is both of a task's streams.
type output []*tail

func (s *sandbox) output(stdout, stderr io.Writer) output {
	return output{{s: s, name: "stdout", w: stdout}, {s: s, name: "stderr", w: stderr}}
}

func (o output) drain(ctx context.Context) error {
	for _, t := range o {
		if err := t.drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// follow drains o until the task has ended and nothing is left. Errors of
// reading pass on the way: the agent may be starting anew.
func (o output) follow(ctx context.Context, ended <-chan struct{}) error {
	for {
		last := false
		select {
		case <-ended:
			last = true
		default:
		}
		err := o.drain(ctx)
		if unwritten := (*writeError)(nil); last || ctx.Err() != nil || errors.As(err, &unwritten) {
			return err
		}
		t := time.NewTimer(followInterval)
		select {
		case <-t.C:
		case <-ended:
		case <-ctx.Done():
		}
		t.Stop()
	}
}
