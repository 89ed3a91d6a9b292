package probe

// Goal: attempts come when Mesos's would, and their results say what its would.
// Method: tables of outcomes with the verdicts they must give, and random lives
// against a naive count.

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	v1 "mezzo/api/mesos/v1"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestDefaults(t *testing.T) {
	want := Config{Delay: 15 * time.Second, Interval: 10 * time.Second, Timeout: 20 * time.Second, Grace: 10 * time.Second, MaxFailures: 3}
	if got := OfHealthCheck(&v1.HealthCheck{}); got != want {
		t.Errorf("health check: %+v", got)
	}
	want.Grace, want.MaxFailures = 0, 0
	if got := OfCheck(&v1.CheckInfo{}); got != want {
		t.Errorf("check: %+v", got)
	}
	got := OfHealthCheck(&v1.HealthCheck{ConsecutiveFailures: proto.Uint32(0), IntervalSeconds: proto.Float64(0.5)})
	if got.MaxFailures != 1 || got.Interval != 500*time.Millisecond {
		t.Errorf("given: %+v", got)
	}
}

// life runs attempts of the given outcomes and writes what follows: "-" nothing,
// "h" healthy, "u" unhealthy, "K" unhealthy and to be killed.
func life(h *Health, outcomes string, each time.Duration) string {
	now := epoch
	h.Start(now)
	var out strings.Builder
	for _, o := range outcomes {
		at, ok := h.NextWake()
		if !ok {
			return "not due"
		}
		now = at
		a, ok := h.Due(now)
		if !ok {
			return "not due"
		}
		if _, again := h.Due(now); again {
			return "due twice"
		}
		now = now.Add(each)
		v := h.Result(now, a.Number, o == '+')
		switch {
		case !v.Tell:
			out.WriteByte('-')
		case v.Healthy:
			out.WriteByte('h')
		case v.Kill:
			out.WriteByte('K')
		default:
			out.WriteByte('u')
		}
	}
	return out.String()
}

func TestHealth(t *testing.T) {
	cfg := Config{Interval: time.Second, MaxFailures: 3}
	graceful := cfg
	graceful.Grace = 2500 * time.Millisecond
	for _, row := range []struct {
		cfg            Config
		outcomes, want string
	}{
		{cfg, "+++", "h--"},
		{cfg, "---", "uuK"},
		{cfg, "+--+--+", "huuhuuh"},
		{cfg, "+---", "huuK"},
		{cfg, "----", "uuKK"},
		{graceful, "------", "---uuK"},
		{graceful, "+---", "huuK"},
		{graceful, "-+---", "-huuK"},
		{Config{Interval: time.Second, MaxFailures: 1}, "+-", "hK"},
	} {
		if got := life(NewHealth(row.cfg), row.outcomes, 0); got != row.want {
			t.Errorf("%s of %+v: %s, want %s", row.outcomes, row.cfg, got, row.want)
		}
	}
}

func TestTimes(t *testing.T) {
	h := NewHealth(Config{Delay: 5 * time.Second, Interval: 2 * time.Second, Timeout: time.Second, MaxFailures: 1})
	if _, ok := h.NextWake(); ok {
		t.Error("due before it started")
	}
	h.Start(epoch)
	if _, ok := h.Due(epoch.Add(4 * time.Second)); ok {
		t.Error("due before the delay was over")
	}
	a, ok := h.Due(epoch.Add(5 * time.Second))
	if !ok || a.Timeout != time.Second {
		t.Errorf("%+v, %v", a, ok)
	}
	if v := h.Result(epoch.Add(6*time.Second), a.Number+1, false); v.Tell {
		t.Error("a result that nobody awaits was taken")
	}
	h.Result(epoch.Add(9*time.Second), a.Number, true)
	if at, ok := h.NextWake(); !ok || !at.Equal(epoch.Add(11*time.Second)) {
		t.Errorf("next at %v, want the interval after the end of the last", at)
	}
	if v := h.Result(epoch.Add(9*time.Second), a.Number, false); v.Tell {
		t.Error("a result was taken twice")
	}
}

func TestResume(t *testing.T) {
	yes, no := true, false
	for _, row := range []struct {
		told     *bool
		ok, tell bool
	}{{nil, true, true}, {nil, false, false}, {&yes, true, false}, {&yes, false, true}, {&no, true, true}, {&no, false, true}} {
		h := NewHealth(Config{Interval: time.Second, Grace: time.Minute, MaxFailures: 3})
		h.Resume(epoch, row.told)
		a, _ := h.Due(epoch.Add(time.Second))
		if v := h.Result(epoch.Add(time.Second), a.Number, row.ok); v.Tell != row.tell {
			t.Errorf("%+v: %+v", row, v)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, row := range []struct {
		kind     v1.CheckInfo_Type
		outcomes []Outcome
		want     string
	}{
		{v1.CheckInfo_COMMAND, []Outcome{{Done: true, OK: true}, {Done: true, OK: true}, {Done: true, Code: 3}, {}}, "exit_code:0|=|exit_code:3|"},
		{v1.CheckInfo_HTTP, []Outcome{{Done: true, Code: 200}, {Done: true, Code: 500}, {}, {}}, "status_code:200|status_code:500||="},
		{v1.CheckInfo_TCP, []Outcome{{Done: true, OK: true}, {Done: true}, {}}, "succeeded:true|succeeded:false|succeeded:false"},
	} {
		c := NewCheck(row.kind, Config{Interval: time.Second})
		c.Start(epoch)
		now := epoch
		var got []string
		for _, o := range row.outcomes {
			a, ok := c.Due(now)
			if !ok {
				t.Fatal("not due")
			}
			if !c.Result(now, a.Number, o) {
				got = append(got, "=")
			} else {
				s := strings.ReplaceAll(fmt.Sprint(c.Status()), " ", "")
				s = s[strings.Index(s, "{")+1:]
				got = append(got, strings.TrimSuffix(s, "}"))
			}
			now = now.Add(time.Second)
		}
		if s := strings.Join(got, "|"); s != row.want {
			t.Errorf("%s: %s, want %s", row.kind, s, row.want)
		}
	}
	if s := NewCheck(v1.CheckInfo_HTTP, Config{}).Status(); s.Http == nil || s.Http.StatusCode != nil {
		t.Errorf("before the first: %v", s)
	}
}

func TestRandomHealth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Interval: time.Second, Grace: time.Duration(rapid.IntRange(0, 5).Draw(t, "grace")) * time.Second,
			MaxFailures: rapid.IntRange(1, 4).Draw(t, "max"),
		}
		outcomes := rapid.StringOfN(rapid.SampledFrom([]rune("+-")), 0, 12, -1).Draw(t, "outcomes")
		got := life(NewHealth(cfg), outcomes, 0)
		// The naive count: attempt i is at i seconds.
		row, known, want := 0, false, ""
		for i, o := range outcomes {
			switch {
			case o == '+' && (row > 0 || !known):
				want += "h"
			case o == '+' || !known && cfg.Grace > 0 && time.Duration(i)*time.Second <= cfg.Grace:
				want += "-"
			case row+1 >= cfg.MaxFailures:
				want += "K"
			default:
				want += "u"
			}
			if o == '+' {
				row, known = 0, true
			} else if want[i] != '-' {
				row, known = row+1, true
			}
		}
		if got != want {
			t.Fatalf("%s of %+v: %s, want %s", outcomes, cfg, got, want)
		}
	})
}
