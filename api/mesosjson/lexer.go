package mesosjson

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"mezzo/internal/errs"
)

// maxDepth bounds the nesting of objects and lists, as Mesos does.
const maxDepth = 200

// lexer walks a text that is known to be UTF-8, one token at a time.
type lexer struct {
	in    string
	pos   int
	depth int
}

func (l *lexer) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s: %w", l.pos, fmt.Sprintf(format, args...), errs.Invalid)
}

// peek skips white space and returns the next byte, 0 at the end.
func (l *lexer) peek() byte {
	for ; l.pos < len(l.in); l.pos++ {
		switch c := l.in[l.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// found describes what stands at the cursor, for errors.
func (l *lexer) found() string {
	switch c := l.peek(); {
	case l.pos == len(l.in):
		return "the end"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '"':
		return "a string"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	default:
		r, _ := utf8.DecodeRuneInString(l.in[l.pos:])
		return strconv.QuoteRune(r)
	}
}

// take consumes c if it is next.
func (l *lexer) take(c byte) bool {
	if l.peek() != c {
		return false
	}
	l.pos++
	return true
}

// literal consumes a word such as null.
func (l *lexer) literal(word string) error {
	end := l.pos + len(word)
	if end > len(l.in) || l.in[l.pos:end] != word {
		return l.errorf("not JSON")
	}
	l.pos = end
	return nil
}

// elements consumes open, then calls each before every element, up to close.
func (l *lexer) elements(open, end byte, each func() error) error {
	if l.depth == maxDepth {
		return l.errorf("nested deeper than %d", maxDepth)
	}
	l.depth++
	l.take(open)
	for first := true; !l.take(end); first = false {
		if !first && !l.take(',') {
			return l.errorf("want ',' or '%c', found %s", end, l.found())
		}
		l.peek()
		if err := each(); err != nil {
			return err
		}
	}
	l.depth--
	return nil
}

// object calls each with every key, the cursor before the value.
func (l *lexer) object(each func(key string) error) error {
	return l.elements('{', '}', func() error {
		if l.peek() != '"' {
			return l.errorf("want a key, found %s", l.found())
		}
		key, err := l.str()
		if err != nil {
			return err
		}
		if !l.take(':') {
			return l.errorf("want ':', found %s", l.found())
		}
		l.peek()
		return each(key)
	})
}

// number consumes a number and returns its text.
func (l *lexer) number() (string, error) {
	n := numberLen(l.in[l.pos:])
	if n == 0 {
		return "", l.errorf("malformed number")
	}
	text := l.in[l.pos : l.pos+n]
	l.pos += n
	return text, nil
}

// numberLen returns how much of s's beginning is a JSON number.
func numberLen(s string) int {
	i := 0
	digits := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	at := func(set string) bool {
		for j := range len(set) {
			if i < len(s) && s[i] == set[j] {
				i++
				return true
			}
		}
		return false
	}
	at("-")
	if !at("0") && !digits() {
		return 0
	}
	if at(".") && !digits() {
		return 0
	}
	if at("eE") {
		at("+-")
		if !digits() {
			return 0
		}
	}
	return i
}

// str consumes a string and returns its value.
func (l *lexer) str() (string, error) {
	start := l.pos + 1
	for i := start; i < len(l.in); i++ {
		switch c := l.in[i]; {
		case c == '"':
			l.pos = i + 1
			return l.in[start:i], nil
		case c == '\\':
			return l.escaped(start, i)
		case c < ' ':
			l.pos = i
			return "", l.errorf("control character in a string")
		}
	}
	return "", l.errorf("string without end")
}

// escaped goes on with a string that has its first escape at i.
func (l *lexer) escaped(start, i int) (string, error) {
	open := l.pos
	b := append(make([]byte, 0, 2*(i-start)+16), l.in[start:i]...)
	l.pos = i
	for l.pos < len(l.in) {
		switch c := l.in[l.pos]; {
		case c == '"':
			l.pos++
			return string(b), nil
		case c == '\\':
			r, err := l.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		case c < ' ':
			return "", l.errorf("control character in a string")
		default:
			b = append(b, c)
			l.pos++
		}
	}
	l.pos = open
	return "", l.errorf("string without end")
}

// escape consumes one escape, both halves of a surrogate pair included.
func (l *lexer) escape() (rune, error) {
	if l.pos+1 == len(l.in) {
		return 0, l.errorf("escape without end")
	}
	c := l.in[l.pos+1]
	switch c {
	case 'u':
		return l.unicodeEscape()
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	default:
		return 0, l.errorf("unknown escape")
	}
	l.pos += 2
	return rune(c), nil
}

func (l *lexer) unicodeEscape() (rune, error) {
	r, ok := hex4(l.in[l.pos:])
	if ok && utf16.IsSurrogate(r) {
		low, okLow := hex4(l.in[l.pos+6:])
		r = utf16.DecodeRune(r, low)
		ok = okLow && r != utf8.RuneError
		if ok {
			l.pos += 6
		}
	}
	if !ok {
		return 0, l.errorf("malformed \\u escape")
	}
	l.pos += 6
	return r, nil
}

// hex4 reads the backslash, u and four digits that s begins with.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

// skip consumes any value.
func (l *lexer) skip() error {
	switch c := l.peek(); c {
	case '{':
		return l.object(func(string) error { return l.skip() })
	case '[':
		return l.elements('[', ']', l.skip)
	case '"':
		_, err := l.str()
		return err
	case 't':
		return l.literal("true")
	case 'f':
		return l.literal("false")
	case 'n':
		return l.literal("null")
	default:
		if c != '-' && (c < '0' || c > '9') {
			return l.errorf("want a value, found %s", l.found())
		}
		_, err := l.number()
		return err
	}
}
