// Package loglevel is how detailed a process's log is, which can be changed for a
// while.
package loglevel

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mezzo/internal/errs"
)

// MaxVerbosity is the largest there is in Mesos (glog's); all above 0 are the same
// here: debug.
const MaxVerbosity = 3

// MaxFor is how long a change may last.
const MaxFor = 24 * time.Hour

// Level is the least level that is logged.
//
// Concurrency: safe.
type Level struct {
	usual slog.Level

	mu        sync.Mutex
	verbosity uint32 // 0: usual
	back      *time.Timer
}

var _ slog.Leveler = (*Level)(nil)

// New makes one that is as usual.
func New(usual slog.Level) *Level { return &Level{usual: usual} }

// Level implements slog.Leveler.
func (l *Level) Level() slog.Level {
	if l.Verbosity() > 0 {
		return min(l.usual, slog.LevelDebug)
	}
	return l.usual
}

// Verbosity is 0 as usual, more if the log is more detailed for now.
func (l *Level) Verbosity() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.verbosity
}

// Set makes the log more detailed for a while, or as usual again.
//
// Errors: errs.Invalid.
func (l *Level) Set(verbosity uint32, during time.Duration) error {
	if verbosity > MaxVerbosity {
		return fmt.Errorf("logging level %d is above %d: %w", verbosity, MaxVerbosity, errs.Invalid)
	}
	if during < 0 || during > MaxFor {
		return fmt.Errorf("logging level for %v: want 0 to %v: %w", during, MaxFor, errs.Invalid)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
	}
	l.verbosity, l.back = verbosity, nil
	if verbosity == 0 {
		return nil
	}
	var mine *time.Timer
	mine = time.AfterFunc(during, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.back == mine { // else it was set again
			l.verbosity, l.back = 0, nil
		}
	})
	l.back = mine
	return nil
}
