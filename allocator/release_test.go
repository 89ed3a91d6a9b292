package allocator

import (
	"errors"
	"math"
	"testing"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

func TestRefuseFor(t *testing.T) {
	if got := RefuseFor(nil); got != DefaultRefuse {
		t.Errorf("without filters: %v", got)
	}
	for seconds, want := range map[float64]time.Duration{
		0: 0, 1.5: 1500 * time.Millisecond, -1: DefaultRefuse, math.Inf(-1): DefaultRefuse, math.NaN(): DefaultRefuse,
		31536000: MaxRefuse, 1e300: MaxRefuse, math.Inf(1): MaxRefuse, 1e-12: time.Nanosecond,
	} {
		if got := RefuseFor(&v1.Filters{RefuseSeconds: &seconds}); got != want {
			t.Errorf("%v seconds: %v, want %v", seconds, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"negative refusal": {MinRefuse: -1},
		"long refusal":     {MinRefuse: MaxRefuse + 1},
		"nameless":         {UnfairNames: []string{""}},
	} {
		if _, err := New(c); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
