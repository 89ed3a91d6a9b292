package resources

// Goal: the algebra does what a bag of resources obviously does. Method: a
// naive model, kept by the deterministic encoding of a message without its
// amount, is put through the same operations as the real thing.

import (
	"maps"
	"math/rand"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	v1 "mezzo/api/mesos/v1"
)

// amount is what the model knows of one identity.
type amount struct {
	milli  int64
	copies int // of what cannot be split
	ints   map[uint64]bool
	words  map[string]bool
}

type model map[string]amount

func modelOf(t *rapid.T, messages []*v1.Resource) model {
	m := model{}
	for _, r := range messages {
		c := proto.CloneOf(r)
		a := amount{ints: map[uint64]bool{}, words: map[string]bool{}}
		switch {
		case isWhole(c.Disk):
			a.copies = 1
		case c.Scalar != nil:
			a.milli, c.Scalar = int64(c.Scalar.GetValue()*1000+0.5), nil
		case c.Ranges != nil:
			for _, v := range c.Ranges.Range {
				for i := v.GetBegin(); i <= v.GetEnd(); i++ {
					a.ints[i] = true
				}
			}
			c.Ranges = nil
		default:
			for _, w := range c.Set.GetItem() {
				a.words[w] = true
			}
			c.Set = nil
		}
		key, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		m = m.add(model{string(key): a})
	}
	return m
}

func (m model) add(o model) model {
	out := model{}
	for _, from := range []model{m, o} {
		for k, b := range from {
			a := out[k]
			a.milli += b.milli
			a.copies += b.copies
			a.ints, a.words = union(a.ints, b.ints), union(a.words, b.words)
			if !a.empty() {
				out[k] = a
			}
		}
	}
	return out
}

func (m model) minus(o model) model {
	out := model{}
	for k, a := range m {
		b := o[k]
		a.milli = max(0, a.milli-b.milli)
		a.copies = max(0, a.copies-b.copies)
		a.ints, a.words = without(a.ints, b.ints), without(a.words, b.words)
		if !a.empty() {
			out[k] = a
		}
	}
	return out
}

func (m model) contains(o model) bool {
	for k, b := range o {
		a := m[k]
		if a.milli < b.milli || a.copies < b.copies || len(without(b.ints, a.ints)) > 0 || len(without(b.words, a.words)) > 0 {
			return false
		}
	}
	return true
}

func (a amount) empty() bool {
	return a.milli == 0 && a.copies == 0 && len(a.ints) == 0 && len(a.words) == 0
}

func (a amount) equal(b amount) bool {
	return a.milli == b.milli && a.copies == b.copies && maps.Equal(a.ints, b.ints) && maps.Equal(a.words, b.words)
}

