package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// watch shows what show writes on a terminal, again and again, until ctx ends or
// q is pressed.
func watch(ctx context.Context, t Terminal, w io.Writer, interval time.Duration, show func(io.Writer) error) error {
	keys, stop := t.Watch()
	defer stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		var text bytes.Buffer
		if err := show(&text); err != nil {
			return err
		}
		wide, high := t.Size()
		if _, err := io.WriteString(w, frame(text.String(), wide, high)); err != nil {
			return err
		}
		select {
		case key := <-keys:
			if key == 'q' || key == 'Q' {
				return nil
			}
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// frame is text as it fits on a screen of that size, the last line left to the
// cursor. It overwrites what is there, which flickers less than to clear it.
func frame(text string, wide, high int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if most := max(high-1, 1); len(lines) > most {
		more := len(lines) - most + 1
		lines = append(lines[:most-1:most-1], fmt.Sprintf("and %d more; mezzo top --once shows all", more))
	}
	var b strings.Builder
	b.WriteString("\x1b[H") // home
	for _, l := range lines {
		b.WriteString(clip(l, wide) + "\x1b[K\n") // and what was longer before
	}
	b.WriteString("\x1b[J") // and what was below
	return b.String()
}
