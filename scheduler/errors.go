package scheduler

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"mezzo/internal/errs"
)

// ErrDisconnected is the class of errors that a later subscription cures: no
// stream, no master, a master that doesn't lead.
var ErrDisconnected error = disconnected{}

type disconnected struct{}

func (disconnected) Error() string { return errs.Unavailable.Error() }

func (disconnected) Unwrap() error { return errs.Unavailable }

var (
	errSilent   = fmt.Errorf("master fell silent: %w", ErrDisconnected)
	errTornDown = errors.New("framework is torn down")
)

// RefusedError is a call that the master answered with anything but success.
type RefusedError struct {
	Call    string // "SUBSCRIBE"
	Status  int    // HTTP status code
	Message string // the master's own sentence, may be empty
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("call %s: refused with %d %s", e.Call, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Unwrap tells the class of the refusal.
func (e *RefusedError) Unwrap() error {
	switch e.Status {
	case http.StatusTemporaryRedirect, http.StatusServiceUnavailable, http.StatusBadGateway,
		http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return ErrDisconnected
	case http.StatusForbidden, http.StatusConflict:
		return errs.Conflict
	case http.StatusNotFound:
		return errs.NotFound
	case http.StatusNotImplemented:
		return errs.Unsupported
	}
	return errs.Invalid
}

// FrameworkError is the master's last word to a framework: an ERROR event.
type FrameworkError struct{ Message string }

func (e *FrameworkError) Error() string { return "master ended the framework: " + e.Message }

// maxMessageBytes bounds how much of a refusal's body is kept.
const maxMessageBytes = 4 << 10

func refused(call string, resp *http.Response) *RefusedError {
	// A body cut short still explains something; its error adds nothing.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxMessageBytes))
	return &RefusedError{Call: call, Status: resp.StatusCode, Message: strings.TrimSpace(string(body))}
}
