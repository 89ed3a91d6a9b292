package core

import (
	"fmt"
	"strings"

	"mezzo/internal/errs"
)

// checkID tells whether id can name a framework, task or executor: it becomes
// part of paths.
//
// Source: mesos common/validation.cpp, validateID.
func checkID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("id is empty: %w", errs.Invalid)
	case len(id) > 255:
		return fmt.Errorf("id %.40q… has more than 255 bytes: %w", id, errs.Invalid)
	case id == "." || id == "..":
		return fmt.Errorf("id %q is a path: %w", id, errs.Invalid)
	case strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == '\\' }):
		return fmt.Errorf("id %q has a slash, backslash or control character: %w", id, errs.Invalid)
	}
	return nil
}
