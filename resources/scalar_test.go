package resources

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestScalarIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Scalar(rapid.Int64Range(0, int64(MaxScalar)).Draw(t, "a"))
		back, err := ScalarOf(a.Float())
		if err != nil || back != a {
			t.Fatalf("%v on the wire is %v, read %v, %v", a, a.Float(), back, err)
		}
		if back, err = ParseScalar(a.String()); err != nil || back != a {
			t.Fatalf("%d printed %q, read %d, %v", a, a.String(), back, err)
		}
	})
}

func TestScalarEnds(t *testing.T) {
	for _, c := range []struct{ a, b, want Scalar }{
		{math.MaxInt64, 1, math.MaxInt64},
		{math.MinInt64, -1, math.MinInt64},
		{math.MaxInt64, math.MinInt64, -1},
		{-3, 3, 0},
	} {
		if got := c.a.Add(c.b); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.a, c.b, got, c.want)
		}
	}
	for s, want := range map[Scalar]string{-1500: "-1.5", math.MinInt64: "-9223372036854775.808", 1: "0.001", 10: "0.01"} {
		if got := s.String(); got != want {
			t.Errorf("%d prints %q, want %q", s, got, want)
		}
	}
	for s, want := range map[Scalar]int64{-1: 0, 0: 0, 1: 1048, 500: 1 << 19, 1000: 1 << 20, math.MaxInt64: math.MaxInt64, MaxScalar: 1048575999999998951} {
		if got := s.mebibytes(); got != want {
			t.Errorf("%v MiB are %d bytes, want %d", s, got, want)
		}
	}
}
