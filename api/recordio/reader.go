package recordio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"mezzo/internal/errs"
)

// maxLengthDigits is what the largest 64-bit size needs.
const maxLengthDigits = 20

// growStep bounds how far the buffer grows ahead of what has arrived.
const growStep = 64 << 10

// Reader takes records off a stream.
type Reader struct {
	src *bufio.Reader
	max int
	buf []byte
	err error // the first error; after it the place in the stream is unknown
}

// NewReader returns a Reader that refuses records of more than maxBytes.
func NewReader(r io.Reader, maxBytes int) *Reader {
	return &Reader{src: bufio.NewReader(r), max: maxBytes}
}

// Next returns the next record.
//
// Ownership: the slice is valid until the following call of Next.
// Errors: io.EOF at the end of the stream between records;
// io.ErrUnexpectedEOF at its end within one; errs.Invalid if a length is
// malformed; errs.Exhausted if it is above the bound; else what the stream
// returned. An error is final: Next keeps returning it.
func (r *Reader) Next() ([]byte, error) {
	if r.err == nil {
		r.err = r.next()
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.buf, nil
}

func (r *Reader) next() error {
	n, err := r.length()
	if err != nil {
		return err
	}
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		have := len(r.buf)
		step := min(n-have, max(growStep, cap(r.buf)-have))
		r.buf = slices.Grow(r.buf, step)[:have+step]
		if _, err := io.ReadFull(r.src, r.buf[have:]); err != nil {
			return fmt.Errorf("read record of %d bytes: %w", n, midRecord(err))
		}
	}
	return nil
}

// length reads up to and with the line feed.
func (r *Reader) length() (int, error) {
	n := 0
	for digits := 0; ; digits++ {
		c, err := r.src.ReadByte()
		switch {
		case err != nil && digits == 0:
			return 0, err
		case err != nil:
			return 0, fmt.Errorf("read record length: %w", midRecord(err))
		case c == '\n' && digits > 0:
			return n, nil
		case c < '0' || c > '9':
			return 0, fmt.Errorf("record length: %q is not a digit: %w", c, errs.Invalid)
		case digits == maxLengthDigits:
			return 0, fmt.Errorf("record length: more than %d digits: %w", maxLengthDigits, errs.Invalid)
		}
		d := int(c - '0')
		if d > r.max || n > (r.max-d)/10 {
			return 0, fmt.Errorf("record of more than %d bytes: %w", r.max, errs.Exhausted)
		}
		n = n*10 + d
	}
}

func midRecord(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
