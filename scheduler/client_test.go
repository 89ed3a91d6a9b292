package scheduler_test

// Goal: a framework keeps its id and its tasks through every fault of stream
// and master that passes, and is told in words of those that don't. Method: a
// fake master on a real socket that follows a script per subscription.

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
	"mezzo/scheduler"
)

func TestLifeOfAFramework(t *testing.T) {
	for name, cd := range map[string]codec.Codec{"protobuf": codec.Protobuf, "json": codec.JSON} {
		t.Run(name, func(t *testing.T) {
			m := newFakeMaster(t, func(s *subscription) {
				s.send(subscribedEvent(15), offersEvent("o1"), &wire.Event{Type: wire.Event_HEARTBEAT.Enum()},
					updateEvent(v1.TaskState_TASK_RUNNING, "uuid-1"), updateEvent(v1.TaskState_TASK_FINISHED, ""))
				s.hold()
			})
			c := newClient(t, m.addr(), func(cfg *scheduler.Config) { cfg.Codec = cd })
			var states []v1.TaskState
			wait := start(t, c, scheduler.Handler{
				Offers: func(ctx context.Context, offers []*v1.Offer) error { return c.Launch(ctx, offers[0]) },
				Update: func(ctx context.Context, s *v1.TaskStatus) error {
					if states = append(states, s.GetState()); len(states) == 2 {
						return c.Teardown(ctx)
					}
					return nil
				},
			})
			accept := m.next(wire.Call_ACCEPT)
			if got := accept.GetAccept().GetOfferIds()[0].GetValue(); got != "o1" {
				t.Errorf("accepted offer %q, want o1", got)
			}
			if got := accept.GetFrameworkId().GetValue(); got != "fw-1" {
				t.Errorf("call of framework %q, want fw-1", got)
			}
			if got := string(m.next(wire.Call_ACKNOWLEDGE).GetAcknowledge().GetUuid()); got != "uuid-1" {
				t.Errorf("acknowledged %q, want uuid-1", got)
			}
			m.next(wire.Call_TEARDOWN)
			if err := wait(); err != nil {
				t.Errorf("Run = %v, want nil after teardown", err)
			}
			if len(states) != 2 || states[1] != v1.TaskState_TASK_FINISHED {
				t.Errorf("states %v", states)
			}
		})
	}
}

func TestReconnects(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault func(*subscription)
		says  string
	}{
		{"closed before SUBSCRIBED", func(*subscription) {}, "closed by the master"},
		{"closed after SUBSCRIBED", func(s *subscription) { s.send(subscribedEvent(15)) }, "closed by the master"},
		{"cut in a record", func(s *subscription) { s.send(subscribedEvent(15)); s.raw("100\nabc") }, "unexpected EOF"},
		{"connection dropped", func(s *subscription) { s.send(subscribedEvent(15)); panic(http.ErrAbortHandler) }, "unexpected EOF"},
		{"garbage for a length", func(s *subscription) { s.raw("<html>\n"); s.hold() }, "not a digit"},
		{"garbage for a record", func(s *subscription) { s.raw("3\n\xff\xff\xff"); s.hold() }, "no event"},
		{"record beyond measure", func(s *subscription) { s.raw("99999999999\n"); s.hold() }, "more than"},
		{"silence", func(s *subscription) { s.send(subscribedEvent(0.01)); s.hold() }, "silent"},
		{"503", func(s *subscription) { http.Error(s.w, "no leader yet", http.StatusServiceUnavailable) }, "503 Service Unavailable: no leader yet"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newFakeMaster(t, subscribeOnce, tc.fault, tc.fault, subscribeAndHold)
			c := newClient(t, m.addr(), nil)
			var why []error
			wait := start(t, c, scheduler.Handler{
				Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error {
					if len(m.subscribed()) < 4 {
						return nil
					}
					return c.Teardown(ctx)
				},
				Disconnected: func(_ context.Context, err error) error {
					why = append(why, err)
					return nil
				},
			})
			m.next(wire.Call_TEARDOWN)
			if err := wait(); err != nil {
				t.Fatalf("Run = %v", err)
			}
			for i, call := range m.subscribed() {
				want := "fw-1"
				if i == 0 {
					want = ""
				}
				if got := call.GetFrameworkId().GetValue(); got != want || call.GetSubscribe().GetFrameworkInfo().GetId().GetValue() != want {
					t.Errorf("SUBSCRIBE %d under framework id %q, want %q", i, got, want)
				}
			}
			if len(why) != 3 || !strings.Contains(why[2].Error(), tc.says) || !errors.Is(why[2], scheduler.ErrDisconnected) {
				t.Errorf("told %q, want 3 with %q", why, tc.says)
			}
		})
	}
}

// subscribeOnce gives the framework its id, then ends the stream.
func subscribeOnce(s *subscription) { s.send(subscribedEvent(15)) }

