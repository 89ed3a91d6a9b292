package session

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mezzo/containerizer"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// played is a process that repeats lines until "exit".
type played struct {
	streams containerizer.Streams
	ended   chan struct{}
	once    sync.Once
	size    containerizer.Window
}

func play(_ context.Context, id isolator.ID, s containerizer.ExecSpec, streams containerizer.Streams) (containerizer.Process, error) {
	if s.Value == "fail" {
		return nil, errs.Conflict
	}
	p := &played{streams: streams, ended: make(chan struct{})}
	go func() {
		defer p.end()
		lines := bufio.NewScanner(streams.Stdin)
		for lines.Scan() {
			switch line := lines.Text(); line {
			case "exit":
				return
			case "err":
				_, _ = io.WriteString(streams.Stderr, "an error\n")
			default:
				_, _ = io.WriteString(streams.Stdout, line+"\n")
			}
		}
	}()
	return p, nil
}

func (p *played) end() { p.once.Do(func() { close(p.ended) }) }
func (p *played) Wait(context.Context) (int, bool, error) {
	<-p.ended
	return 7, false, nil
}
func (p *played) Resize(_ context.Context, w containerizer.Window) error { p.size = w; return nil }
func (p *played) Signal(context.Context, syscall.Signal) error           { p.end(); return nil }
func (p *played) Close(context.Context) error                            { p.end(); return nil }

func readAll(r *Reader) (stdout, stderr string) {
	for c := range r.Next() {
		if c.Stream == Stdout {
			stdout += string(c.Data)
		} else {
			stderr += string(c.Data)
		}
	}
	return stdout, stderr
}

func TestSession(t *testing.T) {
	all := New(play)
	s, r, err := all.Launch(t.Context(), "s1", "c1", containerizer.ExecSpec{Value: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := all.Launch(t.Context(), "s1", "c1", containerizer.ExecSpec{}); !errors.Is(err, errs.Exists) {
		t.Errorf("twice: %v", err)
	}
	second := s.Read()
	leaver := s.Read()
	leaver.Leave()
	leaver.Leave()
	found, err := all.Find("s1")
	if err != nil || found != s {
		t.Fatal(found, err)
	}
	if err := all.Remove("s1"); !errors.Is(err, errs.Conflict) {
		t.Errorf("removed while it runs: %v", err)
	}
	var out, errOut, out2 string
	var wg sync.WaitGroup
	wg.Go(func() { out, errOut = readAll(r) })
	wg.Go(func() { out2, _ = readAll(second) })
	for _, line := range []string{"a\n", "err\n", "b\n", "exit\n"} {
		if err := s.Input([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if out != "a\nb\n" || errOut != "an error\n" || out2 != out {
		t.Errorf("read %q, %q, %q", out, errOut, out2)
	}
	if code, unknown, err := s.Wait(t.Context()); code != 7 || unknown || err != nil {
		t.Errorf("end: %d, %v, %v", code, unknown, err)
	}
	if late, _ := readAll(s.Read()); late != "" {
		t.Errorf("after the end: %q", late)
	}
	if err := s.Input([]byte("x")); !errors.Is(err, errs.Conflict) {
		t.Errorf("input after the end: %v", err)
	}
	if err := all.Remove("s1"); err != nil {
		t.Error(err)
	}
	if _, err := all.Find("s1"); !errors.Is(err, errs.NotFound) {
		t.Errorf("after its removal: %v", err)
	}
}

func TestFailedLaunch(t *testing.T) {
	all := New(play)
	if _, _, err := all.Launch(t.Context(), "s1", "c1", containerizer.ExecSpec{Value: "fail"}); !errors.Is(err, errs.Conflict) {
		t.Errorf("got %v", err)
	}
	if _, err := all.Find("s1"); !errors.Is(err, errs.NotFound) {
		t.Errorf("got %v", err)
	}
}

// TestForgotten: sessions that ended are remembered, but not for ever.
func TestForgotten(t *testing.T) {
	all := New(play)
	for i := range maxEnded + 10 {
		s, r, err := all.Launch(t.Context(), strings.Repeat("x", i+1), "c1", containerizer.ExecSpec{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-s.Done()
		r.Leave()
	}
	s, _, err := all.Launch(t.Context(), "last", "c1", containerizer.ExecSpec{})
	if err != nil {
		t.Fatal(err)
	}
	all.Close(t.Context())
	<-s.Done()
	all.mu.Lock()
	defer all.mu.Unlock()
	if n := len(all.byID); n > maxEnded+1 {
		t.Errorf("%d sessions are remembered", n)
	}
}
