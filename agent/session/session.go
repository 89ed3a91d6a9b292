package session

import (
	"context"
	"fmt"
	"io"
	"sync"
	"syscall"

	"mezzo/containerizer"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// Stream names an output.
type Stream int

// Outputs of a process; with a terminal there is Stdout alone.
const (
	Stdout Stream = iota
	Stderr
)

// Chunk is a piece of output.
type Chunk struct {
	Stream Stream
	Data   []byte
}

// Runner starts a further process in a container, as containerizer.Exec does.
type Runner func(ctx context.Context, id isolator.ID, s containerizer.ExecSpec, io containerizer.Streams) (containerizer.Process, error)

// maxEnded is how many sessions are remembered after their end.
const maxEnded = 256

// Sessions are those of one agent. The zero value is not usable; New makes them.
type Sessions struct {
	run Runner

	mu    sync.Mutex
	byID  map[string]*Session
	ended []string // the oldest first
}

// New makes room for sessions whose processes run starts.
func New(run Runner) *Sessions { return &Sessions{run: run, byID: make(map[string]*Session)} }

// Session is one process and those who deal with it.
type Session struct {
	ID     string
	Parent isolator.ID // the container it runs in

	proc  containerizer.Process
	stdin *io.PipeWriter
	first *Reader       // of who launched it
	done  chan struct{} // closed once code and unknown are there

	mu      sync.Mutex
	readers map[*Reader]struct{} // nil once there is no more output
	code    int
	unknown bool
}

// Reader is somebody who gets the output.
type Reader struct {
	s    *Session
	c    chan Chunk
	gone chan struct{}
	once sync.Once
}

// Launch starts a session. Its first reader is the one returned; Close ends it.
//
// Errors: errs.Exists if the id was used; and those of the Runner.
func (all *Sessions) Launch(ctx context.Context, id string, parent isolator.ID, spec containerizer.ExecSpec) (*Session, *Reader, error) {
	in, stdin := io.Pipe()
	s := &Session{ID: id, Parent: parent, stdin: stdin, done: make(chan struct{}), readers: make(map[*Reader]struct{})}
	s.first = s.Read()
	if err := all.add(s); err != nil {
		return nil, nil, err
	}
	proc, err := all.run(ctx, parent, spec, containerizer.Streams{Stdin: in, Stdout: writer{s, Stdout}, Stderr: writer{s, Stderr}})
	if err != nil {
		all.drop(id)
		return nil, nil, err
	}
	all.mu.Lock()
	s.proc = proc
	all.mu.Unlock()
	go func() {
		code, unknown, err := proc.Wait(context.WithoutCancel(ctx))
		_ = in.CloseWithError(io.ErrClosedPipe) // never fails (package io)
		s.end(code, unknown || err != nil)
		all.retire(id)
	}()
	return s, s.first, nil
}

func (all *Sessions) add(s *Session) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byID[s.ID] != nil {
		return fmt.Errorf("container %q: %w", s.ID, errs.Exists)
	}
	all.byID[s.ID] = s
	return nil
}

func (all *Sessions) drop(id string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byID, id)
}

// retire forgets the session that ended the longest ago, if they are too many.
func (all *Sessions) retire(id string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.ended = append(all.ended, id); len(all.ended) > maxEnded {
		delete(all.byID, all.ended[0])
		all.ended = all.ended[1:]
	}
}

// Find returns a session that runs, or ended not long ago.
//
// Errors: errs.NotFound.
func (all *Sessions) Find(id string) (*Session, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	s := all.byID[id]
	if s == nil || s.proc == nil {
		return nil, fmt.Errorf("container %q: %w", id, errs.NotFound)
	}
	return s, nil
}

// Close ends all that run.
func (all *Sessions) Close(ctx context.Context) {
	all.mu.Lock()
	var open []*Session
	for _, s := range all.byID {
		if s.proc != nil {
			open = append(open, s)
		}
	}
	all.mu.Unlock()
	for _, s := range open {
		_ = s.Close(ctx) // what is left goes with its container
	}
}

// Remove forgets a session that has ended.
//
// Errors: errs.NotFound, errs.Conflict if it runs.
func (all *Sessions) Remove(id string) error {
	s, err := all.Find(id)
	if err != nil {
		return err
	}
	select {
	case <-s.done:
		all.drop(id)
		return nil
	default:
		return fmt.Errorf("container %q runs: %w", id, errs.Conflict)
	}
}

// writer takes one output of the process.
type writer struct {
	s  *Session
	of Stream
}

func (w writer) Write(p []byte) (int, error) {
	chunk := Chunk{w.of, append([]byte(nil), p...)}
	w.s.mu.Lock()
	readers := make([]*Reader, 0, len(w.s.readers))
	for r := range w.s.readers {
		readers = append(readers, r)
	}
	w.s.mu.Unlock()
	for _, r := range readers {
		select {
		case r.c <- chunk:
		case <-r.gone:
		}
	}
	return len(p), nil
}

// Read begins to read. Leave must follow.
func (s *Session) Read() *Reader {
	r := &Reader{s: s, c: make(chan Chunk), gone: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers == nil {
		close(r.c)
	} else {
		s.readers[r] = struct{}{}
	}
	return r
}

// Next are the chunks; it is closed after the last one.
func (r *Reader) Next() <-chan Chunk { return r.c }

// Leave ends the reading. Repeatable.
func (r *Reader) Leave() {
	r.once.Do(func() {
		close(r.gone)
		r.s.mu.Lock()
		defer r.s.mu.Unlock()
		delete(r.s.readers, r)
	})
}

// end makes the end known.
func (s *Session) end(code int, unknown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.unknown = code, unknown
	for r := range s.readers {
		close(r.c)
	}
	s.readers = nil
	close(s.done)
}

// Input writes to the process; what has ended takes no more.
//
// Errors: errs.Conflict.
func (s *Session) Input(data []byte) error {
	if len(data) == 0 {
		return s.stdin.Close()
	}
	if _, err := s.stdin.Write(data); err != nil {
		return fmt.Errorf("container %q takes no input any more: %w", s.ID, errs.Conflict)
	}
	return nil
}

// Resize is for a session with a terminal.
func (s *Session) Resize(ctx context.Context, w containerizer.Window) error {
	return s.proc.Resize(ctx, w)
}

// Signal sends sig to the process.
func (s *Session) Signal(ctx context.Context, sig syscall.Signal) error {
	return s.proc.Signal(ctx, sig)
}

// Done is closed at the end of the process.
func (s *Session) Done() <-chan struct{} { return s.done }

// Wait returns how the process ended, once it has.
func (s *Session) Wait(ctx context.Context) (code int, unknown bool, err error) {
	select {
	case <-s.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.code, s.unknown, nil
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
}

// Close ends the process, if it runs, and lets go of what it had.
func (s *Session) Close(ctx context.Context) error {
	s.first.Leave()
	_ = s.stdin.Close() // never fails (package io)
	return s.proc.Close(ctx)
}
