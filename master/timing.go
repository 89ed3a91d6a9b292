package master

import (
	"slices"
	"sync"
	"time"
)

// timingWindow is how many runs a timing remembers.
// Source: libprocess timeseries.hpp, TIME_SERIES_CAPACITY.
const timingWindow = 1000

// timing is how long the last runs of something took. Safe for concurrent use.
type timing struct {
	mu    sync.Mutex
	ring  []time.Duration // of the last runs, in no order
	last  time.Duration
	total uint64 // runs since the start
}

func (t *timing) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) < timingWindow {
		t.ring = append(t.ring, d)
	} else {
		t.ring[t.total%timingWindow] = d
	}
	t.last = d
	t.total++
}

// timings is a timing at one moment.
type timings struct {
	sorted []time.Duration
	last   time.Duration
	total  uint64
}

func (t *timing) read() timings {
	t.mu.Lock()
	defer t.mu.Unlock()
	return timings{slices.Sorted(slices.Values(t.ring)), t.last, t.total}
}

// percentile is the time that a part of the runs, from 0 to 1, did not exceed.
func (t *timings) percentile(part float64) time.Duration {
	if len(t.sorted) == 0 {
		return 0
	}
	return t.sorted[int(part*float64(len(t.sorted)-1)+0.5)]
}

func millis(d time.Duration) float64 { return d.Seconds() * 1000 }

// timingMetrics are the metrics of what of finds, below name.
func timingMetrics(name, help string, of func(*tally) *timings) []metric {
	list := []metric{
		gauge(name, help+": the last, in milliseconds", func(t *tally) float64 { return millis(of(t).last) }),
		{name + "/count", "counter", help + ": how many", func(t *tally) float64 { return float64(of(t).total) }},
	}
	for _, p := range []struct {
		name string
		part float64
	}{{"min", 0}, {"max", 1}, {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999}} {
		list = append(list, gauge(name+"/"+p.name, help+": of the last 1000, in milliseconds", func(t *tally) float64 {
			return millis(of(t).percentile(p.part))
		}))
	}
	return list
}
