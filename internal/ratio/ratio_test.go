package ratio

// Goal: comparisons are exact over the whole range. Method: against big.Rat.

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestCompareIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		num := rapid.Uint64Range(0, math.MaxInt64)
		a := Ratio{num.Draw(t, "used"), 1 + num.Draw(t, "total")}
		b := Ratio{num.Draw(t, "used"), 1 + num.Draw(t, "total")}
		v, w := 1+rapid.Uint32Max(math.MaxUint32-1).Draw(t, "v"), 1+rapid.Uint32Max(math.MaxUint32-1).Draw(t, "w")
		rat := func(s Ratio, w uint32) *big.Rat {
			x := new(big.Rat).SetFrac(new(big.Int).SetUint64(s.Num), new(big.Int).SetUint64(s.Den))
			return x.Quo(x, big.NewRat(int64(w), 1))
		}
		if got, want := a.CompareWeighted(v, b, w), rat(a, v).Cmp(rat(b, w)); got != want {
			t.Fatalf("%v/%d and %v/%d compare %d, want %d", a, v, b, w, got, want)
		}
		if got, want := a.Compare(b), rat(a, 1).Cmp(rat(b, 1)); got != want {
			t.Fatalf("%v and %v compare %d, want %d", a, b, got, want)
		}
	})
}
