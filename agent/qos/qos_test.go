package qos

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Unix(1000, 0)

// TestController: each row goes on for a while, a sample a second; what was
// decided in it is told in words.
func TestController(t *testing.T) {
	well := Task{ID: "web", GivenMilli: 2000, UsedMilli: 500, CPUWaits: 0.1}
	hurt := Task{ID: "web", GivenMilli: 2000, UsedMilli: 500, CPUWaits: 0.6}
	stalled := Task{ID: "web", GivenMilli: 2000, UsedMilli: 500, MemStalls: 0.5}
	busy := Task{ID: "web", GivenMilli: 2000, UsedMilli: 2000, CPUWaits: 0.9} // has what it was given
	small := Task{ID: "r1", Revocable: true, GivenMilli: 1000, UsedMilli: 200, MemBytes: 500}
	large := Task{ID: "r2", Revocable: true, GivenMilli: 4000, UsedMilli: 2000, MemBytes: 100}
	c := New(Default())
	now := start
	for _, r := range []struct {
		what    string
		seconds int
		tasks   []Task
		want    string
	}{
		{"nobody suffers", 60, []Task{well, small, large}, ""},
		{"what was given is had", 60, []Task{busy, small, large}, ""},
		{"a moment is nothing", 2, []Task{hurt, small, large}, ""},
		{"it passed", 5, []Task{well, small, large}, ""},
		{"all are throttled", 4, []Task{hurt, small, large}, "r1=100 r2=1000 "},
		{"and more, down to the least", 6, []Task{hurt, small, large}, "r1=50 r2=500 r2=250 "},
		{"to the least", 9, []Task{hurt, small, large}, "r2=125 r2=62 r2=50 "},
		{"then who uses most goes", 3, []Task{hurt, small, large}, "evict r2 "},
		{"then the other", 3, []Task{hurt, small}, "evict r1 "},
		{"nobody is left to go", 30, []Task{hurt}, ""},
		{"a new one begins at the beginning", 1, []Task{hurt, large}, "r2=1000 "},
		{"calm for long enough", 14, []Task{well, large}, ""},
		{"limits are raised", 1, []Task{well, large}, "r2=2000 "},
		{"and then lifted", 15, []Task{well, large}, "r2=0 "},
		{"for good", 100, []Task{well, large}, ""},
		{"memory is not waited for by throttling", 4, []Task{stalled, small, large}, "evict r1 "},
		{"revocable tasks may suffer", 60, []Task{{ID: "r1", Revocable: true, GivenMilli: 1000, CPUWaits: 1, MemStalls: 1}}, ""},
	} {
		got := ""
		for range r.seconds {
			for _, d := range c.Add(now, r.tasks) {
				if d.Evict {
					got += fmt.Sprintf("evict %s ", d.ID)
				} else {
					got += fmt.Sprintf("%s=%d ", d.ID, d.LimitMilli)
				}
				if d.Why == "" {
					t.Errorf("%s: no reason for %v", r.what, d)
				}
			}
			now = now.Add(time.Second)
		}
		if got != r.want {
			t.Errorf("%s: %q, want %q", r.what, got, r.want)
		}
	}
	if n := c.Throttled(); n != 0 {
		t.Errorf("%d are throttled at the end", n)
	}
}

// TestControllerIsFair: the invariants, whatever the samples are.
func TestControllerIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New(Default())
		now := start
		limits := map[string]int64{}
		for range rapid.IntRange(1, 100).Draw(t, "samples") {
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "later")) * time.Millisecond)
			var tasks []Task
			revocable, suffers, stalls := map[string]Task{}, false, false
			for i := range 4 {
				if rapid.IntRange(0, 5).Draw(t, "there") == 0 {
					continue
				}
				x := Task{
					ID: fmt.Sprint("t", i), Revocable: i%2 == 1, GivenMilli: rapid.Int64Range(0, 4000).Draw(t, "given"), UsedMilli: rapid.Int64Range(0, 4000).Draw(t, "used"),
					CPUWaits: rapid.Float64Range(0, 1).Draw(t, "waits"), MemStalls: rapid.Float64Range(0, 0.3).Draw(t, "stalls"),
				}
				tasks = append(tasks, x)
				if x.Revocable {
					revocable[x.ID] = x
				} else if x.MemStalls > 0.2 {
					suffers, stalls = true, true
				} else if x.CPUWaits > 0.25 && x.UsedMilli < x.GivenMilli {
					suffers = true
				}
			}
			for id := range limits {
				if _, ok := revocable[id]; !ok {
					delete(limits, id)
				}
			}
			for _, d := range c.Add(now, tasks) {
				x, ok := revocable[d.ID]
				before, throttled := limits[d.ID]
				switch {
				case !ok:
					t.Fatalf("decision about %s, which is not on revocable resources", d.ID)
				case d.Evict && !suffers:
					t.Fatalf("%v though nobody suffers", d)
				case d.Evict && !stalls && !throttled:
					t.Fatalf("%v that was not throttled before", d)
				case d.Evict:
				case d.LimitMilli == 0:
					delete(limits, d.ID)
				case d.LimitMilli < Default().MinMilli:
					t.Fatalf("%v is less than the least", d)
				case !suffers && (!throttled || d.LimitMilli < before):
					t.Fatalf("%v takes from %v though nobody suffers", d, x)
				default:
					limits[d.ID] = d.LimitMilli
				}
			}
		}
	})
}
