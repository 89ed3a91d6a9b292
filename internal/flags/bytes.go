package flags

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"mezzo/internal/errs"
)

// byteUnits are Mesos's, the largest first: powers of 1024.
//
// Source: stout bytes.hpp.
var byteUnits = []struct {
	name string
	size int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

// ParseBytes reads an amount as Mesos writes it: "2GB", "512MB", "4096B".
func ParseBytes(text string) (int64, error) {
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok || strings.HasSuffix(digits, "K") || strings.HasSuffix(digits, "M") || strings.HasSuffix(digits, "G") || strings.HasSuffix(digits, "T") {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.size {
			break
		}
		return n * u.size, nil
	}
	return 0, fmt.Errorf("want an amount of bytes such as 2GB, 512MB or 4096B: %w", errs.Invalid)
}

// FormatBytes is the inverse of ParseBytes, in the largest unit that fits.
func FormatBytes(n int64) string {
	for _, u := range byteUnits {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return "0B"
}

// Bytes registers a flag that is an amount of bytes.
func (s *Set) Bytes(p *int64, name, usage string) {
	s.Var(name, usage, func(v string) (err error) {
		*p, err = ParseBytes(v)
		return err
	}, func() string { return FormatBytes(*p) })
}
