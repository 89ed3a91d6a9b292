package containerizer

import (
	"fmt"
	"strings"

	"github.com/containerd/errdefs"

	"mezzo/internal/errs"
)

// DaemonAway tells whether containerd could not be reached: what failed for that
// may be tried again.
func DaemonAway(err error) bool { return errdefs.IsUnavailable(err) }

// classify adds our class to an error of containerd's.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%w: %w", err, errs.NotFound)
	case errdefs.IsAlreadyExists(err):
		return fmt.Errorf("%w: %w", err, errs.Exists)
	case errdefs.IsInvalidArgument(err):
		return fmt.Errorf("%w: %w", err, errs.Invalid)
	case errdefs.IsFailedPrecondition(err):
		return fmt.Errorf("%w: %w", err, errs.Conflict)
	case errdefs.IsUnavailable(err):
		return fmt.Errorf("%w: %w", err, errs.Unavailable)
	case strings.Contains(err.Error(), "no space left on device"):
		return fmt.Errorf("the disk of containers is full: %w: %w", err, errs.Exhausted)
	}
	return err
}

// CommandError is a launch that failed for the command's own sake.
type CommandError struct {
	Code  int // the exit code by which a shell says it: 126 or 127
	text  string
	class error
}

func (e *CommandError) Error() string { return e.text + ": " + e.class.Error() }

func (e *CommandError) Unwrap() error { return e.class }

// explainRuntime makes a sentence of what runc says about a program that it
// cannot run. All it gives is text: "exec: "<program>": <cause>".
func explainRuntime(err error, program string) error {
	text := err.Error()
	if !strings.Contains(text, fmt.Sprintf("exec: %q: ", program)) {
		return fmt.Errorf("create process: %w", classify(err))
	}
	switch {
	case strings.Contains(text, "executable file not found in $PATH"):
		return &CommandError{Code: 127, text: fmt.Sprintf("command %q is not in the container's PATH", program), class: errs.NotFound}
	case strings.Contains(text, "no such file or directory"):
		return &CommandError{Code: 127, text: fmt.Sprintf("command %q is not in the container", program), class: errs.NotFound}
	case strings.Contains(text, "permission denied"), strings.Contains(text, "is a directory"):
		return &CommandError{Code: 126, text: fmt.Sprintf("command %q is there but cannot be run: permission denied", program), class: errs.Invalid}
	}
	return fmt.Errorf("create process: %w", classify(err))
}
