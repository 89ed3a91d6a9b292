package election

// Goal: each form of the flag gives the right addresses in the right order,
// and each wrong one an error of the right class that names what is wrong.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
		{"http://a:5050", errs.Unsupported, "http"},
		{"zk://", errs.Invalid, "server 1"},
		{"zk://h", errs.Invalid, "path"},
		{"zk://h/", errs.Invalid, "path"},
		{"zk://h//mesos", errs.Invalid, "path"},
		{"zk://h/me sos", errs.Invalid, "path"},
		{"zk://h/../mesos", errs.Invalid, "path"},
		{"zk://h:0/mesos", errs.Invalid, "server 1: port"},
		{"zk://h,/mesos", errs.Invalid, "server 2"},
		{"zk://user@h/mesos", errs.Invalid, "user:password"},
		{"zk://:pass@h/mesos", errs.Invalid, "user:password"},
		{"zk://user:@h/mesos", errs.Invalid, "user:password"},
		{"file://etc/mesos/zk", errs.Invalid, "absolute"},
		{"file:///none/at/all", errs.Invalid, "/none/at/all"},
	} {
		t.Run(tc.flag, func(t *testing.T) {
			_, err := Parse(tc.flag)
			if !errors.Is(err, tc.class) || !strings.Contains(err.Error(), tc.names) {
				t.Errorf("Parse = %v, want class %v naming %q", err, tc.class, tc.names)
			}
		})
	}
}

func TestParseZooKeeper(t *testing.T) {
	for flag, want := range map[string]ensemble{
		"zk://h/mesos":                       {[]string{"h:2181"}, "/mesos", ""},
		"zk://h1:1, h2:2 ,[::1]/a/b/":        {[]string{"h1:1", "h2:2", "[::1]:2181"}, "/a/b", ""},
		"zk://user:pa:s@s,://@h1,h2:3/mesos": {}, // a password with a slash
		"zk://user:pa:s@s,:@h1,h2:3/mesos":   {[]string{"h1:2181", "h2:3"}, "/mesos", "user:pa:s@s,:"},
	} {
		d, err := Parse(flag)
		if want.servers == nil {
			if !errors.Is(err, errs.Invalid) {
				t.Errorf("%s: got %v", flag, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", flag, err)
			continue
		}
		if diff := cmp.Diff(want, d.(*watcher).of, cmp.AllowUnexported(ensemble{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", flag, diff)
		}
		if z, err := NewZooKeeper(flag, Config{}); err != nil || !cmp.Equal(z.of, want, cmp.AllowUnexported(ensemble{})) {
			t.Errorf("%s: NewZooKeeper = %+v, %v", flag, z, err)
		}
	}
	for _, flag := range []string{"h:5050", "zk:/h/mesos", ""} {
		if _, err := NewZooKeeper(flag, Config{}); !errors.Is(err, errs.Invalid) {
			t.Errorf("NewZooKeeper(%q) = %v", flag, err)
		}
	}
}

func TestParseFile(t *testing.T) {
	for _, tc := range []struct{ content, addr, path, wrong string }{
		{content: "a:1\n", addr: "a:1"},
		{content: " zk://user:pass@h/mesos\n", path: "/mesos"},
		{content: "\n", wrong: "empty"},
		{content: "file:///etc/passwd", wrong: "another file"},
		{content: strings.Repeat("a", maxFlagBytes+1), wrong: "more than 65536 bytes"},
		{content: "zk://user:secret@h:x/mesos", wrong: "port"},
		{content: "user:secret,x@h:x/mesos", wrong: "address 1"},
	} {
		path := filepath.Join(t.TempDir(), "master")
		if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Parse("file://" + path)
		switch {
		case tc.wrong != "":
			if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tc.wrong) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%.40q: got %v, want %q", tc.content, err, tc.wrong)
			}
		case err != nil:
			t.Errorf("%q: %v", tc.content, err)
		case tc.path != "":
			if got := d.(*watcher).of.path; got != tc.path {
				t.Errorf("%q: path %q", tc.content, got)
			}
		default:
			if got, err := d.Detect(t.Context(), ""); err != nil || got != tc.addr {
				t.Errorf("%q: %q, %v", tc.content, got, err)
			}
		}
	}
}

// TestRedact: wherever a password stands, neither Redact nor an error shows it.
func TestRedact(t *testing.T) {
	for flag, want := range map[string]string{
		"h:5050":                          "h:5050",
		"master@h:5050":                   "master@h:5050",
		"zk://h1,h2/mesos":                "zk://h1,h2/mesos",
		"zk://user:secret@h1,h2/mesos":    "zk://***@h1,h2/mesos",
		"zk://user:secret@secret@h/mesos": "zk://***@h/mesos",
		"zk://user:secret/secret@h/mesos": "zk://***@h/mesos",
		"zk://user:secret@h:x/mesos":      "zk://***@h:x/mesos",
		"zk:/user:secret@h/mesos":         "***@h/mesos",
		"user:secret@h":                   "***@h",
		"user:secret,secret@h":            "***@h",
		"user:secret://secret@h":          "***@h",
		"ZK://user:secret@h/mesos":        "***@h/mesos",
		"master@h,user:secret@h2":         "***@h2",
		"other://user:secret@h":           "other://***@h",
	} {
		if got := Redact(flag); got != want {
			t.Errorf("Redact(%q) = %q, want %q", flag, got, want)
		}
		for _, err := range []error{second(Parse(flag)), second(NewZooKeeper(flag, Config{}))} {
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %v", flag, err)
			}
		}
	}
	e, err := parseEnsemble("user:secret@h/mesos")
	if got := fmt.Sprintf("%v %+v", e, e); err != nil || strings.Contains(got, "secret") {
		t.Errorf("%s, %v", got, err)
	}
}

func second[T any](_ T, err error) error { return err }

// FuzzRedact: what is before the last @ of a zk:// flag is shown by nobody.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{"", "a", "://", "a/b", "a,b", "x@y", "[::1]:1", "é"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "5EcRe7"
		if strings.Contains(before+after, secret) || strings.Contains(after, "@") || strings.HasPrefix(before, "file:") {
			return // the path of a file is no secret
		}
		for _, scheme := range []string{"zk://", ""} {
			flag := scheme + before + "u:" + secret + "@" + after
			shown := Redact(flag)
			if err := second(Parse(flag)); err != nil {
				shown += err.Error()
			}
			if strings.Contains(shown, secret) {
				t.Errorf("%q shows %q", flag, shown)
			}
		}
	})
}

