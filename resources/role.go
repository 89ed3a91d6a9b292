package resources

import (
	"fmt"
	"strings"

	"mezzo/internal/errs"
)

// DefaultRole is the role of what belongs to nobody in particular.
const DefaultRole = "*"

// ValidateRole checks a role path such as "eng/web": not empty, no empty
// component, none that is ".", ".." or "*" or begins with a dash, no white
// space or delete character. DefaultRole alone is valid.
//
// Errors: errs.Invalid naming the role.
// Source: mesos docs on roles; the characters are those of common/roles.cpp.
func ValidateRole(role string) error {
	if role == DefaultRole {
		return nil
	}
	for part := range strings.SplitSeq(role, "/") {
		var why string
		switch {
		case role == "":
			why = "it is empty"
		case part == "":
			why = "it has a slash at an end or two in a row"
		case part == "." || part == ".." || part == DefaultRole:
			why = fmt.Sprintf("it has the component %q", part)
		case part[0] == '-':
			why = "a component begins with a dash"
		case strings.ContainsAny(part, "\t\n\v\f\r \x7f"):
			why = "it has white space or a delete character"
		default:
			continue
		}
		return fmt.Errorf("role %q: %s: %w", role, why, errs.Invalid)
	}
	return nil
}

// Within tells whether role is ancestor or below it: "a/b" is within "a".
func Within(role, ancestor string) bool {
	return strings.HasPrefix(role, ancestor) &&
		(len(role) == len(ancestor) || role[len(ancestor)] == '/')
}
