package task

// Goal: what a framework reads, and when timers act. Method: scripts in
// testdata; each command steps one task and prints its effects in full.

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
)

func TestLives(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var task *Task
		now := epoch
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				now = epoch
				task = New(Config{
					What:          `command "x"`,
					Grace:         duration(t, d, "grace", DefaultGrace),
					MaxCompletion: duration(t, d, "max", 0),
					MemLimitBytes: 64 << 20,
					TellKilling:   d.HasArg("killing"),
				})
				return wake(task)
			}
			if d.HasArg("at") {
				now = epoch.Add(duration(t, d, "at", 0))
			}
			var out strings.Builder
			ev := parse(t, d)
			if ev == nil {
				due, ok := task.Due(now)
				if !ok {
					return "nothing due\n" + wake(task)
				}
				ev = due
			}
			effects, err := task.Step(now, ev)
			if err != nil {
				fmt.Fprintln(&out, err)
			}
			for _, e := range effects {
				fmt.Fprintln(&out, describe(e))
			}
			return out.String() + wake(task)
		})
	})
}

func parse(t *testing.T, d *datadriven.TestData) Event {
	t.Helper()
	why := strings.TrimSpace(d.Input)
	switch d.Cmd {
	case "start":
		return Start{}
	case "refuse":
		return Refuse{Why: why}
	case "launched":
		return Launched{}
	case "launch-failed":
		return LaunchFailed{Why: why}
	case "kill":
		k := Kill{End: End{Message: why}}
		if d.HasArg("grace") {
			g := duration(t, d, "grace", 0)
			k.Grace = &g
		}
		if d.HasArg("reason") {
			var name string
			d.ScanArgs(t, "reason", &name)
			k.End.Reason = v1.TaskStatus_Reason(v1.TaskStatus_Reason_value[name]).Enum()
		}
		return k
	case "exited":
		var e Exited
		e.Unknown = d.HasArg("unknown")
		if d.HasArg("code") {
			d.ScanArgs(t, "code", &e.Code)
		}
		if d.HasArg("limit") {
			var cause string
			d.ScanArgs(t, "limit", &cause)
			e.Limitation = &isolator.Limitation{Message: why, Cause: map[string]isolator.Cause{
				"memory": isolator.CauseMemory, "node": isolator.CauseNodeMemory, "other": isolator.CauseOther,
			}[cause]}
		}
		return e
	case "tick":
		return nil
	}
	d.Fatalf(t, "unknown command")
	return nil
}

func duration(t *testing.T, d *datadriven.TestData, key string, def time.Duration) time.Duration {
	t.Helper()
	if !d.HasArg(key) {
		return def
	}
	var text string
	d.ScanArgs(t, key, &text)
	v, err := time.ParseDuration(text)
	if err != nil {
		d.Fatalf(t, "%s: %v", key, err)
	}
	return v
}

func describe(e Effect) string {
	u, ok := e.(Update)
	if !ok {
		return brief([]Effect{e})
	}
	s := fmt.Sprintf("%s by %s", u.State, u.Source)
	if u.Reason != nil {
		s += " " + u.Reason.String()
	}
	if u.Message != "" {
		s += " " + strconv.Quote(u.Message)
	}
	if u.ExitCode != nil {
		s += fmt.Sprintf(" exit %d", *u.ExitCode)
	}
	for _, r := range u.Limitation {
		s += fmt.Sprintf(" limit %s:%v", r.GetName(), r.GetScalar().GetValue())
	}
	return s
}

func wake(task *Task) string {
	s := task.State().String()
	if at, ok := task.NextWake(); ok {
		s += fmt.Sprintf(", wake at %v", at.Sub(epoch))
	}
	return s + "\n"
}
