package executor_test

// Goal: no update and no task is lost or doubled by any fault of stream and
// agent that passes, and Run ends in words for those that don't. Method: a fake
// agent on a real socket that follows a script per subscription.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/executor"
	"mezzo/internal/errs"
)

func TestLifeOfAnExecutor(t *testing.T) {
	var running *v1.TaskStatus
	a := newFakeAgent(t, func(s *subscription) {
		s.send(subscribedEvent(), &wire.Event{Type: wire.Event_HEARTBEAT.Enum()}, launchEvent("t1"))
		running = s.ack()
		s.send(messageEvent("hi"))
		if got := string(s.a.next(wire.Call_MESSAGE).GetMessage().GetData()); got != "hi back" {
			t.Errorf("message %q", got)
		}
		s.send(killEvent("t1"))
		s.ack()
		s.send(shutdownEvent())
		s.hold()
	})
	c := newClient(t, a.addr(), nil)
	var log []string
	note := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
	err := start(t, c, executor.Handler{
		Subscribed: func(_ context.Context, s *wire.Event_Subscribed) error {
			note("subscribed at %s", s.GetAgentInfo().GetHostname())
			return nil
		},
		Launch: func(ctx context.Context, task *v1.TaskInfo) error {
			note("launch %s", task.GetTaskId().GetValue())
			return c.Update(ctx, status("t1", v1.TaskState_TASK_RUNNING))
		},
		Kill: func(ctx context.Context, k *wire.Event_Kill) error {
			note("kill %s", k.GetTaskId().GetValue())
			return c.Update(ctx, status("t1", v1.TaskState_TASK_KILLED))
		},
		Acknowledged: func(_ context.Context, s *v1.TaskStatus) error {
			note("acknowledged %s", s.GetState())
			return nil
		},
		Message: func(ctx context.Context, data []byte) error {
			note("message %s", data)
			return c.Message(ctx, append(data, " back"...))
		},
		Shutdown: func(context.Context) error { note("shutdown"); return nil },
	})()
	if err != nil {
		t.Errorf("Run = %v", err)
	}
	want := "subscribed at h, launch t1, acknowledged TASK_RUNNING, message hi, kill t1, acknowledged TASK_KILLED, shutdown"
	if got := strings.Join(log, ", "); got != want {
		t.Errorf("handler saw\n%s, want\n%s", got, want)
	}
	if len(running.GetUuid()) != 16 || running.GetSource() != v1.TaskStatus_SOURCE_EXECUTOR || running.GetExecutorId().GetValue() != "exec-1" ||
		time.Since(time.Unix(int64(running.GetTimestamp()), 0)) > time.Minute {
		t.Errorf("update %v lacks what the library fills in", running)
	}
}

// sent shows what a SUBSCRIBE carried: "tasks | task state of updates".
func sent(call *wire.Call) string {
	var tasks, updates []string
	for _, t := range call.GetSubscribe().GetUnacknowledgedTasks() {
		tasks = append(tasks, t.GetTaskId().GetValue())
	}
	for _, u := range call.GetSubscribe().GetUnacknowledgedUpdates() {
		updates = append(updates, u.GetStatus().GetTaskId().GetValue()+" "+u.GetStatus().GetState().String())
	}
	return strings.Join(tasks, ", ") + " | " + strings.Join(updates, ", ")
}

