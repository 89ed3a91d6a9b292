package core

import (
	"math"
	"testing"
	"time"

	"mezzo/allocator"
	v1 "mezzo/api/mesos/v1"
)

func TestRefuseFor(t *testing.T) {
	if got := refuseFor(nil); got != defaultRefuse {
		t.Errorf("without filters: %v", got)
	}
	for seconds, want := range map[float64]time.Duration{
		0: 0, 1.5: 1500 * time.Millisecond, -1: defaultRefuse, math.Inf(-1): defaultRefuse, math.NaN(): defaultRefuse,
		31536000: allocator.MaxRefuse, 1e300: allocator.MaxRefuse, math.Inf(1): allocator.MaxRefuse, 1e-12: time.Nanosecond,
	} {
		if got := refuseFor(&v1.Filters{RefuseSeconds: &seconds}); got != want {
			t.Errorf("%v seconds: %v, want %v", seconds, got, want)
		}
	}
}
