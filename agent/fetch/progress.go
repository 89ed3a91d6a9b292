package fetch

import (
	"fmt"
	"sync/atomic"
	"time"
)

// meter is how far something has come. Nobody waits for who reads it.
type meter struct {
	got   atomic.Int64
	total atomic.Int64 // negative: nobody knows
	other atomic.Pointer[meter]
}

func newMeter() *meter {
	m := &meter{}
	m.total.Store(-1)
	return m
}

// follow makes m show what other does instead, or nil: itself again.
func (m *meter) follow(other *meter) {
	if other == m {
		other = nil
	}
	m.other.Store(other)
}

// report tells now what is being done, and with each beat how far it has come,
// until the function returned is called; after that, nothing more.
func (m *meter) report(tell func(string), beat time.Duration, what string) (stop func()) {
	if tell == nil {
		return func() {}
	}
	tell(what)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(beat)
		defer t.Stop()
		last := ""
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				if now := m.String(); now != "" && now != last {
					last = now
					tell(what + ": " + now)
				}
			}
		}
	}()
	return func() { close(quit); <-done }
}

// String is m for people: "12 of 40 MiB", or "" before anything came.
func (m *meter) String() string {
	if other := m.other.Load(); other != nil {
		m = other
	}
	got, total := m.got.Load(), m.total.Load()
	if got == 0 {
		return ""
	}
	unit, name := unitOf(max(got, total))
	if total < got {
		return fmt.Sprintf("%d %s", got/unit, name)
	}
	return fmt.Sprintf("%d of %d %s", got/unit, total/unit, name)
}

// unitOf is what n bytes are best counted in.
func unitOf(n int64) (int64, string) {
	switch {
	case n >= 10<<30:
		return 1 << 30, "GiB"
	case n >= 1<<20:
		return 1 << 20, "MiB"
	case n >= 1<<10:
		return 1 << 10, "KiB"
	}
	return 1, "bytes"
}
