package election

// Goal: a term ends in time whatever the servers do or don't say. Method: a
// session that says what the test wants, and a clock that jumps.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mezzo/internal/errs"
)

// script is a session of one contest.
type script struct {
	granted time.Duration
	gone    chan struct{} // closed: expired

	mu      sync.Mutex
	names   []string
	deaf    chan struct{} // requests wait for its end; nil: they don't
	fails   error
	changed chan struct{}
	asked   time.Time // when the last proof was asked for that was given
	closed  bool
}

func newScript(names ...string) *script {
	return &script{granted: 9 * time.Second, gone: make(chan struct{}), names: names, changed: make(chan struct{})}
}

func (s *script) answer() error {
	asked := time.Now()
	s.mu.Lock()
	deaf := s.deaf
	s.mu.Unlock()
	if deaf != nil {
		<-deaf
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails == nil {
		s.asked = asked
	}
	return s.fails
}

func (s *script) prove(string) error { return s.answer() }

func (s *script) children(string, bool) ([]string, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names, s.changed, s.fails
}

func (s *script) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// become changes who contends.
func (s *script) become(names ...string) {
	s.set(func() {
		s.names = names
		close(s.changed)
		s.changed = make(chan struct{})
	})
}

func (s *script) exists(string) (bool, <-chan struct{}, error) { return true, nil, nil }
func (s *script) read(string) ([]byte, error)                  { return nil, errs.NotFound }
func (s *script) create(path string, _ []byte, _ bool) (string, error) {
	return path + "0000000005", nil
}
func (s *script) lease() time.Duration     { return s.granted / 3 * 2 }
func (s *script) expired() <-chan struct{} { return s.gone }
func (s *script) close()                   { s.set(func() { s.closed = true }) }

const our, lower = "json.info_0000000005", "json.info_0000000004"

// lead contends and wins, in a bubble of synctest.
func lead(t *testing.T, s *script) Term {
	t.Helper()
	z, err := NewZooKeeper("zk://h/p", Config{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	z.connect = func(ensemble, Config) session { return s }
	term, err := z.Contend(t.Context(), master(1))
	if err != nil {
		t.Fatal(err)
	}
	return term
}

func TestTermEnds(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*script)
		cause error
		at    func(asked time.Time) time.Time // when at the latest; zero: at once
	}{
		{"silence", func(s *script) { s.set(func() { s.deaf = make(chan struct{}) }) }, errSilence, func(asked time.Time) time.Time { return asked.Add(6 * time.Second) }},
		{"errors", func(s *script) { s.set(func() { s.fails = fmt.Errorf("lost: %w", errs.Unavailable) }) }, errSilence, func(asked time.Time) time.Time { return asked.Add(6 * time.Second) }},
		{"expiry", func(s *script) { close(s.gone) }, errExpired, nil},
		{"removal", func(s *script) { s.become() }, errRemoved, nil},
		{"no path", func(s *script) { s.set(func() { s.fails = errs.NotFound }); s.become() }, errRemoved, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(our)
				term := lead(t, s)
				// As long as the servers answer it goes on.
				for range 100 {
					<-time.After(time.Second)
					if err := context.Cause(term.Context()); err != nil {
						t.Fatal(err)
					}
					if left := time.Until(term.Until()); left < 5*time.Second || left > 6*time.Second {
						t.Fatalf("%v are left", left)
					}
				}
				start := time.Now()
				tc.spoil(s)
				<-term.Context().Done()
				if cause := context.Cause(term.Context()); !errors.Is(cause, tc.cause) {
					t.Errorf("cause = %v, want %v", cause, tc.cause)
				}
				want := start
				if tc.at != nil {
					want = tc.at(s.asked)
				}
				if got := time.Now(); !got.Equal(want) {
					t.Errorf("ended %v late", got.Sub(want))
				}
				synctest.Wait()
				if !s.closed {
					t.Error("the session was left open")
				}
				if s.deaf != nil {
					close(s.deaf)
				}
				term.Resign() // does nothing
			})
		})
	}
}

// TestTermLateAnswer: an answer counts from when it was asked for.
func TestTermLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(our)
		term := lead(t, s)
		synctest.Wait()
		slow := make(chan struct{})
		s.set(func() { s.deaf = slow })
		<-time.After(5 * time.Second)
		s.set(func() { s.deaf = make(chan struct{}) })
		close(slow) // it was asked for soon after the start
		synctest.Wait()
		if got, want := term.Until(), s.asked.Add(6*time.Second); !got.Equal(want) {
			t.Errorf("Until is %v after what it should be", got.Sub(want))
		}
		<-term.Context().Done()
		if got, want := time.Now(), s.asked.Add(6*time.Second); !got.Equal(want) {
			t.Errorf("ended %v late", got.Sub(want))
		}
		synctest.Wait()
		close(s.deaf)
	})
}

// TestTermWaits: nobody leads while a lower number is there, however long, and
// somebody does once it goes.
func TestTermWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(our, lower)
		start := time.Now()
		time.AfterFunc(time.Hour, func() { s.become(our, "json.info_0000000006") })
		term := lead(t, s)
		if got := time.Since(start); got != time.Hour {
			t.Errorf("led after %v", got)
		}
		term.Resign()
		synctest.Wait()
	})
}
