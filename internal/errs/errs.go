// Package errs holds the classes of errors by what a caller can do about them.
// Wrap one with %w and identity; boundary code maps a class to an HTTP status
// or a task reason. No code looks at an error's text.
package errs

import (
	"errors"
	"strings"
)

// Classes, tested with errors.Is.
var (
	Invalid     = errors.New("invalid")        // the request is wrong and stays wrong
	NotFound    = errors.New("not found")      // what it names does not exist
	Exists      = errors.New("already exists") // what it makes is there
	Conflict    = errors.New("conflict")       // wrong state for it
	Exhausted   = errors.New("exhausted")      // a limit or the space is used up
	Unavailable = errors.New("unavailable")    // retry later
	Unsupported = errors.New("unsupported")    // never here
	Corrupt     = errors.New("corrupt")        // data does not match its checksum or shape
)

// maxText bounds a text in bytes: an error may repeat what somebody sent, and
// texts are kept and logged.
const maxText = 2000

// Text is err for people: without the class at its end, and of a length that
// they read.
func Text(err error) string {
	text := err.Error()
	for _, class := range []error{Invalid, NotFound, Exists, Conflict, Exhausted, Unavailable, Unsupported, Corrupt} {
		if errors.Is(err, class) {
			text = strings.TrimSuffix(text, ": "+class.Error())
		}
	}
	if len(text) > maxText {
		// Causes stand at the end, what was done at the beginning.
		const half = maxText / 2
		text = strings.ToValidUTF8(text[:half], "") + " … " + strings.ToValidUTF8(text[len(text)-half:], "")
	}
	return text
}
