package resources

// Goal: the text and JSON forms say exactly one thing each, and bad ones are
// refused with the resource and the value named. Method: tables, and fuzzing
// with the law that what prints parses to the same value.

import (
	"errors"
	"strings"
	"testing"

	"mezzo/internal/errs"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, role, want string }{
		{"flag", "cpus:4;mem:1024;ports:[31000-32000]", "*", "cpus:4;mem:1024;ports:[31000-32000]"},
		{"spaces and order", " ports : [ 5-6 , 1-4 ] ; mem: 1 ;cpus:0.5; ", "*", "cpus:0.5;mem:1;ports:[1-6]"},
		{"sum", "cpus:0.1;cpus:0.2", "*", "cpus:0.3"},
		{"rounding", "cpus:0.0005;mem:1.00049", "", "cpus:0.001;mem:1"},
		{"exponent", "mem:1e3", "*", "mem:1000"},
		{"zero", "cpus:0;ports:[];zones:{}", "*", ""},
		{"empty", " ", "*", ""},
		{"largest", "x:999999999999.999", "*", "x:999999999999.999"},
		{"roles", "cpus(eng):4;cpus:1;mem(*):2", "*", "cpus:1;cpus(eng):4;mem:2"},
		{"default role", "cpus:4;mem(*):2", "eng", "cpus(eng):4;mem:2"},
		{"dynamic", "cpus(eng,ops):4;mem(eng,):1", "*", "cpus(eng,ops):4;mem(eng,):1"},
		{"refined", "cpus(eng)(eng/web,ops):4", "*", "cpus(eng)(eng/web,ops):4"},
		{"revocable, allocated", "cpus{REV}:4;cpus@eng:1", "*", "cpus@eng:1;cpus{REV}:4"},
		{"overlapping ranges", "ports:[1-5,3-9,10-10,12-12]", "*", "ports:[1-10, 12-12]"},
		{"set", "zones:{b, a}", "*", "zones:{a, b}"},
		{"quoted", `"a:b":1;zones:{"x, y", ""}`, "*", `"a:b":1;zones:{"", "x, y"}`},
		{"widest range", "p:[0-18446744073709551615]", "*", "p:[0-18446744073709551615]"},
		{"json", `[{"name":"cpus","type":"SCALAR","scalar":{"value":1.5}},
			{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]},"role":"eng"},
			{"name":"mem","type":"SCALAR","scalar":{"value":3},"reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b","principal":"p"}]}]`,
			"*", "cpus:1.5;mem(a)(a/b,p):3;ports(eng):[1-2]"},
		{"json default role", `[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"future":7}]`, "eng", "cpus(eng):1"},
		{"json disk", `[{"name":"disk","type":"SCALAR","scalar":{"value":8},"role":"a","disk":{"persistence":{"id":"v 1"},
			"volume":{"container_path":"data","mode":"RW"},"source":{"type":"MOUNT","mount":{"root":"/mnt/x"}}}}]`,
			"*", `disk(a)[disk id="v 1" source=MOUNT mount=/mnt/x]:8`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.text, c.role)
			if err != nil || got.String() != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"cpus", `resource "cpus": no ":"`},
		{"cpus:", `resource "cpus": value ""`},
		{"cpus:abc", `value "abc" is not a number`},
		{"cpus:-1", `resource "cpus": value -1 is negative`},
		{"cpus:NaN", "not a finite number"},
		{"cpus:+Inf", "not a finite number"},
		{"cpus:1e300", "above 999999999999.999"},
		{"cpus:1e400", "not a number in range"},
		{"cpus:0.0001", "less than 0.001"},
		{"cpus:999999999999.999;cpus:1", "sum 1000000000000.999 is above"},
		{":1", "no name"},
		{"ports:[2-1]", `range "2-1"`},
		{"ports:[1]", `range "1"`},
		{"ports:[1-2", `no "]"`},
		{"ports:[1-2] x", `'x' after its value`},
		{"ports:[1-18446744073709551616]", "is not begin-end"},
		{"zones:{a", `no "}"`},
		{"zones:{a,,b}", "is empty"},
		{"zones:{a,a}", "twice"},
		{`"a:1`, "no end of the quoted word"},
		{"cpus(eng:1", `no ")"`},
		{"cpus():1", `role "": it is empty`},
		{"cpus(a b):1", "white space"},
		{"cpus(*,p):1", `role "*" cannot be reserved`},
		{"cpus(a,p)(a/b):1", "refines another and is static"},
		{"cpus(a)(b,p):1", `does not refine role "a"`},
		{"cpus@*/a:1", `component "*"`},
		{`[{"name":"cpus"`, "parse resources"},
		{`[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]`, `resource "cpus": value -1 is negative`},
		{`[{"name":"cpus","type":"TEXT"}]`, "type TEXT"},
		{`[7]`, "item 0"},
	} {
		t.Run(c.text, func(t *testing.T) {
			got, err := Parse(c.text, "*")
			if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, %v, want errs.Invalid with %q", got, err, c.says)
			}
			if !got.IsEmpty() {
				t.Errorf("got %q beside the error", got)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"cpus:4;mem:1024;ports:[31000-32000]", "cpus(eng)(eng/web,ops){REV}@eng/web:0.125",
		`"a:b":1;zones:{"x, y", ""}`, `[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]`, "cpus:-0", "a:[0-18446744073709551615,1-1]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text, "*")
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatalf("error has no class: %v", err)
			}
			return
		}
		wire, err := FromProto(r.Proto())
		if err != nil || !wire.Equal(r) {
			t.Fatalf("wire of %q: %q, %v", r, wire, err)
		}
		if strings.HasPrefix(strings.TrimSpace(text), "[") {
			return
		}
		again, err := Parse(r.String(), "*")
		if err != nil || !again.Equal(r) || again.String() != r.String() {
			t.Fatalf("%q printed %q, which is %q, %v", text, r, again, err)
		}
	})
}
