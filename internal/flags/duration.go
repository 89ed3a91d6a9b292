package flags

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"mezzo/internal/errs"
)

// mesosUnits are the units of Mesos's durations, the longest first.
//
// Source: mesos 3rdparty/stout, duration.hpp.
var mesosUnits = []struct {
	name string
	d    time.Duration
}{
	{"weeks", 7 * 24 * time.Hour}, {"days", 24 * time.Hour}, {"hrs", time.Hour}, {"mins", time.Minute},
	{"secs", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond},
}

// ParseDuration reads "10mins" or "1.5hrs", one number and one unit of Mesos,
// or a Go duration such as "1h30m".
func ParseDuration(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	number := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	for _, u := range mesosUnits {
		if s[len(number):] != u.name {
			continue
		}
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && time.Duration(n)*u.d/u.d == time.Duration(n) {
			return time.Duration(n) * u.d, nil // exact, which a float is not beyond 104 days
		}
		v, err := strconv.ParseFloat(number, 64)
		ns := v * float64(u.d)
		if err != nil || !(math.Abs(ns) < math.MaxInt64) {
			break
		}
		return time.Duration(math.Round(ns)), nil
	}
	return 0, fmt.Errorf("want a time like 15secs, 10mins, 1hrs or 1h30m: %w", errs.Invalid)
}

// FormatDuration prints d in the longest unit of Mesos that needs no fraction.
func FormatDuration(d time.Duration) string {
	for _, u := range mesosUnits {
		if d%u.d == 0 && (d != 0 || u.name == "secs") {
			return strconv.FormatInt(int64(d/u.d), 10) + u.name
		}
	}
	panic("unreachable: everything is whole nanoseconds")
}
