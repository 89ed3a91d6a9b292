package kfile

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// Pressure parses a PSI file into p. Before Linux 5.13 a cpu file has no line
// "full"; p's are zero then.
//
// Source: kernel Documentation/accounting/psi.rst.
func Pressure(data []byte, p *isolator.Pressure) error {
	*p = isolator.Pressure{}
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		kind, rest, _ := bytes.Cut(line, []byte{' '})
		var l psiLine
		if !l.parse(rest) {
			return fmt.Errorf("pressure line %q: %w", line, errs.Corrupt)
		}
		switch string(kind) {
		case "some":
			p.SomeAvg10, p.SomeAvg60, p.SomeTotal = l.avg10, l.avg60, l.total
		case "full":
			p.FullAvg10, p.FullAvg60, p.FullTotal = l.avg10, l.avg60, l.total
		default:
			return fmt.Errorf("pressure line %q: want some or full: %w", line, errs.Corrupt)
		}
	}
	return nil
}

type psiLine struct {
	avg10, avg60 float64
	total        time.Duration
}

// parse reads "avg10=0.12 avg60=0.03 avg300=0.00 total=12345".
func (l *psiLine) parse(b []byte) bool {
	for len(b) > 0 {
		var field []byte
		field, b, _ = bytes.Cut(b, []byte{' '})
		key, value, ok := bytes.Cut(field, []byte{'='})
		if !ok {
			return false
		}
		switch string(key) {
		case "avg10":
			l.avg10, ok = percent(value)
		case "avg60":
			l.avg60, ok = percent(value)
		case "total":
			l.total, ok = micros(value)
		}
		if !ok {
			return false
		}
	}
	return true
}

// percent parses a number with exactly two decimals.
func percent(b []byte) (float64, bool) {
	whole, part, ok := bytes.Cut(b, []byte{'.'})
	if !ok || len(part) != 2 {
		return 0, false
	}
	w, err := Uint(whole)
	if err != nil || w > math.MaxUint32 {
		return 0, false
	}
	p, err := Uint(part)
	return float64(w*100+p) / 100, err == nil
}

func micros(b []byte) (time.Duration, bool) {
	v, err := Uint(b)
	d, ok := Micros(v)
	return d, ok && err == nil
}

// Micros turns a count of microseconds into a Duration; false if it is longer
// than 292 years.
func Micros(v uint64) (time.Duration, bool) {
	if v > math.MaxInt64/uint64(time.Microsecond) {
		return 0, false
	}
	return time.Duration(v) * time.Microsecond, true
}
