package slack

import "time"

// buckets is in how many parts a window is kept: so much of it is the most by
// which a peak outlives the window.
const buckets = 6

// stepMilli is what an estimate is rounded down to, so that not every twitch is
// another one; in 1/1000 CPU.
const stepMilli = 100

// Config is how careful an Estimator is.
type Config struct {
	Window time.Duration // in which the most that was used counts
	Margin float64       // part of the machine's CPUs that is kept, 0 to 1
}

// Task is a task on resources of its own, in one sample. CPUs in 1/1000.
type Task struct {
	ID         string
	GivenMilli int64
	UsedMilli  int64
}

// Sample is what was used at one time. CPUs in 1/1000.
type Sample struct {
	CPUsMilli     int64 // of the machine
	UsedMilli     int64 // of them, by anybody
	RevocableUsed int64 // of that, by tasks on revocable resources
	Tasks         []Task
}

// Estimator knows the samples of a window.
//
// Concurrency: none; one owner.
type Estimator struct {
	cfg     Config
	tasks   map[string]*history
	machine *history
	milli   int64
}

// New returns an Estimator that has seen nothing.
func New(cfg Config) *Estimator {
	return &Estimator{cfg: cfg, tasks: make(map[string]*history)}
}

// Milli is the newest estimate, in 1/1000 CPU.
func (e *Estimator) Milli() int64 { return e.milli }

// Add takes a sample in and returns the estimate after it. Tasks that it has not
// in it are gone.
func (e *Estimator) Add(now time.Time, s Sample) int64 {
	if e.machine == nil {
		e.machine = &history{since: now}
	}
	part := e.cfg.Window / buckets
	e.machine.add(now, part, max(0, s.UsedMilli-s.RevocableUsed))
	seen := make(map[string]bool, len(s.Tasks))
	var slack int64
	for _, t := range s.Tasks {
		seen[t.ID] = true
		h := e.tasks[t.ID]
		if h == nil {
			h = &history{since: now}
			e.tasks[t.ID] = h
		}
		h.add(now, part, t.UsedMilli)
		if now.Sub(h.since) >= e.cfg.Window {
			slack += max(0, t.GivenMilli-h.peak())
		}
	}
	for id := range e.tasks {
		if !seen[id] {
			delete(e.tasks, id)
		}
	}
	margin := int64(e.cfg.Margin * float64(s.CPUsMilli))
	slack = min(slack, s.CPUsMilli-e.machine.peak()) - margin
	if now.Sub(e.machine.since) < e.cfg.Window {
		slack = 0
	}
	e.milli = max(0, slack/stepMilli*stepMilli)
	return e.milli
}

// history is the peaks of the parts of a window, the newest first.
type history struct {
	since time.Time
	begun time.Time // of the newest part
	peaks [buckets + 1]int64
}

func (h *history) add(now time.Time, part time.Duration, used int64) {
	if h.begun.IsZero() {
		h.begun = now
	}
	for range len(h.peaks) { // more would only repeat
		if now.Sub(h.begun) < part {
			break
		}
		copy(h.peaks[1:], h.peaks[:])
		h.peaks[0] = 0
		h.begun = h.begun.Add(part)
	}
	if now.Sub(h.begun) >= part {
		h.begun = now // after a gap of more than the window
	}
	h.peaks[0] = max(h.peaks[0], used)
}

func (h *history) peak() int64 {
	most := h.peaks[0]
	for _, p := range h.peaks {
		most = max(most, p)
	}
	return most
}
