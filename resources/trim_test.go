package resources

// Goal: what Trim keeps is a part of what there was, within the limits, and as
// much as they allow. Method: examples; a property over random resources.

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTrim(t *testing.T) {
	for _, tc := range []struct{ in, limits, want string }{
		{"cpus:4;mem:100", "cpus:2;mem:100", "cpus:2;mem:100"},
		{"cpus:4;mem:100", "", ""},
		{"cpus:4;cpus(a):3", "cpus:2", "cpus:2;cpus(a):2"},
		{"ports:[1-4,8-9]", "ports:5", "ports:[1-4,8-8]"},
		{"ports:[1-4,8-9]", "ports:6", "ports:[1-4,8-9]"},
		{"bugs:{a,b}", "bugs:1", ""},
		{"bugs:{a,b}", "bugs:2", "bugs:{a,b}"},
		{"cpus:0.5", "cpus:0.25", "cpus:0.25"},
	} {
		limits := MustParse(tc.limits).Quantities()
		got := MustParse(tc.in).Trim(func(r Resource) Scalar { return limits.Get(r.Name()) })
		if want := MustParse(tc.want); !got.Equal(want) {
			t.Errorf("%s within %s is %v, want %v", tc.in, tc.limits, got, want)
		}
	}
	whole := MustParse(`[{"name":"disk","type":"SCALAR","scalar":{"value":64},"role":"a","disk":{"persistence":{"id":"v"}}}]`)
	for limit, want := range map[Scalar]bool{64_000: true, 63_999: false} {
		if got := whole.Trim(func(Resource) Scalar { return limit }); got.IsEmpty() == want {
			t.Errorf("volume of 64 within %v is %v", limit, got)
		}
	}
}

func TestTrimIsTheMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := MustParse(rapid.SampledFrom([]string{"cpus:4;mem:7;ports:[1-3,9-12];x:{a}", "cpus(a):1;cpus:2;ports(b):[5-5]"}).Draw(t, "all"))
		limits := map[string]Scalar{}
		for r := range all.All() {
			limits[r.Name()] = Scalar(rapid.IntRange(-1, 9000).Draw(t, r.Name()))
		}
		part := all.Trim(func(r Resource) Scalar { return limits[r.Name()] })
		rest, ok := all.Sub(part)
		if !ok {
			t.Fatalf("%v is not part of %v", part, all)
		}
		for r := range part.All() {
			if r.Size() > limits[r.Name()] {
				t.Fatalf("%v is more than %v", r, limits[r.Name()])
			}
			for left := range rest.All() {
				if left.Name() == r.Name() && compare(&left, &r) == 0 && !r.Whole() && r.Size()+unit(r) <= limits[r.Name()] {
					t.Fatalf("%v was kept of %v, %v is allowed", r, all, limits[r.Name()])
				}
			}
		}
	})
}

func unit(r Resource) Scalar {
	if r.Kind() == KindScalar {
		return 1
	}
	return 1000
}
