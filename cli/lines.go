package cli

import (
	"bytes"
	"encoding/json"
	"io"
)

// lines passes on what a task writes to one of its streams as JSON, an object a
// line. What is no UTF-8 is lost in it.
type lines struct {
	stream string
	w      io.Writer
	rest   []byte // a line that has not ended yet
}

// maxLineBytes is where a line is cut.
const maxLineBytes = 1 << 20

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole && len(line) < maxLineBytes {
			return len(p), nil
		}
		if err := l.print(line); err != nil {
			return 0, err
		}
		l.rest = rest
	}
}

// flush prints what was written after the last newline.
func (l *lines) flush() error {
	if len(l.rest) == 0 {
		return nil
	}
	line := l.rest
	l.rest = nil
	return l.print(line)
}

func (l *lines) print(line []byte) error {
	e := json.NewEncoder(l.w)
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Stream string `json:"stream"`
		Line   string `json:"line"`
	}{l.stream, string(line)})
}
