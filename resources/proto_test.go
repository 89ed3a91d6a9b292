package resources

// Goal: what comes from the wire is right or refused with its name; nothing
// panics. Method: a table of wrongs in JSON, and fuzzing the binary form.

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

const scalarOne = `"type":"SCALAR","scalar":{"value":1}`

func wire(t testing.TB, text string) []*v1.Resource {
	m := new(v1.Resource)
	if err := (protojson.UnmarshalOptions{AllowPartial: true}).Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return []*v1.Resource{m}
}

func TestFromProtoRefuses(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{`{}`, `resource "": name is empty`},
		{`{"name":"x"}`, "type is missing"},
		{`{"name":"x","type":"TEXT"}`, "TEXT is not one of a resource"},
		{`{"name":"x","type":"SCALAR"}`, "of another type or missing"},
		{`{"name":"x","type":"SCALAR","scalar":{}}`, "of another type or missing"},
		{`{"name":"x","type":"SCALAR","scalar":{"value":1},"set":{}}`, "of another type"},
		{`{"name":"x","type":"RANGES","scalar":{"value":1}}`, "of another type"},
		{`{"name":"x","type":"SET"}`, "of another type or missing"},
		{`{"name":"x","type":"SCALAR","scalar":{"value":"NaN"}}`, `resource "x": value NaN`},
		{`{"name":"x","type":"SCALAR","scalar":{"value":"Infinity"}}`, "value +Inf"},
		{`{"name":"x","type":"SCALAR","scalar":{"value":-0.5}}`, "value -0.5 is negative"},
		{`{"name":"x","type":"SCALAR","scalar":{"value":1e12}}`, "value 1e+12 is above"},
		{`{"name":"x","type":"RANGES","ranges":{"range":[{"begin":2,"end":1}]}}`, "range [2-1]"},
		{`{"name":"x","type":"RANGES","ranges":{"range":[{"begin":2}]}}`, "range [2-0]"},
		{`{"name":"x","type":"RANGES","ranges":{"range":[{"begin":5,"end":9},{"begin":1,"end":5}]}}`, "[1-5, 5-9] overlap"},
		{`{"name":"x","type":"SET","set":{"item":["a","a"]}}`, "twice"},
		{`{"name":"x",` + scalarOne + `,"role":"/a"}`, `role "/a"`},
		{`{"name":"x",` + scalarOne + `,"role":"*","reservation":{}}`, "cannot be reserved"},
		{`{"name":"x",` + scalarOne + `,"role":"a","reservation":{"role":"a"}}`, "has a type or role"},
		{`{"name":"x",` + scalarOne + `,"reservations":[{"type":"STATIC"}]}`, `role ""`},
		{`{"name":"x",` + scalarOne + `,"reservations":[{"role":"a"}]}`, "type UNKNOWN is not known"},
		{`{"name":"x",` + scalarOne + `,"reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a"}]}`, "does not refine"},
		{`{"name":"x",` + scalarOne + `,"reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"ab"}]}`, "does not refine"},
		{`{"name":"x",` + scalarOne + `,"role":"b","reservations":[{"type":"STATIC","role":"a"}]}`, "differ"},
		{`{"name":"x",` + scalarOne + `,"role":"a","reservations":[{"type":"DYNAMIC","role":"a"}]}`, "differ"},
		{`{"name":"x",` + scalarOne + `,"role":"a","reservation":{"principal":"p"},"reservations":[{"type":"DYNAMIC","role":"a","principal":"q"}]}`, "differ"},
		{`{"name":"x",` + scalarOne + `,"allocationInfo":{}}`, `allocation: role ""`},
		{`{"name":"x",` + scalarOne + `,"disk":{}}`, `only a scalar called "disk"`},
		{`{"name":"disk",` + scalarOne + `,"disk":{"persistence":{}}}`, "persistence id is empty"},
		{`{"name":"disk",` + scalarOne + `,"disk":{"source":{"type":"UNKNOWN"}}}`, "UNKNOWN is not known"},
		{`{"name":"disk",` + scalarOne + `,"disk":{"source":{"type":"RAW","mount":{}}}}`, "has a path or mount"},
		{`{"name":"disk",` + scalarOne + `,"shared":{}}`, "only persistent volumes"},
	} {
		t.Run(c.text, func(t *testing.T) {
			got, err := FromProto(wire(t, c.text))
			if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.says) || !got.IsEmpty() {
				t.Errorf("got %q, %v, want errs.Invalid with %q", got, err, c.says)
			}
		})
	}
	if _, err := FromProto([]*v1.Resource{nil}); !errors.Is(err, errs.Invalid) {
		t.Errorf("nil message: %v", err)
	}
}

