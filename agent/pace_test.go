package agent

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	for _, tt := range []struct {
		every time.Duration
		want  int // of ten periods of a second
	}{{0, 10}, {time.Second, 10}, {1200 * time.Millisecond, 10}, {2 * time.Second, 5}, {5 * time.Second, 2}, {time.Hour, 1}} {
		p, now, n := pace{every: tt.every}, time.Unix(1e9, 0), 0
		for range 10 {
			if p.due(now, time.Second) {
				n++
			}
			now = now.Add(time.Second)
		}
		if n != tt.want {
			t.Errorf("every %v: %d reports, want %d", tt.every, n, tt.want)
		}
	}
	p := pace{every: time.Hour}
	p.due(time.Unix(1e9, 0), time.Second)
	if p.every = 0; !p.due(time.Unix(1e9+1, 0), time.Second) {
		t.Error("a master that wants more waits for it")
	}
}
