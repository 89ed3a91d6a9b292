package resources

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// grammar is the characters that mean something in the text form.
const grammar = " ;:(),{}[]<>@|=\"'`\\"

// appendWord prints w, quoted as in Go unless it is plain.
func appendWord(b []byte, w string) []byte {
	plain := w != "" && utf8.ValidString(w) && !strings.ContainsAny(w, grammar) &&
		strings.IndexFunc(w, func(r rune) bool { return !strconv.IsPrint(r) }) < 0
	if plain {
		return append(b, w...)
	}
	return strconv.AppendQuote(b, w)
}
