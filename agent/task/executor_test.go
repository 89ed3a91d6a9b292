package task

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mezzo/internal/errs"
)

// TestEveryExecutorMeetsEveryEvent: as for tasks, the expectation is written
// apart from the table.
func TestEveryExecutorMeetsEveryEvent(t *testing.T) {
	legal := map[string]string{
		"starting, launched":      "registering: wake 1m0s",
		"starting, launch failed": "gone:",
		"starting, shutdown":      "aborting: abort",
		"starting, lost":          "gone: destroy",

		"aborting, launched":      "ending: slay wake 10s",
		"aborting, launch failed": "gone:",
		"aborting, shutdown":      "aborting:",
		"aborting, lost":          "gone: destroy",

		"registering, subscribed": "running:",
		"registering, shutdown":   "ending: terminate wake 3s",
		"registering, overdue":    "ending: slay wake 10s",
		"registering, exited":     "gone: destroy",
		"registering, lost":       "gone: destroy",

		"running, subscribed": "running:",
		"running, shutdown":   "ending: askshutdown wake 3s",
		"running, exited":     "gone: destroy",
		"running, lost":       "gone: destroy",

		"ending, subscribed": "ending: askshutdown wake 5s",
		"ending, shutdown":   "ending: wake 3s",
		"ending, overdue":    "ending: slay wake 10s",
		"ending, exited":     "gone: destroy",
		"ending, lost":       "gone: destroy",

		"gone, shutdown":   "gone:",
		"gone, subscribed": "gone:",
	}
	met := 0
	for s := range numExecutorStates {
		for k := range numExecutorKinds {
			x := NewExecutor(time.Minute)
			x.State = s
			if s == ExecutorEnding {
				x.Deadline = epoch.Add(5 * time.Second)
			}
			effects, err := x.Step(epoch, k, 3*time.Second)
			got := fmt.Sprintf("%s:", x.State)
			if len(effects) > 0 {
				got += " " + brief(effects)
			}
			if !x.Deadline.IsZero() {
				got += fmt.Sprintf(" wake %v", x.Deadline.Sub(epoch))
			}
			want, ok := legal[fmt.Sprintf("%s, %s", s, k)]
			switch {
			case ok:
				met++
				if err != nil || strings.TrimSpace(got) != want {
					t.Errorf("%s, %s: got %q, %v, want %q", s, k, got, err, want)
				}
			case !errors.Is(err, errs.Conflict) || x.State != s:
				t.Errorf("%s, %s: %v, %q", s, k, err, got)
			}
		}
	}
	if met != len(legal) {
		t.Errorf("%d of %d met", met, len(legal))
	}
}
