package ids

import (
	"fmt"
	"strings"

	"mezzo/internal/errs"
)

// maxLen is what one component of a path may have: ids become directories.
const maxLen = 255

// Validate checks an id that came from outside; kind ("task", "framework")
// is for the error. An id has 1 to 255 bytes, is neither "." nor "..", and
// holds no slash, no backslash and no ASCII control character.
//
// Errors: errs.Invalid.
// Source: mesos src/common/validation.cpp, validateID.
func Validate(kind, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s id is empty: %w", kind, errs.Invalid)
	case len(id) > maxLen:
		return fmt.Errorf("%s id %.32q… has %d bytes, more than %d: %w", kind, id, len(id), maxLen, errs.Invalid)
	case id == "." || id == "..":
		return fmt.Errorf("%s id %q names a directory: %w", kind, id, errs.Invalid)
	case strings.ContainsFunc(id, isForbidden):
		return fmt.Errorf("%s id %q has a slash, backslash or control character: %w", kind, id, errs.Invalid)
	}
	return nil
}

func isForbidden(r rune) bool {
	return r < ' ' || r == '\x7f' || r == '/' || r == '\\'
}
