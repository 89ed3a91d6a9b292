// Package assert stops the program when it finds itself wrong. Input from
// network, disk or flags is never asserted, always validated.
package assert

import "fmt"

// That panics with the formatted message unless cond holds. It is always on.
func That(cond bool, format string, args ...any) {
	if !cond {
		panic("assertion violated: " + fmt.Sprintf(format, args...))
	}
}