// FuzzEnsemble: what is accepted has servers that can be dialed and a path that
// ZooKeeper takes, and means the same when written and read again.
func FuzzEnsemble(f *testing.F) {
	for _, s := range []string{"", "h/p", "u:p@h:1,[::1]/a/b/", "@/", "u:p/q@h/p", "h//", "h/./p", "h/a@b", "::1/p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseEnsemble(s)
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		for _, server := range e.servers {
			if _, _, err := net.SplitHostPort(server); err != nil {
				t.Fatal(err)
			}
		}
		again, err := parseEnsemble(strings.TrimPrefix(e.String(), "zk://"))
		again.auth = e.auth
		if err != nil || !cmp.Equal(again, e, cmp.AllowUnexported(ensemble{})) || len(e.servers) == 0 || e.path[0] != '/' || e.path == "/" {
			t.Fatalf("%+v again is %+v, %v", e, again, err)
		}
	})
}

// FuzzParse: no input panics, and what is accepted is a dialable address that
// means the same when parsed again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a", "a:1,b:2", "[::1]:5050", "::1", "zk://h/p", "a:99999", "master@x:1", "[a", "%eth0:1", "::%%", "fe80::1%a]b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, flag string) {
		if strings.HasPrefix(flag, "file:") {
			return // no file of this machine is anybody's business
		}
		d, err := Parse(flag)
		if err != nil {
			return
		}
		if _, ok := d.(static); !ok {
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
