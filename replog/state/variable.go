package state

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"mezzo/internal/errs"
)

// MaxName bounds a name in bytes.
const MaxName = 512

// Variable is a named value as it was at a version. It never changes.
type Variable struct {
	name    string
	version uint64
	value   []byte
}

// New is a variable that was never stored.
func New(name string) Variable { return Variable{name: name} }

// Restore is a variable as it was at a version, for who carries it elsewhere.
func Restore(name string, version uint64, value []byte) Variable {
	return Variable{name, version, value}
}

// Name is what it is called.
func (v Variable) Name() string { return v.name }

// Version is the position in the log at which the value was stored; a later one
// is greater. 0: never, or not any more.
func (v Variable) Version() uint64 { return v.version }

// Value must not be modified.
func (v Variable) Value() []byte { return v.value }

// Mutate is the variable with another value, to be stored if nobody stored one
// since. The value is the variable's from then on.
func (v Variable) Mutate(value []byte) Variable {
	v.value = value
	return v
}

func checkName(name string) error {
	bad := func(r rune) bool { return unicode.IsControl(r) }
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("name %.*q of %d bytes is not of 1 to %d bytes of UTF-8 without control characters: %w", 2*MaxName, name, len(name), MaxName, errs.Invalid)
	}
	return nil
}
