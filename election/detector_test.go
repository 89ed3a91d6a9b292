package election

// Goal: each form of the flag gives the right addresses in the right order,
// and each wrong one an error of the right class that names what is wrong.

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mezzo/internal/errs"
)

func TestParseAsksInTurn(t *testing.T) {
	for _, tc := range []struct {
		flag string
		want []string // what successive failures lead to
	}{
		{"127.0.0.1:5050", []string{"127.0.0.1:5050", "127.0.0.1:5050"}},
		{"host", []string{"host:5050"}},
		{"master@10.0.0.1:6060", []string{"10.0.0.1:6060"}},
		{"[::1]:6060", []string{"[::1]:6060"}},
		{"::1", []string{"[::1]:5050"}},
		{"[::1]", []string{"[::1]:5050"}},
		{"a, b:1 ,c", []string{"a:5050", "b:1", "c:5050", "a:5050"}},
	} {
		t.Run(tc.flag, func(t *testing.T) {
			d, err := Parse(tc.flag)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			previous := ""
			for range tc.want {
				if previous, err = d.Detect(t.Context(), previous); err != nil {
					t.Fatal(err)
				}
				got = append(got, previous)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectStartsOverAfterAStranger(t *testing.T) {
	d, err := Parse("a,b")
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Detect(t.Context(), "elsewhere:5050")
	if err != nil || got != "a:5050" {
		t.Errorf("Detect = %q, %v; want a:5050", got, err)
	}
}

func TestDetectEndsWithItsContext(t *testing.T) {
	d, err := Parse("a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Detect(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Detect = %v, want context.Canceled", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		flag  string
		class error
		names string
	}{
		{"", errs.Invalid, "bad host"},
		{"a,", errs.Invalid, "bad host"},
		{":5050", errs.Invalid, "bad host"},
		{"a:0", errs.Invalid, "port"},
		{"a:65536", errs.Invalid, "port"},
		{"a:b", errs.Invalid, "port"},
		{"a:1:2", errs.Invalid, "a:1:2"},
		{"a b:1", errs.Invalid, "bad host"},
		{"a,a:5050", errs.Invalid, "twice"},
		{"zk://h1:2181/mesos", errs.Unsupported, "zk"},
		{"file:///etc/mesos/zk", errs.Unsupported, "file"},
		{"http://a:5050", errs.Unsupported, "http"},
	} {
		t.Run(tc.flag, func(t *testing.T) {
			_, err := Parse(tc.flag)
			if !errors.Is(err, tc.class) || !strings.Contains(err.Error(), tc.names) {
				t.Errorf("Parse = %v, want class %v naming %q", err, tc.class, tc.names)
			}
		})
	}
}

// FuzzParse: no input panics, and what is accepted is a dialable address that
// means the same when parsed again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a", "a:1,b:2", "[::1]:5050", "::1", "zk://h/p", "a:99999", "master@x:1", "[a", "%eth0:1", "::%%", "fe80::1%a]b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, flag string) {
		d, err := Parse(flag)
		if err != nil {
			return
		}
		addr, err := d.Detect(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		host, port, err := net.SplitHostPort(addr)
		if err != nil || host == "" {
			t.Fatalf("address %q of %q: %v", addr, flag, err)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			t.Fatalf("port of %q of %q: %v", addr, flag, err)
		}
		again, err := Parse(addr)
		if err != nil {
			t.Fatalf("parse %q again: %v", addr, err)
		}
		if got, err := again.Detect(t.Context(), ""); err != nil || got != addr {
			t.Fatalf("parse %q again = %q, %v", addr, got, err)
		}
	})
}