func TestFollowsTheLeader(t *testing.T) {
	leader := newFakeMaster(t, subscribeAndHold)
	follower := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "//"+leader.addr()+r.URL.Path) // keeps the scheme
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	t.Cleanup(follower.Close)
	c := newClient(t, follower.Listener.Addr().String(), nil)
	wait := start(t, c, scheduler.Handler{
		Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error { return c.Teardown(ctx) },
	})
	leader.next(wire.Call_TEARDOWN)
	if err := wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// TestTeardownOutlivesStream: the master may close the stream long before it
// answers the TEARDOWN; nobody subscribes meanwhile.
func TestTeardownOutlivesStream(t *testing.T) {
	closing, again := make(chan struct{}), make(chan struct{}, 1)
	m := newFakeMaster(t, func(s *subscription) {
		s.send(subscribedEvent(15))
		<-closing
	}, func(*subscription) { again <- struct{}{} })
	m.refuse = func(*wire.Call) (int, string) {
		close(closing)
		select {
		case <-again:
			t.Error("subscribed while the teardown was under way")
		case <-time.After(50 * time.Millisecond): // many times MaxBackoff
		}
		return 0, ""
	}
	c := newClient(t, m.addr(), nil)
	torn := make(chan error, 1)
	wait := start(t, c, scheduler.Handler{Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error {
		go func() { torn <- c.Teardown(ctx) }()
		return nil
	}})
	if err := errors.Join(wait(), <-torn); err != nil {
		t.Error(err)
	}
}

func TestAsksTheNextMaster(t *testing.T) {
	m := newFakeMaster(t, subscribeAndHold)
	c := newClient(t, unusedAddr(t)+","+m.addr(), nil)
	wait := start(t, c, scheduler.Handler{
		Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error { return c.Teardown(ctx) },
	})
	if err := wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func unusedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestRefusalEndsRun(t *testing.T) {
	for _, tc := range []struct {
		code  int
		class error
	}{
		{http.StatusBadRequest, errs.Invalid},
		{http.StatusUnauthorized, errs.Invalid},
		{http.StatusForbidden, errs.Conflict},
		{http.StatusNotFound, errs.NotFound},
		{http.StatusNotImplemented, errs.Unsupported},
	} {
		m := newFakeMaster(t, func(s *subscription) { http.Error(s.w, "role \"a//b\" is malformed", tc.code) })
		err := start(t, newClient(t, m.addr(), nil), scheduler.Handler{})()
		var refusal *scheduler.RefusedError
		if !errors.As(err, &refusal) || refusal.Status != tc.code || refusal.Message != "role \"a//b\" is malformed" {
			t.Errorf("%d: Run = %v", tc.code, err)
		}
		if !errors.Is(err, tc.class) {
			t.Errorf("%d: Run = %v, not of class %v", tc.code, err, tc.class)
		}
	}
}

func TestErrorEventEndsRun(t *testing.T) {
	m := newFakeMaster(t, func(s *subscription) { s.send(subscribedEvent(15), errorEvent("framework has been removed")) })
	err := start(t, newClient(t, m.addr(), nil), scheduler.Handler{})()
	var gone *scheduler.FrameworkError
	if !errors.As(err, &gone) || gone.Message != "framework has been removed" {
		t.Errorf("Run = %v", err)
	}
}

func TestHandlerErrorEndsRun(t *testing.T) {
	m := newFakeMaster(t, subscribeAndHold)
	want := errors.New("enough")
	err := start(t, newClient(t, m.addr(), nil), scheduler.Handler{
		Subscribed: func(context.Context, *wire.Event_Subscribed) error { return want },
	})()
	if !errors.Is(err, want) {
		t.Errorf("Run = %v, want %v", err, want)
	}
}

func TestDisconnectedMayEndRun(t *testing.T) {
	want := errors.New("no master")
	err := start(t, newClient(t, unusedAddr(t), nil), scheduler.Handler{
		Disconnected: func(_ context.Context, err error) error { return errors.Join(want, err) },
	})()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Run = %v, want %v", err, want)
	}
}

func TestContextEndsRun(t *testing.T) {
	m := newFakeMaster(t, subscribeAndHold)
	c := newClient(t, m.addr(), nil)
	want := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := c.Run(ctx, scheduler.Handler{
		Subscribed: func(context.Context, *wire.Event_Subscribed) error { cancel(want); return nil },
	})
	if !errors.Is(err, want) {
		t.Errorf("Run = %v, want %v", err, want)
	}
}

