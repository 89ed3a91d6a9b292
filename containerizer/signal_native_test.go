package containerizer_test

import (
	"context"
	"sync"
	"syscall"
	"testing"
)

// How containers are ended.

func TestSignal(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	s := b.spec(t, `trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.05; done`)
	if _, err := b.Launch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return output(t, s, "stdout") == "ready\n" })
	if u, err := b.Usage(t.Context(), s.ID); err != nil || u.CPU == 0 || u.MemCurrentBytes == 0 || u.Pids == 0 {
		t.Errorf("usage %+v, %v", u, err)
	}
	if err := b.Signal(t.Context(), s.ID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	end, err := b.Wait(t.Context(), s.ID)
	if err != nil || end.Code != 3 || output(t, s, "stdout") != "ready\ncaught\n" {
		t.Errorf("end %+v, %v, output %q", end, err, output(t, s, "stdout"))
	}
	if err := b.Signal(t.Context(), s.ID, syscall.SIGTERM); err != nil {
		t.Errorf("signal to one that has ended: %v", err)
	}
	if err := b.Destroy(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
}

// TestDefaultAction: the first process of a container ends as any other would
// by a signal that it does not handle.
func TestDefaultAction(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	for _, tt := range []struct {
		command string
		code    int
	}{
		{"echo ready; exec sleep 1000", 128 + int(syscall.SIGKILL)},                     // alone
		{"echo ready; sleep 1000; exit 9", 9},                                           // its child gets the signal
		{"trap '' TERM; echo ready; sh -c 'kill -USR1 1'; sleep 0.2; exit 8", 8},        // ignored on purpose
		{"trap 'exit 6' TERM; (trap 'echo no' TERM; sleep 1000) & echo ready; wait", 6}, // handled: it alone
	} {
		s := b.spec(t, tt.command)
		if _, err := b.Launch(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		await(t, func() bool { return output(t, s, "stdout") == "ready\n" })
		if err := b.Signal(t.Context(), s.ID, syscall.SIGTERM); err != nil {
			t.Errorf("%s: %v", tt.command, err)
		}
		end, err := b.Wait(t.Context(), s.ID)
		if err != nil || end.Code != tt.code || output(t, s, "stdout") != "ready\n" {
			t.Errorf("%s: end %+v, %v, output %q; want code %d", tt.command, end, err, output(t, s, "stdout"), tt.code)
		}
		if err := b.Destroy(t.Context(), s.ID); err != nil {
			t.Error(err)
		}
	}
}

// TestDestroy: one that runs is killed, and who waits for it is told.
func TestDestroy(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	s := b.spec(t, `trap : TERM; sleep 1000 & sleep 1000 & wait; wait`)
	if _, err := b.Launch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			end, err := b.Wait(t.Context(), s.ID)
			if err != nil || end.Code != 128+int(syscall.SIGKILL) || end.Unknown {
				t.Errorf("end %+v, %v; want code 137", end, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it goes on nevertheless
	wg.Go(func() {
		if err := b.Destroy(ctx, s.ID); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}