func union[K comparable](a, b map[K]bool) map[K]bool {
	out := map[K]bool{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func without[K comparable](a, b map[K]bool) map[K]bool {
	out := maps.Clone(a)
	maps.DeleteFunc(out, func(k K, _ bool) bool { return b[k] })
	return out
}

// messages draws resources of few identities, so that many meet.
func messages(t *rapid.T, label string) []*v1.Resource {
	return rapid.SliceOfN(rapid.Custom(message), 0, 6).Draw(t, label)
}

func message(t *rapid.T) *v1.Resource {
	m := &v1.Resource{Name: proto.String(rapid.SampledFrom([]string{"cpus", "disk", "mem", "ports", "zones"}).Draw(t, "name"))}
	switch m.GetName() {
	case "ports":
		m.Type = v1.Value_RANGES.Enum()
		m.Ranges = new(v1.Value_Ranges)
		ints := rapid.Uint16().Draw(t, "ints")
		for i := range uint64(16) {
			if ints>>i&1 == 1 {
				m.Ranges.Range = append(m.Ranges.Range, &v1.Value_Range{Begin: proto.Uint64(i), End: proto.Uint64(i)})
			}
		}
	case "zones":
		m.Type = v1.Value_SET.Enum()
		m.Set = &v1.Value_Set{Item: rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c d"}), rapid.ID).Draw(t, "words")}
	default:
		m.Type = v1.Value_SCALAR.Enum()
		m.Scalar = &v1.Value_Scalar{Value: proto.Float64(float64(rapid.IntRange(0, 2000).Draw(t, "milli")) / 1000)}
	}
	identity(t, m)
	return m
}

func identity(t *rapid.T, m *v1.Resource) {
	static, dynamic := v1.Resource_ReservationInfo_STATIC.Enum(), v1.Resource_ReservationInfo_DYNAMIC.Enum()
	stack := []*v1.Resource_ReservationInfo{
		{Type: static, Role: proto.String("a")},
		{Type: dynamic, Role: proto.String("a/b"), Principal: proto.String("p")},
		{Type: dynamic, Role: proto.String("a/b/c"), Labels: &v1.Labels{Labels: []*v1.Label{{Key: proto.String("k"), Value: proto.String("v")}}}},
	}
	from := rapid.IntRange(0, 3).Draw(t, "from")
	m.Reservations = stack[from:rapid.IntRange(from, 3).Draw(t, "to")]
	if rapid.IntRange(0, 3).Draw(t, "alloc") == 0 {
		m.AllocationInfo = &v1.Resource_AllocationInfo{Role: proto.String("a/b")}
	}
	if rapid.IntRange(0, 5).Draw(t, "provider") == 0 {
		m.ProviderId = &v1.ResourceProviderID{Value: proto.String("rp")}
	}
	if rapid.IntRange(0, 5).Draw(t, "revocable") == 0 {
		m.Revocable = new(v1.Resource_RevocableInfo)
	}
	if m.GetName() != "disk" {
		return
	}
	volume := &v1.Resource_DiskInfo_Persistence{Id: proto.String("v")}
	switch rapid.IntRange(0, 6).Draw(t, "disk") {
	case 1:
		m.Disk = &v1.Resource_DiskInfo{Persistence: volume}
	case 2:
		m.Disk, m.Shared = &v1.Resource_DiskInfo{Persistence: volume}, new(v1.Resource_SharedInfo)
	case 3:
		m.Disk = &v1.Resource_DiskInfo{Source: &v1.Resource_DiskInfo_Source{Type: v1.Resource_DiskInfo_Source_MOUNT.Enum()}}
	case 4:
		m.Disk = &v1.Resource_DiskInfo{Source: &v1.Resource_DiskInfo_Source{Type: v1.Resource_DiskInfo_Source_PATH.Enum(),
			Path: &v1.Resource_DiskInfo_Source_Path{Root: proto.String("/p")}}}
	case 5:
		m.Disk = &v1.Resource_DiskInfo{Source: &v1.Resource_DiskInfo_Source{Type: v1.Resource_DiskInfo_Source_RAW.Enum()}}
	case 6:
		m.Disk = &v1.Resource_DiskInfo{Source: &v1.Resource_DiskInfo_Source{Type: v1.Resource_DiskInfo_Source_RAW.Enum(), Id: proto.String("d")}}
	}
	if m.Disk != nil && m.Scalar.GetValue() == 0 {
		m.Scalar.Value = proto.Float64(1) // a volume of no size is nothing, which the model does not know
	}
}

func draw(t *rapid.T, label string) (Resources, model) {
	ms := messages(t, label)
	r, err := FromProto(ms)
	if err != nil {
		t.Fatalf("FromProto(%v): %v", ms, err)
	}
	return r, modelOf(t, ms)
}

func expect(t *rapid.T, what string, got Resources, want model) {
	t.Helper()
	for i := 1; i < len(got.items); i++ {
		if c := compare(&got.items[i-1], &got.items[i]); c > 0 || c == 0 && got.items[i].merges() {
			t.Fatalf("%s: %v is not canonical", what, got)
		}
	}
	if m := modelOf(t, got.Proto()); !maps.EqualFunc(m, want, amount.equal) {
		t.Fatalf("%s: got %v, want %+v", what, got, want)
	}
}

func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Resources
		var before []string
		want, sum := Resources{}, model{}
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			r, m := draw(t, "r")
			all, before = append(all, r), append(before, r.String())
			want, sum = want.Add(r), sum.add(m)
		}
		got := Sum(slices.Values(all))
		expect(t, "sum", got, sum)
		if !got.Equal(want) {
			t.Fatalf("sum is %v, want %v", got, want)
		}
		for i, r := range all {
			if r.String() != before[i] {
				t.Fatalf("%s became %v", before[i], r)
			}
		}
	})
}

func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, ma := draw(t, "a")
		b, mb := draw(t, "b")
		c, _ := draw(t, "c")
		expect(t, "a", a, ma)
		expect(t, "a+b", a.Add(b), ma.add(mb))
		expect(t, "a minus b", a.Minus(b), ma.minus(mb))
		if got, want := a.Contains(b), ma.contains(mb); got != want {
			t.Fatalf("%v contains %v: %t, want %t", a, b, got, want)
		}
		switch rest, ok := a.Sub(b); {
		case ok != a.Contains(b):
			t.Fatalf("%v - %v: %t", a, b, ok)
		case ok:
			expect(t, "a-b", rest, ma.minus(mb))
		case !rest.Equal(a):
			t.Fatalf("%v - %v changed a to %v", a, b, rest)
		}
		if got, want := a.Equal(b), maps.EqualFunc(ma, mb, amount.equal); got != want || got != (a.String() == b.String()) {
			t.Fatalf("%v = %v: %t, want %t", a, b, got, want)
		}
		if x, y := a.Add(b), b.Add(a); !x.Equal(y) {
			t.Fatalf("a+b = %v, b+a = %v", x, y)
		}
		if x, y := a.Add(b).Add(c), a.Add(b.Add(c)); !x.Equal(y) {
			t.Fatalf("(a+b)+c = %v, a+(b+c) = %v", x, y)
		}
		if !a.Add(b).Contains(a) || !a.Contains(Resources{}) {
			t.Fatalf("%v + %v does not contain the first", a, b)
		}
		expect(t, "a after all", a, ma)
	})
}

func TestCanonicalBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := messages(t, "a")
		a, _ := FromProto(ms)
		seed := rapid.Int64().Draw(t, "seed")
		rand.New(rand.NewSource(seed)).Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
		b, _ := FromProto(ms)
		if a.String() != b.String() || !slices.EqualFunc(a.Proto(), b.Proto(), func(x, y *v1.Resource) bool { return proto.Equal(x, y) }) {
			t.Fatalf("%v and %v are of the same messages", a, b)
		}
		for f := Refined; f <= Endpoint; f++ {
			wire, err := a.ProtoAs(f)
			if err != nil {
				continue // a refined reservation in Legacy: TestFormats
			}
			if back, err := FromProto(wire); err != nil || !back.Equal(a) {
				t.Fatalf("%v in format %d came back as %v, %v", a, f, back, err)
			}
		}
	})
}

func TestFilters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, _ := draw(t, "a")
		if got := a.Reserved("").Add(a.Unreserved()); !got.Equal(a) {
			t.Fatalf("reserved and unreserved of %v are %v", a, got)
		}
		if got := a.Revocable().Add(a.NonRevocable()).Add(Resources{}); !got.Equal(a) {
			t.Fatalf("revocable and not of %v are %v", a, got)
		}
		if got := a.Shared().Add(a.NonShared()); !got.Equal(a) {
			t.Fatalf("shared and not of %v are %v", a, got)
		}
		var sum Resources
		for role, part := range a.Allocations() {
			sum = sum.Add(part)
			if !part.Unallocated().Allocated(role).Equal(part) || part.IsEmpty() {
				t.Fatalf("allocated to %q: %v", role, part)
			}
		}
		if !sum.Equal(a) {
			t.Fatalf("allocations of %v are %v", a, sum)
		}
		v := Reservation{Dynamic: true, Role: "a/b/c/d", Principal: "x"}
		pushed, err := a.PushReservation(v)
		if err != nil || !pushed.PopReservation().Equal(a) || !pushed.Reserved("a/b/c/d").Equal(pushed) {
			t.Fatalf("push on %v: %v, %v", a, pushed, err)
		}
		if !a.WithoutReservations().Unreserved().Equal(a.WithoutReservations()) {
			t.Fatalf("%v without reservations is %v", a, a.WithoutReservations())
		}
	})
}

func TestFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool, _ := draw(t, "pool")
		want := MustParse(rapid.SampledFrom([]string{"cpus:1", "cpus:0.5;ports:[3-5]", "mem:1.5;zones:{a}", "cpus{REV}:1", ""}).Draw(t, "want"))
		role := rapid.SampledFrom([]string{"*", "a", "a/b", "a/b/c"}).Draw(t, "role")
		found, ok := pool.Find(want, role)
		usable := pool.ForRole(role).Filter(func(r Resource) bool { return r.Disk() == nil }).Unallocated().WithoutReservations()
		usable = usable.with(func(r *Resource) { // the provider does not matter
			r.attr = attributes{revocable: r.Revocable()}.seal()
		})
		if ok != usable.Contains(want) {
			t.Fatalf("find %v in %v for %s: %t", want, pool, role, ok)
		}
		if !pool.Contains(found) || !found.ForRole(role).Equal(found) {
			t.Fatalf("found %v for %s in %v", found, role, pool)
		}
		if ok && !found.Quantities().Contains(want.Quantities()) || !want.Quantities().Contains(found.Quantities()) {
			t.Fatalf("found %v, wanted %v", found, want)
		}
	})
}

func TestQuantities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, _ := draw(t, "a")
		b, _ := draw(t, "b")
		p, q := a.NonShared().Quantities(), b.NonShared().Quantities()
		if got, want := p.Add(q), a.Add(b).NonShared().Quantities(); !slices.Equal(got, want) {
			t.Fatalf("%v + %v = %v, want %v", p, q, got, want)
		}
		if got := p.Add(q).Minus(q); !slices.Equal(got, p) && len(got)+len(p) > 0 {
			t.Fatalf("%v + %v - %v = %v", p, q, q, got)
		}
		if got, want := p.Contains(q), len(q.Minus(p)) == 0; got != want {
			t.Fatalf("%v contains %v: %t", p, q, got)
		}
		for _, v := range p {
			if p.Get(v.Name) != v.Amount || a.NonShared().Total(v.Name) != v.Amount {
				t.Fatalf("%v has not %v", p, v)
			}
		}
		if back, err := ParseQuantities(p.String()); err != nil || !slices.Equal(back, p) {
			t.Fatalf("%v printed %q, read %v, %v", p, p.String(), back, err)
		}
	})
}
