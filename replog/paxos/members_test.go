package paxos

import (
	"errors"
	"reflect"
	"testing"
)

// FuzzMembership: goal, that no bytes crash the parser, and what it takes it
// gives back; method, fuzzing against Encode.
func FuzzMembership(f *testing.F) {
	m := Membership{}.with(ID{1}, "a:5050").with(ID{2}, "b:5050")
	f.Add(m.Encode())
	f.Add(m.without(ID{1}).Encode())
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMembership(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		again, err := ParseMembership(m.Encode())
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

func TestMembershipRefuses(t *testing.T) {
	long := Membership{}
	for i := range MaxMembers + 1 {
		long = long.with(ID{byte(i + 1)}, "a")
	}
	one := Membership{}.with(ID{1}, "a")
	for name, b := range map[string][]byte{
		"nothing":    nil,
		"half":       one.Encode()[:20],
		"no address": Membership{Slots: 1, Members: []Member{{ID{1}, 1, ""}}}.Encode(),
		"no id":      Membership{Slots: 1, Members: []Member{{ID{}, 1, "a"}}}.Encode(),
		"slot 0":     Membership{Slots: 1, Members: []Member{{ID{1}, 0, "a"}}}.Encode(),
		"slot twice": Membership{Slots: 1, Members: []Member{{ID{1}, 1, "a"}, {ID{2}, 1, "b"}}}.Encode(),
		"id twice":   one.with(ID{1}, "b").Encode(),
		"too many":   long.Encode(),
	} {
		if m, err := ParseMembership(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}
