package kfile

import (
	"bytes"
	"fmt"
	"math"

	"mezzo/internal/errs"
)

// Flat walks a flat-keyed file, "key value\n" per line with values that are
// not negative (kernel cgroup-v2.rst, "Format"):
//
//	for f := kfile.NewFlat(data); f.Next(); {
//		switch string(f.Key) { … }
//	}
//
// Ownership: Key points into the data.
type Flat struct {
	Key   []byte
	Value uint64

	rest []byte
	err  error
}

// NewFlat starts before the first line of data.
func NewFlat(data []byte) Flat { return Flat{rest: data} }

// Next steps to the next line; false at the end or at a line that is wrong.
func (f *Flat) Next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	line, rest, _ := bytes.Cut(f.rest, []byte{'\n'})
	key, value, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(key) == 0 {
		f.err = fmt.Errorf("line %q: want a key and a value: %w", line, errs.Corrupt)
		return false
	}
	if f.Value, f.err = Uint(value); f.err != nil {
		return false
	}
	f.Key, f.rest = key, rest
	return true
}

// Err returns what was wrong with the line at which Next stopped.
func (f *Flat) Err() error { return f.err }

// Uint parses a decimal number; a newline may follow.
func Uint(b []byte) (uint64, error) {
	digits := bytes.TrimSuffix(b, []byte{'\n'})
	if len(digits) == 0 {
		return 0, fmt.Errorf("number %q: empty: %w", b, errs.Corrupt)
	}
	var v uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("number %q: want digits: %w", b, errs.Corrupt)
		}
		d := uint64(c - '0')
		if v > (math.MaxUint64-d)/10 {
			return 0, fmt.Errorf("number %q: more than 64 bits: %w", b, errs.Corrupt)
		}
		v = v*10 + d
	}
	return v, nil
}

// Limit parses a number or "max", for which it returns false.
func Limit(b []byte) (limit uint64, limited bool, err error) {
	if string(bytes.TrimSuffix(b, []byte{'\n'})) == "max" {
		return 0, false, nil
	}
	limit, err = Uint(b)
	return limit, err == nil, err
}
