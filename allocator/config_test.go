package allocator

import (
	"errors"
	"testing"

	"mezzo/internal/errs"
)

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