// TestResubscribes: updates and tasks come again, in order, and only those that
// are not acknowledged; what the agent repeats is done once.
func TestResubscribes(t *testing.T) {
	var first []*v1.TaskStatus
	a := newFakeAgent(t, func(s *subscription) {
		s.send(subscribedEvent(), launchEvent("t1"), launchEvent("t2"), launchEvent("t3"), launchEvent("t4"))
		for range 4 {
			first = append(first, s.a.next(wire.Call_UPDATE).GetUpdate().GetStatus())
		}
		s.send(ackEvent(first[2]))
	}, func(s *subscription) {
		s.send(subscribedEvent(), launchEvent("t1"), launchEvent("t3"))
		var again []*v1.TaskStatus
		for _, u := range s.call.GetSubscribe().GetUnacknowledgedUpdates() {
			again = append(again, u.GetStatus())
			s.send(ackEvent(u.GetStatus()), ackEvent(u.GetStatus()))
		}
		if len(again) == 3 && !slices.Equal([]string{string(first[0].GetUuid()), string(first[1].GetUuid()), string(first[3].GetUuid())},
			[]string{string(again[0].GetUuid()), string(again[1].GetUuid()), string(again[2].GetUuid())}) {
			t.Error("updates came again under other uuids or in another order")
		}
	}, func(s *subscription) {
		s.send(subscribedEvent(), shutdownEvent())
		s.hold()
	})
	c := newClient(t, a.addr(), nil)
	var launched, acked []string
	err := start(t, c, executor.Handler{
		Launch: func(ctx context.Context, task *v1.TaskInfo) error {
			launched = append(launched, task.GetTaskId().GetValue())
			return c.Update(ctx, status(task.GetTaskId().GetValue(), v1.TaskState_TASK_RUNNING))
		},
		Acknowledged: func(_ context.Context, s *v1.TaskStatus) error {
			acked = append(acked, s.GetTaskId().GetValue())
			return nil
		},
	})()
	if err != nil {
		t.Errorf("Run = %v", err)
	}
	if got := strings.Join(launched, " "); got != "t1 t2 t3 t4" {
		t.Errorf("launched %s", got)
	}
	if got := strings.Join(acked, " "); got != "t3 t1 t2 t4" {
		t.Errorf("acknowledged %s", got)
	}
	for i, want := range []string{" | ", "t1, t2, t4 | t1 TASK_RUNNING, t2 TASK_RUNNING, t4 TASK_RUNNING", " | "} {
		if got := sent(a.subscribed()[i]); got != want {
			t.Errorf("SUBSCRIBE %d carried %q, want %q", i, got, want)
		}
	}
}

// TestUpdatesWhileAway: an update made without a stream waits for the next, and
// one made while that is being opened comes right after.
func TestUpdatesWhileAway(t *testing.T) {
	down, busy, up := make(chan struct{}), make(chan struct{}), make(chan struct{})
	a := newFakeAgent(t, func(s *subscription) { s.send(subscribedEvent(), launchEvent("t1")) },
		func(s *subscription) {
			close(down)
			<-busy
			http.Error(s.w, "recovering", http.StatusServiceUnavailable)
		}, func(s *subscription) {
			close(up)
			s.send(subscribedEvent())
			if got := s.ack().GetState(); got != v1.TaskState_TASK_FINISHED {
				t.Errorf("update %v, want TASK_FINISHED", got)
			}
			for _, u := range s.call.GetSubscribe().GetUnacknowledgedUpdates() {
				s.send(ackEvent(u.GetStatus()))
			}
			s.hold()
		})
	c := newClient(t, a.addr(), nil)
	wait := start(t, c, executor.Handler{Launch: func(context.Context, *v1.TaskInfo) error { return nil }})
	<-down
	if err := c.Message(t.Context(), nil); !errors.Is(err, executor.ErrDisconnected) || !errors.Is(err, errs.Unavailable) {
		t.Errorf("Message = %v", err)
	}
	if err := c.Update(t.Context(), status("t1", v1.TaskState_TASK_RUNNING)); err != nil {
		t.Errorf("Update = %v", err)
	}
	close(busy)
	<-up
	if err := c.Update(t.Context(), status("t1", v1.TaskState_TASK_FINISHED)); err != nil {
		t.Errorf("Update = %v", err)
	}
	c.Stop()
	if err := wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if got, want := sent(a.subscribed()[2]), "t1 | t1 TASK_RUNNING"; got != want {
		t.Errorf("SUBSCRIBE carried %q, want %q", got, want)
	}
}

