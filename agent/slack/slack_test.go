package slack

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Unix(1000, 0)

// TestEstimator: each row goes on for a while, a sample a second.
func TestEstimator(t *testing.T) {
	type row struct {
		what    string
		seconds int
		s       Sample
		want    int64 // after it
	}
	tasks := func(given, used int64) Sample {
		return Sample{CPUsMilli: 8000, UsedMilli: used + 100, Tasks: []Task{{"a", given, used}}}
	}
	e := New(Config{Window: time.Minute, Margin: 0.1})
	now := start
	for _, r := range []row{
		{"nothing is known yet", 59, tasks(4000, 1000), 0},
		{"the window is full", 2, tasks(4000, 1000), 2200},
		{"a peak counts", 1, tasks(4000, 2000), 1200},
		{"for as long as the window", 58, tasks(4000, 1000), 1200},
		{"and not much longer", 15, tasks(4000, 1000), 2200},
		{"the machine has less left", 1, Sample{CPUsMilli: 8000, UsedMilli: 6000, Tasks: []Task{{"a", 4000, 1000}}}, 1200},
		{"revocable use is not the machine's", 80, Sample{CPUsMilli: 8000, UsedMilli: 6000, RevocableUsed: 4500, Tasks: []Task{{"a", 4000, 1000}}}, 2200},
		{"a young task has none", 59, Sample{CPUsMilli: 8000, UsedMilli: 1000, Tasks: []Task{{"a", 4000, 1000}, {"b", 2000, 0}}}, 2200},
		{"an older one has", 2, Sample{CPUsMilli: 8000, UsedMilli: 1000, Tasks: []Task{{"a", 4000, 1000}, {"b", 2000, 0}}}, 4200},
		{"one that is over has not", 1, Sample{CPUsMilli: 8000, UsedMilli: 1000, Tasks: []Task{{"b", 2000, 0}}}, 1200},
		{"more use than given is no slack", 1, Sample{CPUsMilli: 8000, UsedMilli: 1000, Tasks: []Task{{"b", 2000, 3000}}}, 0},
	} {
		var got int64
		for range r.seconds {
			got = e.Add(now, r.s)
			now = now.Add(time.Second)
		}
		if got != r.want || e.Milli() != got {
			t.Errorf("%s: %d, want %d", r.what, got, r.want)
		}
	}
}

// TestEstimatorIsCareful: the invariants, against all samples remembered.
func TestEstimatorIsCareful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Window: time.Duration(rapid.IntRange(1, 100).Draw(t, "window")) * time.Second, Margin: rapid.Float64Range(0, 1).Draw(t, "margin")}
		e := New(cfg)
		type seen struct {
			at time.Time
			s  Sample
		}
		var all []seen
		now := start
		for range rapid.IntRange(1, 80).Draw(t, "samples") {
			now = now.Add(time.Duration(rapid.IntRange(0, 9000).Draw(t, "later")) * time.Millisecond)
			s := Sample{CPUsMilli: 8000, UsedMilli: rapid.Int64Range(0, 8000).Draw(t, "used"), RevocableUsed: rapid.Int64Range(0, 4000).Draw(t, "revocable")}
			for _, id := range []string{"a", "b"} {
				if rapid.IntRange(0, 9).Draw(t, "there") > 0 {
					s.Tasks = append(s.Tasks, Task{id, 4000, rapid.Int64Range(0, 4500).Draw(t, "uses")})
				}
			}
			all = append(all, seen{now, s})
			got := e.Add(now, s)
			most := 8000 - int64(cfg.Margin*8000)
			var given int64
			for _, x := range s.Tasks {
				peak := int64(0)
				for _, before := range all {
					for _, y := range before.s.Tasks {
						if y.ID == x.ID && now.Sub(before.at) <= cfg.Window {
							peak = max(peak, y.UsedMilli)
						}
					}
				}
				given += max(0, x.GivenMilli-peak)
			}
			peak := int64(0)
			for _, before := range all {
				if now.Sub(before.at) <= cfg.Window {
					peak = max(peak, before.s.UsedMilli-before.s.RevocableUsed)
				}
			}
			if got < 0 || got > most || got > given || got > 8000-peak {
				t.Fatalf("estimate %d with %d given and not used, %d left on the machine, at most %d", got, given, 8000-peak, most)
			}
			if now.Sub(start) < cfg.Window && got > 0 {
				t.Fatalf("estimate %d before the window is over", got)
			}
		}
	})
}
