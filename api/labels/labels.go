// Package labels names the labels that mezzo itself puts on messages of the v1
// API, where those have no field for what there is to say.
package labels

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// ExitCode is on the status that ends a command task whose exit was seen: its
// exit code in decimal, 128+signal when a signal killed it. As in a shell, 127
// and 126 also stand for a command that is not there or cannot be run.
const ExitCode = "mezzo.exit_code"

// Detached is on a framework that left its task to itself: nobody will come
// back to it, and whoever ends its task may end it too.
const Detached = "mezzo.detached"

// WithDetached returns labels that say so.
func WithDetached() *v1.Labels {
	return &v1.Labels{Labels: []*v1.Label{{Key: proto.String(Detached)}}}
}

// IsDetached tells whether WithDetached's label is there.
func IsDetached(l *v1.Labels) bool {
	return slices.ContainsFunc(l.GetLabels(), func(label *v1.Label) bool { return label.GetKey() == Detached })
}

// WithExitCode returns labels that carry code.
func WithExitCode(code int) *v1.Labels {
	return &v1.Labels{Labels: []*v1.Label{{Key: proto.String(ExitCode), Value: proto.String(strconv.Itoa(code))}}}
}

// ExitCodeOf reads what WithExitCode wrote; false if it is not there.
func ExitCodeOf(l *v1.Labels) (code int, ok bool) {
	for _, label := range l.GetLabels() {
		if label.GetKey() == ExitCode {
			code, err := strconv.ParseUint(label.GetValue(), 10, 8)
			return int(code), err == nil
		}
	}
	return 0, false
}
