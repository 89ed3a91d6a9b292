package core

import (
	"math"
	"time"

	"mezzo/allocator"
	v1 "mezzo/api/mesos/v1"
)

// defaultRefuse is how long a refusal holds that says nothing of it.
// Source: mesos docs/app-framework-development-guide.md.
const defaultRefuse = 5 * time.Second

// refuseFor is how long a call's filters refuse: the default if there are none or
// they make no sense.
func refuseFor(f *v1.Filters) time.Duration {
	switch s := f.GetRefuseSeconds(); {
	case math.IsNaN(s) || s < 0:
		return defaultRefuse
	case s >= allocator.MaxRefuse.Seconds():
		return allocator.MaxRefuse
	default: // rounded up: little is not nothing
		return time.Duration(math.Ceil(s * float64(time.Second)))
	}
}
