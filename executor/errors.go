package executor

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"mezzo/internal/errs"
)

// ErrDisconnected is the class of errors that a later subscription cures: no
// stream, no agent, an agent that is still recovering.
var ErrDisconnected error = disconnected{}

type disconnected struct{}

func (disconnected) Error() string { return errs.Unavailable.Error() }

func (disconnected) Unwrap() error { return errs.Unavailable }

var (
	errSilent = fmt.Errorf("agent fell silent: %w", ErrDisconnected)
	errOver   = fmt.Errorf("stream is given up: %w", ErrDisconnected)
	errEnded  = fmt.Errorf("executor has ended: %w", errs.Conflict)
)

// LostError ends Run because the agent is gone for longer than the executor may
// live without one.
type LostError struct {
	Agent string        // host:port
	Away  time.Duration // zero: without checkpointing nobody waits
	Cause error         // why the last try failed
}

func (e *LostError) Error() string {
	if e.Away == 0 {
		return fmt.Sprintf("agent %s is lost and the framework does not checkpoint: %v", e.Agent, e.Cause)
	}
	return fmt.Sprintf("agent %s has been away for %v: %v", e.Agent, e.Away, e.Cause)
}

// Unwrap gives the last failure.
func (e *LostError) Unwrap() error { return e.Cause }

// RefusedError is a call that the agent answered with anything but success.
type RefusedError struct {
	Call    string // "SUBSCRIBE"
	Status  int    // HTTP status code
	Message string // the agent's own sentence, may be empty
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("call %s: refused with %d %s", e.Call, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Unwrap tells the class of the refusal. An agent that has just started knows
// its paths only a moment later, so 404 passes, too.
func (e *RefusedError) Unwrap() error {
	switch e.Status {
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout,
		http.StatusTooManyRequests, http.StatusNotFound:
		return ErrDisconnected
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict:
		return errs.Conflict
	case http.StatusNotImplemented:
		return errs.Unsupported
	}
	return errs.Invalid
}

// maxMessageBytes bounds how much of a refusal's body is kept.
const maxMessageBytes = 4 << 10

func refused(call string, resp *http.Response) *RefusedError {
	// A body cut short still explains something; its error adds nothing.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxMessageBytes))
	return &RefusedError{Call: call, Status: resp.StatusCode, Message: strings.TrimSpace(string(body))}
}
