package qos

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Config is when a Controller acts.
type Config struct {
	Patience  time.Duration // for which a task suffers before a step
	Calm      time.Duration // without a sufferer before limits are raised
	CPUWaits  float64       // part of the time waited for a CPU that is suffering
	MemStalls float64       // part of the time stalled for memory that is suffering
	MinMilli  int64         // least CPU that a throttled task has, in 1/1000
}

// Default is a Config for a sample a second.
func Default() Config {
	return Config{Patience: 3 * time.Second, Calm: 15 * time.Second, CPUWaits: 0.25, MemStalls: 0.2, MinMilli: 50}
}

// starved is the part of what a task was given below which it uses less than that.
const starved = 0.9

// Task is one task's sample. CPUs in 1/1000, waits as parts of the time.
type Task struct {
	ID         string
	Name       string // for people
	Revocable  bool
	GivenMilli int64
	UsedMilli  int64
	CPUWaits   float64 // for a CPU, but for its own limit
	MemStalls  float64
	MemBytes   uint64
}

// Decision is what becomes of a task on revocable resources.
type Decision struct {
	ID    string
	Evict bool
	// LimitMilli is the most of the CPUs that it may use, if it isn't evicted; 0:
	// what it asked for.
	LimitMilli int64
	Why        string
}

// Controller remembers who suffered, and who was throttled.
//
// Concurrency: none; one owner.
type Controller struct {
	cfg       Config
	limits    map[string]int64 // of throttled tasks
	sinceHurt time.Time        // of the step before, or of the first sufferer; zero: nobody suffers
	sinceCalm time.Time        // of the raise before, or of the last sufferer
}

// New returns a Controller that has throttled nobody.
func New(cfg Config) *Controller {
	return &Controller{cfg: cfg, limits: make(map[string]int64)}
}

// Throttled is how many tasks have less than they asked for.
func (c *Controller) Throttled() int { return len(c.limits) }

// Limit is a task's limit in 1/1000 CPU; 0: what it asked for.
func (c *Controller) Limit(id string) int64 { return c.limits[id] }

// Add takes a sample of all tasks in and returns what follows, by id.
func (c *Controller) Add(now time.Time, tasks []Task) []Decision {
	there := make(map[string]bool)
	var revocable []Task
	for _, t := range tasks {
		there[t.ID] = true
		if t.Revocable {
			revocable = append(revocable, t)
		}
	}
	for id := range c.limits {
		if !there[id] {
			delete(c.limits, id)
		}
	}
	slices.SortFunc(revocable, func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
	who, forMemory := c.sufferer(tasks)
	if who == "" {
		c.sinceHurt = time.Time{}
		return c.relax(now, revocable)
	}
	c.sinceCalm = now
	if c.sinceHurt.IsZero() {
		c.sinceHurt = now
	}
	if now.Sub(c.sinceHurt) < c.cfg.Patience || len(revocable) == 0 {
		return nil
	}
	c.sinceHurt = now
	if forMemory {
		return []Decision{{ID: most(revocable, func(t Task) uint64 { return t.MemBytes }).ID, Evict: true, Why: who}}
	}
	if down := c.throttle(revocable, who); len(down) > 0 {
		return down
	}
	return []Decision{{ID: most(revocable, func(t Task) int64 { return t.UsedMilli }).ID, Evict: true, Why: who}}
}

// sufferer tells who suffers, in words, and of what; those that stall for memory
// come first.
func (c *Controller) sufferer(tasks []Task) (who string, forMemory bool) {
	for _, t := range tasks {
		switch {
		case t.Revocable:
		case t.MemStalls > c.cfg.MemStalls:
			return fmt.Sprintf("task %s stalls for memory %.0f%% of the time", t.Name, 100*t.MemStalls), true
		case t.CPUWaits > c.cfg.CPUWaits && float64(t.UsedMilli) < starved*float64(t.GivenMilli) && who == "":
			who = fmt.Sprintf("task %s has %.2f of its %.2f CPUs and waits %.0f%% of the time", t.Name, float64(t.UsedMilli)/1000, float64(t.GivenMilli)/1000, 100*t.CPUWaits)
		}
	}
	return who, false
}

// throttle halves what each may use, if any of them has more than the least.
func (c *Controller) throttle(revocable []Task, why string) (all []Decision) {
	for _, t := range revocable {
		had := c.limits[t.ID]
		if had == 0 {
			had = min(t.UsedMilli, t.GivenMilli)
		} else if had <= c.cfg.MinMilli {
			continue
		}
		c.limits[t.ID] = max(c.cfg.MinMilli, had/2)
		all = append(all, Decision{ID: t.ID, LimitMilli: c.limits[t.ID], Why: why})
	}
	return all
}

// relax doubles the limits of those that are throttled, up to what they asked for.
func (c *Controller) relax(now time.Time, revocable []Task) (all []Decision) {
	if now.Sub(c.sinceCalm) < c.cfg.Calm {
		return nil
	}
	c.sinceCalm = now
	for _, t := range revocable {
		limit := c.limits[t.ID]
		if limit == 0 {
			continue
		}
		if limit *= 2; limit >= t.GivenMilli {
			limit = 0
			delete(c.limits, t.ID)
		} else {
			c.limits[t.ID] = limit
		}
		all = append(all, Decision{ID: t.ID, LimitMilli: limit, Why: "nobody suffers"})
	}
	return all
}

// most is the first of those that have most.
func most[N cmp.Ordered](tasks []Task, of func(Task) N) Task {
	return slices.MaxFunc(tasks, func(a, b Task) int { return cmp.Compare(of(a), of(b)) })
}
