package resources

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"mezzo/internal/errs"
)

// Scalar is an amount in thousandths: Scalar(1500) is 1.5.
type Scalar int64

// MaxScalar is the largest amount taken from outside: 999,999,999,999.999.
// It has 15 digits, all that a double keeps, and thousands of them still add
// up without overflow.
const MaxScalar Scalar = 1e15 - 1

const scalarUnit = 1000

// ScalarOf converts a double of the wire, rounding half away from zero.
//
// Errors: errs.Invalid if v is NaN, infinite, negative, above MaxScalar, or
// so small that it would become zero.
func ScalarOf(v float64) (Scalar, error) {
	milli := math.Round(v * scalarUnit)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return 0, fmt.Errorf("value %v is not a finite number: %w", v, errs.Invalid)
	case v < 0:
		return 0, fmt.Errorf("value %v is negative: %w", v, errs.Invalid)
	case milli > float64(MaxScalar):
		return 0, fmt.Errorf("value %v is above %v: %w", v, MaxScalar, errs.Invalid)
	case milli == 0 && v != 0:
		return 0, fmt.Errorf("value %v is less than 0.001: %w", v, errs.Invalid)
	}
	return Scalar(milli), nil
}

// ParseScalar reads a decimal number such as "0.5", by the rules of ScalarOf.
func ParseScalar(text string) (Scalar, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("value %q is not a number in range: %w", text, errs.Invalid)
	}
	return ScalarOf(v)
}

// Float is the double nearest to s, for the wire.
//
// Mesos differs: it adds the whole part and the rest as doubles, which can be
// off by the last bit.
func (s Scalar) Float() float64 { return float64(s) / scalarUnit }

// Add sums two amounts; a sum beyond the range of int64 stays at its end.
func (s Scalar) Add(o Scalar) Scalar {
	switch sum := s + o; {
	case s > 0 && o > 0 && sum < 0:
		return math.MaxInt64
	case s < 0 && o < 0 && sum >= 0:
		return math.MinInt64
	default:
		return sum
	}
}

// String prints s with as many decimals as it needs: "4", "0.5".
func (s Scalar) String() string { return string(s.append(nil)) }

func (s Scalar) append(b []byte) []byte {
	abs := uint64(s)
	if s < 0 {
		b, abs = append(b, '-'), -abs
	}
	b = strconv.AppendUint(b, abs/scalarUnit, 10)
	rest := abs % scalarUnit
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for digit := uint64(scalarUnit / 10); rest > 0; digit /= 10 {
		b = append(b, byte('0'+rest/digit))
		rest %= digit
	}
	return b
}

// mebibytes converts an amount of MiB to bytes, rounding down; too much
// stays at the end of int64.
func (s Scalar) mebibytes() int64 {
	if s <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(s), 1<<20)
	if hi >= scalarUnit {
		return math.MaxInt64
	}
	bytes, _ := bits.Div64(hi, lo, scalarUnit)
	return int64(min(bytes, math.MaxInt64))
}