func TestReconnects(t *testing.T) {
	wrongExecutor := subscribedEvent()
	wrongExecutor.Subscribed.ExecutorInfo.ExecutorId.Value = proto.String("other")
	for _, tc := range []struct {
		name  string
		fault func(*subscription)
	}{
		{"closed before SUBSCRIBED", func(*subscription) {}},
		{"closed after SUBSCRIBED", func(s *subscription) { s.send(subscribedEvent()) }},
		{"cut in a record", func(s *subscription) { s.send(subscribedEvent()); s.raw("100\nabc") }},
		{"connection dropped", func(s *subscription) { s.send(subscribedEvent()); panic(http.ErrAbortHandler) }},
		{"garbage for a length", func(s *subscription) { s.raw("<html>\n"); s.hold() }},
		{"garbage for a record", func(s *subscription) { s.raw("3\n\xff\xff\xff"); s.hold() }},
		{"record beyond measure", func(s *subscription) { s.raw("99999999999\n"); s.hold() }},
		{"event with half a task", func(s *subscription) {
			ev := launchEvent("t")
			ev.Launch.Task.TaskId = nil
			s.send(subscribedEvent(), ev)
			s.hold()
		}},
		{"SUBSCRIBED of another executor", func(s *subscription) { s.send(wrongExecutor); s.hold() }},
		{"SUBSCRIBED without content", func(s *subscription) {
			s.send(&wire.Event{Type: wire.Event_SUBSCRIBED.Enum()})
			s.hold()
		}},
		{"no SUBSCRIBED", func(s *subscription) { s.send(); s.hold() }},
		{"silence", func(s *subscription) { s.send(subscribedEvent()); s.hold() }},
		{"503", func(s *subscription) { http.Error(s.w, "recovering", http.StatusServiceUnavailable) }},
		{"404", func(s *subscription) { http.Error(s.w, "", http.StatusNotFound) }},
		{"ERROR", func(s *subscription) {
			s.send(subscribedEvent(), &wire.Event{Type: wire.Event_ERROR.Enum(), Error: &wire.Event_Error{Message: proto.String("no")}})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			impatient := tc.name == "silence" || tc.name == "no SUBSCRIBED" // with a slow machine, too
			a := newFakeAgent(t, subscribedThenEnd, tc.fault, tc.fault, subscribeAndShutDown)
			c := newClient(t, a.addr(), func(cfg *executor.Config) {
				if impatient {
					cfg.Heartbeat, cfg.CallTimeout = 20*time.Millisecond, 60*time.Millisecond
				}
			})
			if err := start(t, c, executor.Handler{})(); err != nil {
				t.Fatalf("Run = %v", err)
			}
			if n := len(a.subscribed()); n < 4 || n > 4 && !impatient {
				t.Errorf("%d subscriptions, want 4", n)
			}
		})
	}
}

func subscribedThenEnd(s *subscription) { s.send(subscribedEvent()) }

// TestRecoveringAgent: 503 is no loss, not even for who may not outlive one.
func TestRecoveringAgent(t *testing.T) {
	busy := func(s *subscription) { http.Error(s.w, "recovering", http.StatusServiceUnavailable) }
	a := newFakeAgent(t, busy, busy, busy, subscribeAndShutDown)
	c := newClient(t, a.addr(), func(cfg *executor.Config) { cfg.Checkpoint = false })
	if err := start(t, c, executor.Handler{})(); err != nil || len(a.subscribed()) != 4 {
		t.Errorf("Run = %v after %d subscriptions", err, len(a.subscribed()))
	}
}

func TestLostAgent(t *testing.T) {
	for _, tc := range []struct {
		name       string
		checkpoint bool
		seen       bool // before it is lost
		says       string
	}{
		{"outlived", true, true, "has been away for 60ms"},
		{"outlived, never seen", true, false, "has been away for 60ms"},
		{"not outlived", false, true, "is lost and the framework does not checkpoint"},
		{"not outlived, never seen", false, false, "is lost and the framework does not checkpoint"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := unusedAddr(t)
			var a *fakeAgent
			if tc.seen {
				a = newFakeAgent(t, subscribeAndHold)
				addr = a.addr()
			}
			c := newClient(t, addr, func(cfg *executor.Config) {
				cfg.Checkpoint, cfg.RecoveryTimeout = tc.checkpoint, 60*time.Millisecond
			})
			down := false
			err := start(t, c, executor.Handler{
				Subscribed: func(context.Context, *wire.Event_Subscribed) error { go a.die(); return nil },
				Shutdown: func(ctx context.Context) error {
					down = true
					return c.Update(ctx, status("t1", v1.TaskState_TASK_KILLED)) // nobody hears it
				},
			})()
			var lost *executor.LostError
			if !errors.As(err, &lost) || !errors.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), addr) {
				t.Errorf("Run = %v", err)
			}
			if !down {
				t.Error("handler was not asked to shut down")
			}
		})
	}
}

// TestLostWhileRecovering: an agent that never stops recovering is lost, too.
func TestLostWhileRecovering(t *testing.T) {
	a := newFakeAgent(t, func(s *subscription) { http.Error(s.w, "recovering", http.StatusServiceUnavailable) })
	c := newClient(t, a.addr(), func(cfg *executor.Config) { cfg.RecoveryTimeout = 30 * time.Millisecond })
	err := start(t, c, executor.Handler{})()
	var lost *executor.LostError
	if !errors.As(err, &lost) || !strings.Contains(err.Error(), "503 Service Unavailable: recovering") {
		t.Errorf("Run = %v", err)
	}
}

