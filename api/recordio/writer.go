package recordio

import (
	"fmt"
	"io"
	"strconv"
)

// maxKept is the largest buffer a Writer keeps between records.
const maxKept = 1 << 20

// Writer puts records on a stream.
type Writer struct {
	dst io.Writer
	buf []byte
}

// NewWriter returns a Writer on w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{dst: w}
}

// Write writes rec, framed, with exactly one Write of the stream below, so that
// an HTTP server which flushes after it sends one chunk per record.
//
// Errors: what the stream returned; it may then end within a record.
func (w *Writer) Write(rec []byte) error {
	w.buf = strconv.AppendInt(w.buf[:0], int64(len(rec)), 10)
	w.buf = append(w.buf, '\n')
	w.buf = append(w.buf, rec...)
	_, err := w.dst.Write(w.buf)
	if cap(w.buf) > maxKept {
		w.buf = nil
	}
	if err != nil {
		return fmt.Errorf("write record of %d bytes: %w", len(rec), err)
	}
	return nil
}
