package probe

import (
	"time"

	v1 "mezzo/api/mesos/v1"
)

// Config is how one probe of a task works.
type Config struct {
	Delay, Interval time.Duration
	Timeout         time.Duration // of one attempt; 0: none
	Grace           time.Duration // of a health check, from the start of the task
	MaxFailures     int           // of a health check, in a row; at least 1
}

// seconds is a time of the wire.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// OfHealthCheck reads h, which is valid.
func OfHealthCheck(h *v1.HealthCheck) Config {
	return Config{
		Delay: seconds(h.GetDelaySeconds()), Interval: seconds(h.GetIntervalSeconds()), Timeout: seconds(h.GetTimeoutSeconds()),
		Grace: seconds(h.GetGracePeriodSeconds()), MaxFailures: max(1, int(h.GetConsecutiveFailures())),
	}
}

// OfCheck reads c, which is valid.
func OfCheck(c *v1.CheckInfo) Config {
	return Config{Delay: seconds(c.GetDelaySeconds()), Interval: seconds(c.GetIntervalSeconds()), Timeout: seconds(c.GetTimeoutSeconds())}
}

// Outcome is the result of one attempt.
type Outcome struct {
	Done bool   // there was an answer, or a refusal; false: none in time, or none could be had
	OK   bool   // the answer is a healthy one
	Code int    // exit code of a command, status of an HTTP answer
	Why  string // not OK, in words
}

// Attempt is to be made, and answered by Result with its number.
type Attempt struct {
	Number  uint64
	Timeout time.Duration
}

// timer says when attempts are due.
type timer struct {
	cfg    Config
	next   time.Time // zero: not started
	number uint64
	flying bool
}

func (t *timer) start(at time.Time) { t.next, t.flying = at, false }

// Due returns the next attempt if it is time.
func (t *timer) Due(now time.Time) (Attempt, bool) {
	if t.next.IsZero() || t.flying || now.Before(t.next) {
		return Attempt{}, false
	}
	t.number++
	t.flying = true
	return Attempt{t.number, t.cfg.Timeout}, true
}

// NextWake is when Due has an attempt.
func (t *timer) NextWake() (time.Time, bool) { return t.next, !t.next.IsZero() && !t.flying }

// landed takes a result, if it is the one that is awaited.
func (t *timer) landed(now time.Time, number uint64) bool {
	if !t.flying || number != t.number {
		return false
	}
	t.flying, t.next = false, now.Add(t.cfg.Interval)
	return true
}

// Health is a task's health check. Its zero value is not usable; NewHealth makes
// one.
type Health struct {
	timer
	started  time.Time
	counted  bool // a result counted
	failures int  // in a row
}

// NewHealth makes a health check that was not started.
func NewHealth(c Config) *Health { return &Health{timer: timer{cfg: c}} }

// Start begins: the task runs since now.
func (h *Health) Start(now time.Time) {
	h.started = now
	h.start(now.Add(h.cfg.Delay))
}

// Resume goes on with a task whose health was told before, or wasn't, by an
// agent before this one.
func (h *Health) Resume(now time.Time, told *bool) {
	h.started, h.counted = now, told != nil
	if told != nil && !*told {
		h.failures = 1 // a success is news
	}
	h.start(now.Add(h.cfg.Interval))
}

// Verdict is what a result of a health check says.
type Verdict struct {
	Tell    bool // it is news
	Healthy bool
	Kill    bool // the task has failed too often
}

// Result takes the outcome of an attempt. One that is not awaited says nothing.
func (h *Health) Result(now time.Time, number uint64, ok bool) Verdict {
	if !h.landed(now, number) {
		return Verdict{}
	}
	if ok {
		news := !h.counted || h.failures > 0
		h.counted, h.failures = true, 0
		return Verdict{Tell: news, Healthy: true}
	}
	if !h.counted && now.Sub(h.started) <= h.cfg.Grace && h.cfg.Grace > 0 {
		return Verdict{}
	}
	h.counted = true
	h.failures++
	return Verdict{Tell: true, Kill: h.failures >= h.cfg.MaxFailures}
}

// Failures is how many there were in a row.
func (h *Health) Failures() int { return h.failures }

// Check is a task's general check. Its zero value is not usable; NewCheck makes
// one.
type Check struct {
	timer
	kind v1.CheckInfo_Type
	last Outcome
	told bool // last was
}

// NewCheck makes a check that was not started.
func NewCheck(kind v1.CheckInfo_Type, c Config) *Check {
	return &Check{timer: timer{cfg: c}, kind: kind}
}

// Start begins: the task runs since now.
func (c *Check) Start(now time.Time) { c.start(now.Add(c.cfg.Delay)) }

// Resume goes on with a task that ran under an agent before this one.
func (c *Check) Resume(now time.Time) { c.start(now.Add(c.cfg.Interval)) }

// Result takes the outcome of an attempt, and tells whether it is news.
func (c *Check) Result(now time.Time, number uint64, o Outcome) bool {
	if !c.landed(now, number) {
		return false
	}
	same := c.told && c.last.Done == o.Done && c.last.OK == o.OK && c.last.Code == o.Code
	c.last, c.told = o, true
	return !same
}

// Status is the newest result as frameworks read it; empty of its kind before
// the first.
func (c *Check) Status() *v1.CheckStatusInfo {
	s := &v1.CheckStatusInfo{Type: c.kind.Enum()}
	switch c.kind {
	case v1.CheckInfo_COMMAND:
		s.Command = &v1.CheckStatusInfo_Command{}
		if c.last.Done {
			code := int32(c.last.Code)
			s.Command.ExitCode = &code
		}
	case v1.CheckInfo_HTTP:
		s.Http = &v1.CheckStatusInfo_Http{}
		if c.last.Done && c.last.Code != 0 {
			code := uint32(c.last.Code)
			s.Http.StatusCode = &code
		}
	case v1.CheckInfo_TCP:
		s.Tcp = &v1.CheckStatusInfo_Tcp{}
		if c.told {
			ok := c.last.OK
			s.Tcp.Succeeded = &ok
		}
	default: // was refused
	}
	return s
}