func TestRefusalEndsRun(t *testing.T) {
	for code, class := range map[int]error{
		http.StatusBadRequest: errs.Invalid, http.StatusTemporaryRedirect: errs.Invalid, http.StatusUnauthorized: errs.Conflict,
		http.StatusForbidden: errs.Conflict, http.StatusNotImplemented: errs.Unsupported,
	} {
		a := newFakeAgent(t, func(s *subscription) { http.Error(s.w, "unknown framework", code) })
		down := false
		err := start(t, newClient(t, a.addr(), nil), executor.Handler{Shutdown: func(context.Context) error { down = true; return nil }})()
		var refusal *executor.RefusedError
		if !errors.As(err, &refusal) || refusal.Status != code || refusal.Message != "unknown framework" || !errors.Is(err, class) || !down {
			t.Errorf("%d: Run = %v, shut down: %v", code, err, down)
		}
	}
}

func TestShutdown(t *testing.T) {
	t.Run("last updates are acknowledged", func(t *testing.T) {
		a := newFakeAgent(t, func(s *subscription) {
			s.send(subscribedEvent(), launchEvent("t1"))
			s.ack()
			s.send(shutdownEvent(), launchEvent("t2"))
			s.ack()
			s.hold()
		})
		c := newClient(t, a.addr(), nil)
		err := start(t, c, executor.Handler{
			Launch: func(ctx context.Context, task *v1.TaskInfo) error {
				if id := task.GetTaskId().GetValue(); id != "t1" {
					t.Errorf("launch of %s after SHUTDOWN", id)
				}
				return c.Update(ctx, status("t1", v1.TaskState_TASK_RUNNING))
			},
			Shutdown: func(ctx context.Context) error {
				if _, has := ctx.Deadline(); !has {
					t.Error("no deadline")
				}
				return c.Update(ctx, status("t1", v1.TaskState_TASK_KILLED))
			},
		})()
		if err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("handler's error", func(t *testing.T) {
		a := newFakeAgent(t, subscribeAndShutDown)
		want := errors.New("disk full")
		err := start(t, newClient(t, a.addr(), nil), executor.Handler{Shutdown: func(context.Context) error { return want }})()
		if !errors.Is(err, want) {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("stream ends with it", func(t *testing.T) {
		a := newFakeAgent(t, func(s *subscription) { s.send(subscribedEvent(), shutdownEvent()) })
		if err := start(t, newClient(t, a.addr(), nil), executor.Handler{})(); err != nil || len(a.subscribed()) != 1 {
			t.Errorf("Run = %v after %d subscriptions", err, len(a.subscribed()))
		}
	})
	for name, h := range map[string]func(never chan struct{}) executor.Handler{
		"handler hangs": func(never chan struct{}) executor.Handler {
			return executor.Handler{Shutdown: func(context.Context) error { <-never; return nil }}
		},
		"earlier handler hangs": func(never chan struct{}) executor.Handler {
			return executor.Handler{Subscribed: func(context.Context, *wire.Event_Subscribed) error { <-never; return nil }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			never := make(chan struct{})
			defer close(never)
			a := newFakeAgent(t, subscribeAndShutDown)
			c := newClient(t, a.addr(), func(cfg *executor.Config) { cfg.ShutdownGracePeriod = 40 * time.Millisecond })
			if err := start(t, c, h(never))(); err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
}

func TestStopWaitsForAcknowledgements(t *testing.T) {
	stopped := make(chan struct{})
	a := newFakeAgent(t, func(s *subscription) {
		s.send(subscribedEvent(), launchEvent("t1"))
		s.a.next(wire.Call_UPDATE)
		<-stopped
	}, func(s *subscription) {
		s.send(subscribedEvent())
		for _, u := range s.call.GetSubscribe().GetUnacknowledgedUpdates() {
			s.send(ackEvent(u.GetStatus()))
		}
		s.hold()
	})
	c := newClient(t, a.addr(), nil)
	wait := start(t, c, executor.Handler{Launch: func(ctx context.Context, _ *v1.TaskInfo) error {
		err := c.Update(ctx, status("t1", v1.TaskState_TASK_FINISHED))
		c.Stop()
		c.Stop()
		close(stopped)
		return err
	}})
	if err := wait(); err != nil || len(a.subscribed()) != 2 {
		t.Errorf("Run = %v after %d subscriptions", err, len(a.subscribed()))
	}
}

func TestHandlerErrorEndsRun(t *testing.T) {
	a := newFakeAgent(t, subscribeAndHold)
	want := errors.New("enough")
	err := start(t, newClient(t, a.addr(), nil), executor.Handler{
		Subscribed: func(context.Context, *wire.Event_Subscribed) error { return want },
		Shutdown:   func(context.Context) error { t.Error("shut down by whom?"); return nil },
	})()
	if !errors.Is(err, want) {
		t.Errorf("Run = %v, want %v", err, want)
	}
}

func TestContextEndsRun(t *testing.T) {
	a := newFakeAgent(t, subscribeAndHold)
	c := newClient(t, a.addr(), nil)
	want := errors.New("terminated")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := c.Run(ctx, executor.Handler{
		Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error { cancel(want); <-ctx.Done(); return nil },
	})
	if !errors.Is(err, want) {
		t.Errorf("Run = %v, want %v", err, want)
	}
	if err := c.Run(t.Context(), executor.Handler{}); !errors.Is(err, errs.Conflict) {
		t.Errorf("second Run = %v", err)
	}
	for _, err := range []error{c.Update(t.Context(), status("t", v1.TaskState_TASK_RUNNING)), c.Message(t.Context(), nil)} {
		if !errors.Is(err, errs.Conflict) {
			t.Errorf("call after Run = %v", err)
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	c := newClient(t, "127.0.0.1:5051", nil)
	for name, s := range map[string]*v1.TaskStatus{
		"nothing":   nil,
		"no task":   {State: v1.TaskState_TASK_RUNNING.Enum()},
		"bad task":  status("../t", v1.TaskState_TASK_RUNNING),
		"no state":  {TaskId: status("t", 0).TaskId},
		"staging":   status("t", v1.TaskState_TASK_STAGING),
		"no such":   status("t", 99),
		"half of a": {TaskId: status("t", 0).TaskId, State: v1.TaskState_TASK_RUNNING.Enum(), UnreachableTime: &v1.TimeInfo{}},
	} {
		if err := c.Update(t.Context(), s); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: Update = %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Update(ctx, status("t", v1.TaskState_TASK_RUNNING)); !errors.Is(err, context.Canceled) {
		t.Errorf("Update before Run = %v", err)
	}
}

// TestRefusedUpdates: what is wrong for good is told to its author and never
// comes again; the rest is an agent to subscribe at again.
func TestRefusedUpdates(t *testing.T) {
	for code, want := range map[int]string{http.StatusBadRequest: "t1 | ", http.StatusForbidden: "t1 | t1 TASK_RUNNING", http.StatusServiceUnavailable: "t1 | t1 TASK_RUNNING"} {
		again := make(chan struct{})
		a := newFakeAgent(t, func(s *subscription) {
			s.send(subscribedEvent(), launchEvent("t1"))
			<-again
		}, subscribeAndHold)
		a.refuse = func(*wire.Call) (int, string) { return code, "not this" }
		c := newClient(t, a.addr(), nil)
		told := errors.New("told")
		err := start(t, c, executor.Handler{
			Launch: func(ctx context.Context, _ *v1.TaskInfo) error {
				err := c.Update(ctx, status("t1", v1.TaskState_TASK_RUNNING))
				var refusal *executor.RefusedError
				if final := code == http.StatusBadRequest; final != errors.As(err, &refusal) {
					t.Errorf("%d: Update = %v", code, err)
				}
				close(again)
				return nil
			},
			Subscribed: func(context.Context, *wire.Event_Subscribed) error {
				if len(a.subscribed()) == 1 {
					return nil
				}
				return told
			},
		})()
		if !errors.Is(err, told) {
			t.Fatalf("%d: Run = %v", code, err)
		}
		if got := sent(a.subscribed()[1]); got != want {
			t.Errorf("%d: SUBSCRIBE carried %q, want %q", code, got, want)
		}
	}
}

// TestUnhandledLaunches: a task that nobody will start does not stay staging.
func TestUnhandledLaunches(t *testing.T) {
	a := newFakeAgent(t, func(s *subscription) {
		s.send(subscribedEvent(), launchEvent("t1"), groupEvent("t2", "t3"))
		for _, id := range []string{"t1", "t2", "t3"} {
			if u := s.ack(); u.GetTaskId().GetValue() != id || u.GetState() != v1.TaskState_TASK_ERROR {
				t.Errorf("update %v, want TASK_ERROR of %s", u, id)
			}
		}
		s.send(shutdownEvent())
		s.hold()
	})
	if err := start(t, newClient(t, a.addr(), nil), executor.Handler{})(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// TestEventsOutOfPlace: what makes no sense is skipped, the rest is done.
func TestEventsOutOfPlace(t *testing.T) {
	a := newFakeAgent(t, func(s *subscription) {
		s.send(subscribedEvent())
		for n := range wire.Event_Type_name {
			if typ := wire.Event_Type(n); typ != wire.Event_SUBSCRIBED && typ != wire.Event_SHUTDOWN {
				s.send(&wire.Event{Type: &typ})
			}
		}
		s.send(&wire.Event{}, launchEvent("../etc"), groupEvent(), groupEvent("a", "a"), groupEvent("b", ".."), killEvent(""),
			ackEvent(&v1.TaskStatus{TaskId: status("never", 0).TaskId, Uuid: []byte("u")}))
		s.raw("3\n\x08\xe7\x07") // type 999
		s.send(groupEvent("a", "b"), killEvent("x"))
		s.hold()
	})
	var log []string
	c := newClient(t, a.addr(), nil)
	err := start(t, c, executor.Handler{
		LaunchGroup: func(_ context.Context, g *v1.TaskGroupInfo) error {
			for _, task := range g.GetTasks() {
				log = append(log, "launch "+task.GetTaskId().GetValue())
			}
			return nil
		},
		Launch:  func(context.Context, *v1.TaskInfo) error { log = append(log, "launch alone"); return nil },
		Message: func(context.Context, []byte) error { log = append(log, "message"); return nil },
		Error:   func(context.Context, string) error { log = append(log, "error"); return nil },
		Kill: func(_ context.Context, k *wire.Event_Kill) error {
			log = append(log, "kill "+k.GetTaskId().GetValue())
			c.Stop()
			return nil
		},
		Acknowledged: func(context.Context, *v1.TaskStatus) error { log = append(log, "acknowledged"); return nil },
	})()
	if err != nil {
		t.Errorf("Run = %v", err)
	}
	if got, want := strings.Join(log, ", "), "launch a, launch b, kill x"; got != want {
		t.Errorf("handler saw %s, want %s", got, want)
	}
}

func TestLargeFrame(t *testing.T) {
	const size = 20 << 20
	a := newFakeAgent(t, func(s *subscription) {
		s.send(subscribedEvent(), messageEvent(strings.Repeat("x", size)))
		s.hold()
	})
	c := newClient(t, a.addr(), nil)
	got := 0
	err := start(t, c, executor.Handler{Message: func(_ context.Context, data []byte) error {
		got = len(data)
		c.Stop()
		return nil
	}})()
	if err != nil || got != size {
		t.Errorf("Run = %v with a message of %d bytes, want %d", err, got, size)
	}
}

// TestManyEvents: a slow handler stops the stream, not the updates.
func TestManyEvents(t *testing.T) {
	const events = 3000
	a := newFakeAgent(t, func(s *subscription) {
		s.send(subscribedEvent())
		for range events {
			s.send(messageEvent("x"))
		}
		s.hold()
	})
	c := newClient(t, a.addr(), nil)
	got := 0
	err := start(t, c, executor.Handler{Message: func(ctx context.Context, _ []byte) error {
		if got++; got == 1 {
			if err := c.Update(ctx, status("t", v1.TaskState_TASK_RUNNING)); err != nil {
				return err
			}
		}
		if got == events {
			return errors.New("all")
		}
		return nil
	}})()
	if err == nil || err.Error() != "all" {
		t.Errorf("Run = %v after %d", err, got)
	}
}

// TestHeartbeats: ours go out, and an agent that does not know them is forgiven.
func TestHeartbeats(t *testing.T) {
	beats := make(chan struct{}, 100)
	a := newFakeAgent(t, func(s *subscription) {
		s.send(subscribedEvent())
		for range 3 {
			<-beats
			s.send(&wire.Event{Type: wire.Event_HEARTBEAT.Enum()})
		}
		s.send(shutdownEvent())
		s.hold()
	})
	a.refuse = func(call *wire.Call) (int, string) {
		if call.GetType() == wire.Call_HEARTBEAT {
			beats <- struct{}{}
		}
		return http.StatusNotImplemented, "what?"
	}
	c := newClient(t, a.addr(), func(cfg *executor.Config) { cfg.Heartbeat = 50 * time.Millisecond })
	if err := start(t, c, executor.Handler{})(); err != nil {
		t.Errorf("Run = %v", err)
	}
}