func TestCalls(t *testing.T) {
	t.Run("without a stream", func(t *testing.T) {
		c := newClient(t, "127.0.0.1:5050", nil)
		if err := c.Revive(t.Context()); !errors.Is(err, scheduler.ErrDisconnected) || !errors.Is(err, errs.Unavailable) {
			t.Errorf("Revive = %v", err)
		}
	})
	t.Run("refused in words", func(t *testing.T) {
		m := newFakeMaster(t, subscribeAndHold)
		m.refuse = func(*wire.Call) (int, string) { return http.StatusBadRequest, "task_id is missing" }
		c := newClient(t, m.addr(), nil)
		err := start(t, c, scheduler.Handler{
			Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error {
				return c.Kill(ctx, &v1.TaskID{Value: new(string)}, nil, nil)
			},
		})()
		if err == nil || err.Error() != "call KILL: refused with 400 Bad Request: task_id is missing" {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("found no leader", func(t *testing.T) {
		m := newFakeMaster(t, subscribeAndHold)
		m.refuse = func(*wire.Call) (int, string) { return http.StatusTemporaryRedirect, "" }
		c := newClient(t, m.addr(), nil)
		wait := start(t, c, scheduler.Handler{
			Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error {
				if len(m.subscribed()) > 1 {
					m.mu.Lock()
					m.refuse = nil
					m.mu.Unlock()
					return c.Teardown(ctx)
				}
				return c.Suppress(ctx, "a")
			},
		})
		m.next(wire.Call_TEARDOWN)
		if err := wait(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("lost with the answer", func(t *testing.T) {
		m := newFakeMaster(t, subscribeAndHold)
		c := newClient(t, m.addr(), func(cfg *scheduler.Config) { cfg.CallTimeout = 50 * time.Millisecond })
		never := make(chan struct{})
		defer close(never)
		m.refuse = func(*wire.Call) (int, string) { <-never; return 0, "" }
		err := start(t, c, scheduler.Handler{
			Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error {
				err := c.Revive(ctx)
				if !errors.Is(err, scheduler.ErrDisconnected) {
					t.Errorf("Revive = %v", err)
				}
				return errors.New("seen")
			},
		})()
		if err == nil || err.Error() != "seen" {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestOffersAreDeclinedByDefault(t *testing.T) {
	m := newFakeMaster(t, func(s *subscription) {
		s.send(subscribedEvent(15), offersEvent("o1", "o2"))
		s.hold()
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	c := newClient(t, m.addr(), nil)
	go func() { done <- c.Run(ctx, scheduler.Handler{}) }()
	if got := m.next(wire.Call_DECLINE).GetDecline().GetOfferIds(); len(got) != 2 {
		t.Errorf("declined %v, want both offers", got)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func TestExplicitAcknowledge(t *testing.T) {
	m := newFakeMaster(t, func(s *subscription) {
		s.send(subscribedEvent(15), updateEvent(v1.TaskState_TASK_RUNNING, "a"), updateEvent(v1.TaskState_TASK_FINISHED, "b"))
		s.hold()
	})
	c := newClient(t, m.addr(), func(cfg *scheduler.Config) { cfg.ExplicitAcknowledge = true })
	wait := start(t, c, scheduler.Handler{Update: func(ctx context.Context, s *v1.TaskStatus) error {
		if s.GetState() == v1.TaskState_TASK_RUNNING {
			return nil
		}
		return errors.Join(c.Acknowledge(ctx, s), c.Teardown(ctx))
	}})
	if got := string(m.next(wire.Call_ACKNOWLEDGE).GetAcknowledge().GetUuid()); got != "b" {
		t.Errorf("acknowledged %q, want b alone", got)
	}
	m.next(wire.Call_TEARDOWN)
	if err := wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// TestUpdateFailedIsNotAcknowledged: what the handler did not take comes again.
func TestUpdateFailedIsNotAcknowledged(t *testing.T) {
	m := newFakeMaster(t, func(s *subscription) {
		s.send(subscribedEvent(15), updateEvent(v1.TaskState_TASK_RUNNING, "a"))
		s.hold()
	})
	want := errors.New("disk full")
	err := start(t, newClient(t, m.addr(), nil), scheduler.Handler{
		Update: func(context.Context, *v1.TaskStatus) error { return want },
	})()
	if !errors.Is(err, want) || len(m.calls) != 0 {
		t.Errorf("Run = %v with %d calls, want %v with none", err, len(m.calls), want)
	}
}

// TestTeardownIsNoDisconnection: the master may close the stream before it
// answers.
func TestTeardownIsNoDisconnection(t *testing.T) {
	torn := make(chan struct{})
	m := newFakeMaster(t, func(s *subscription) {
		s.send(subscribedEvent(15))
		<-torn
	})
	m.refuse = func(*wire.Call) (int, string) {
		close(torn)
		return 0, ""
	}
	c := newClient(t, m.addr(), nil)
	err := start(t, c, scheduler.Handler{
		Subscribed:   func(context.Context, *wire.Event_Subscribed) error { go c.Teardown(t.Context()); return nil },
		Disconnected: func(_ context.Context, err error) error { return err },
	})()
	if err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []scheduler.Config{{}, {Framework: &v1.FrameworkInfo{}}} {
		if _, err := scheduler.New(cfg); !errors.Is(err, errs.Invalid) {
			t.Errorf("New(%v) = %v", cfg, err)
		}
	}
}
