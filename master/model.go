package master

import (
	"encoding/json"
	"math"
	"time"

	"mezzo/master/core"
)

// The …Model types are the JSON of the older endpoints, which exporters, DNS
// servers and load balancers read. Their keys are Mesos'.

// number is a double that came from outside: JSON has no number for some, so
// they are written as their names, as in the v1 API.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	switch v := float64(n); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(v)
	}
}

func seconds(t time.Time) *float64 {
	s := core.Seconds(t)
	return &s
}
