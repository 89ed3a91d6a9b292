package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// lines passes on what a task writes to one of its streams line by line.
type lines struct {
	print func(line []byte) error // without its newline
	rest  []byte                  // a line that has not ended yet
}

// jsonLines prints objects. What is no UTF-8 is lost in it.
func jsonLines(stream string, w io.Writer) *lines {
	return &lines{print: func(line []byte) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Stream string `json:"stream"`
			Line   string `json:"line"`
		}{stream, string(line)})
	}}
}

// labelledLines prints lines with a label before each, to what others with mu
// print to, too.
func labelledLines(label string, mu *sync.Mutex, w io.Writer) *lines {
	return &lines{print: func(line []byte) error {
		mu.Lock()
		defer mu.Unlock()
		_, err := fmt.Fprintf(w, "%s | %s\n", label, line)
		return err
	}}
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
