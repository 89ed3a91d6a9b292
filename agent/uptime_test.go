package agent

import (
	"testing"
	"time"

	pb "mezzo/api/checkpoint"
)

// TestDeadlineNow: goal, that a deadline comes when it should, whatever was done to
// the clock between two agents.
func TestDeadlineNow(t *testing.T) {
	made := time.Unix(1_700_000_000, 0)
	deadline := made.Add(time.Hour)
	left := func() *pb.Left { return &pb.Left{Time: int64(time.Hour), SinceBoot: int64(100 * time.Second)} }
	for _, tt := range []struct {
		name string
		left *pb.Left
		now  time.Time
		up   time.Duration
		want time.Time
	}{
		{"nothing happened", left(), made.Add(10 * time.Minute), 700 * time.Second, deadline},
		{"the clock was set forward", left(), made.Add(26 * time.Hour), 700 * time.Second, made.Add(26*time.Hour + 50*time.Minute)},
		{"the clock was set back", left(), made.Add(-26 * time.Hour), 700 * time.Second, made.Add(-26*time.Hour + 50*time.Minute)},
		{"it has passed", left(), made.Add(2 * time.Hour), 7300 * time.Second, made.Add(time.Hour)},
		{"by an agent that did not note it", nil, made.Add(26 * time.Hour), 700 * time.Second, deadline},
		{"a time since boot that makes no sense", &pb.Left{Time: int64(time.Hour), SinceBoot: int64(time.Hour)}, made, 0, deadline},
	} {
		if got := time.Unix(0, deadlineNow(deadline.UnixNano(), tt.left, tt.now, tt.up)); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got.Sub(made), tt.want.Sub(made))
		}
	}
	life := &pb.Life{Left: &pb.Left{Time: 1}}
	stamp(life, time.Minute)
	if life.Left.SinceBoot != int64(time.Minute) {
		t.Errorf("stamped %v", life.Left)
	}
	stamp(&pb.Life{}, time.Minute)
	stamp(&pb.Framework{}, time.Minute)
	if a, b := sinceBoot(), sinceBoot(); a <= 0 || b < a {
		t.Errorf("the machine runs for %v, then %v", a, b)
	}
}
