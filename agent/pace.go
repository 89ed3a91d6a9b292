package agent

import "time"

// pace is how often the master wants to hear of usage. The zero pace is as often as
// there is something to tell.
type pace struct {
	every time.Duration
	last  time.Time
}

// due tells whether to report now. Who is asked once in each period does not wait
// another for the last bit of every.
func (p *pace) due(now time.Time, period time.Duration) bool {
	if !p.last.IsZero() && now.Sub(p.last)+period/2 < p.every {
		return false
	}
	p.last = now
	return true
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