func TestFormats(t *testing.T) {
	r := MustParse("cpus:1;cpus(a):2;cpus(a,p):3;cpus(a,):4")
	for f, want := range map[Format]string{
		Refined:  "  ; [a static]; [a dynamic ]; [a dynamic p]",
		Legacy:   "* ;a;a dynamic ;a dynamic p",
		Endpoint: "* ;a [a static];a dynamic  [a dynamic ];a dynamic p [a dynamic p]",
	} {
		wire, err := r.ProtoAs(f)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range wire {
			got = append(got, spell(m))
		}
		if g := strings.Join(got, ";"); g != strings.ReplaceAll(strings.ReplaceAll(want, "* ", "*"), "  ;", ";") {
			t.Errorf("format %d: got %q, want %q", f, g, want)
		}
	}
	refined := MustParse("cpus(a)(a/b,p):1")
	if _, err := refined.ProtoAs(Legacy); !errors.Is(err, errs.Unsupported) || !strings.Contains(err.Error(), `"a/b"`) {
		t.Errorf("refined in the old format: %v", err)
	}
	if _, err := refined.ProtoAs(Endpoint); err != nil {
		t.Error(err)
	}
}

// spell writes what a message says of reservations.
func spell(m *v1.Resource) string {
	s := ""
	if m.Role != nil {
		s = m.GetRole()
	}
	if m.Reservation != nil {
		s += " dynamic " + m.Reservation.GetPrincipal()
	}
	for _, v := range m.Reservations {
		if s += " [" + v.GetRole(); v.GetType() == v1.Resource_ReservationInfo_DYNAMIC {
			s += " dynamic " + v.GetPrincipal() + "]"
		} else {
			s += " static]"
		}
	}
	return s
}

func TestWholeDisks(t *testing.T) {
	mount := `{"name":"disk","type":"SCALAR","scalar":{"value":%},"disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}}}`
	of := func(sizes ...string) Resources {
		var ms []*v1.Resource
		for _, s := range sizes {
			ms = append(ms, wire(t, strings.Replace(mount, "%", s, 1))...)
		}
		r, err := FromProto(ms)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if two := of("8", "8"); two.Len() != 2 || two.DiskBytes() != 16<<20 {
		t.Errorf("two mounted disks are %v", two)
	}
	if of("8").Contains(of("4")) {
		t.Error("a mounted disk was split")
	}
	if rest, ok := of("4", "8", "8").Sub(of("8")); !ok || !rest.Equal(of("8", "4")) {
		t.Errorf("got %v, %t", rest, ok)
	}
}

func TestVolumeRidesAlong(t *testing.T) {
	const volume = `{"name":"disk",` + scalarOne + `,"role":"a","disk":{"persistence":{"id":"v","principal":"p"},
		"volume":{"mode":"RW","containerPath":"PATH"}}}`
	a, errA := FromProto(wire(t, strings.Replace(volume, "PATH", "x", 1)))
	b, errB := FromProto(wire(t, strings.Replace(volume, "PATH", "y", 1)))
	if errA != nil || errB != nil || !a.Equal(b) || a.String() != b.String() {
		t.Errorf("%v, %v and %v, %v differ by where they are mounted", a, errA, b, errB)
	}
	if d := a.Proto()[0].GetDisk(); d.GetVolume().GetContainerPath() != "x" || d.GetPersistence().GetPrincipal() != "p" {
		t.Errorf("came back as %v", d)
	}
}

func FuzzFromProto(f *testing.F) {
	for _, s := range []string{
		`{"name":"cpus",` + scalarOne + `,"role":"a","reservation":{"principal":"p"}}`,
		`{"name":"disk",` + scalarOne + `,"shared":{},"reservations":[{"type":"STATIC","role":"a"}],"disk":{"persistence":{"id":"v"}}}`,
		`{"name":"p","type":"RANGES","ranges":{"range":[{"begin":0,"end":"18446744073709551615"}]},"allocationInfo":{"role":"a"}}`,
		`{"name":"z","type":"SET","set":{"item":["a",";"]},"revocable":{},"providerId":{"value":"rp"}}`,
	} {
		b, err := proto.Marshal(wire(f, s)[0])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, b)
	}
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a, b := new(v1.Resource), new(v1.Resource)
		loose := proto.UnmarshalOptions{AllowPartial: true}
		if loose.Unmarshal(x, a) != nil || loose.Unmarshal(y, b) != nil {
			return
		}
		r, err := FromProto([]*v1.Resource{a, b})
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatalf("error has no class: %v", err)
			}
			return
		}
		back, err := FromProto(r.Proto())
		if err != nil || !back.Equal(r) || back.String() != r.String() {
			t.Fatalf("%v came back as %v, %v", r, back, err)
		}
		if rest, ok := r.Add(back).Sub(back); !ok || r.Filter(isScalar).Len() != rest.Filter(isScalar).Len() {
			t.Fatalf("twice %v less once is %v, %t", r, rest, ok)
		}
		if !slices.Equal(r.Quantities(), back.Quantities()) {
			t.Fatalf("%v and %v differ in quantity", r, back)
		}
	})
}

func isScalar(r Resource) bool { return r.Kind() == KindScalar }
