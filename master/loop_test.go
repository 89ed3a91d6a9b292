package master

import (
	"errors"
	"log/slog"
	"testing"

	"mezzo/internal/errs"
	"mezzo/master/core"
)

// TestInboxes: goal, that agents who say much keep no reader and no call out; method, a
// loop that does not run, so that all inboxes fill.
func TestInboxes(t *testing.T) {
	l := newLoop(nil, nil, slog.New(slog.DiscardHandler), 0)
	message := request{event: core.AgentMessage{}}
	for range inboxSize {
		if err := l.tell(message); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 2+inboxSize)
	go func() { ended <- l.tell(message) }() // waits
	go func() {
		_, err := l.readView()
		ended <- err
	}()
	for range inboxSize - 1 {
		go func() { ended <- l.ask(request{event: core.SetWeights{}}) }()
	}
	for len(l.inbox) < inboxSize {
		select {
		case err := <-ended:
			t.Fatalf("with room for it: %v", err)
		default:
		}
	}
	if err := l.ask(request{event: core.SetWeights{}}); !errors.Is(err, errs.Exhausted) {
		t.Errorf("without room: %v", err)
	}
	close(l.done)
	for range inboxSize + 1 {
		if err := <-ended; !errors.Is(err, errStopped) {
			t.Errorf("at the end: %v", err)
		}
	}
}
