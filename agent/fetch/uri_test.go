package fetch

// Goal: what can't be fetched is refused before anything begins, and what is
// shown of a URI holds no secret. Method: a table, and whatever the fuzzer
// thinks of.

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		uri   *v1.CommandInfo_URI
		class error
		says  string
	}{
		{at("http://h/x"), nil, ""},
		{at("HTTPS://h/x"), nil, ""},
		{at("ftp://h/x"), nil, ""},
		{at("file:///x"), nil, ""},
		{at("/x"), nil, ""},
		{at("x"), nil, ""},
		{at("hdfs://h/x"), nil, ""},
		{at("s3a://bucket/x"), nil, ""},
		{at("http://h/x", output("a/b")), nil, ""},
		{at("http://h/", output("a")), nil, ""},
		{at("http://h/x#sha256:" + strings.Repeat("aB", 32)), nil, ""},
		{at("http://h/x#top"), nil, ""},
		{at(""), errs.Invalid, `uri "": it is empty`},
		{at("  "), errs.Invalid, "it is empty"},
		{at("http://h/"), errs.Invalid, "names no file"},
		{at("http://h"), errs.Invalid, "names no file"},
		{at("http://h/.."), errs.Invalid, "names no file"},
		{at("http:///x"), errs.Invalid, "no host"},
		{at("http://u:hush@h:x/y"), errs.Invalid, `uri "http://…": it can't be parsed`},
		{at("/x/.."), errs.Invalid, "names no file"},
		{at("file://x"), errs.Invalid, "not absolute"},
		{at("../x"), errs.Invalid, "lead out"},
		{at("a/../../x"), errs.Invalid, "lead out"},
		{at("http://h/a\nb"), errs.Invalid, "control character"},
		{at("ftp://h/a%0d%0aDELE"), errs.Invalid, "control character"},
		{at("gopher://u:hush@h/x"), errs.Unsupported, `uri "gopher://h/x": nothing here fetches "gopher"`},
		{at("http://h/x#md5:0123"), errs.Unsupported, "only sha256 and sha512"},
		{at("http://h/x#sha256:0123"), errs.Invalid, "4 digits instead of 64"},
		{at("http://h/x#sha256:"), errs.Invalid, "0 digits"},
		{at("http://h/x", output("")), errs.Invalid, "names no file"},
		{at("http://h/x", output("/etc/x")), errs.Invalid, "not a path below the sandbox"},
		{at("http://h/x", output("../x")), errs.Invalid, "not a path below the sandbox"},
		{at("http://h/x", output("a/../b")), errs.Invalid, `".."`},
		{at("http://h/x", output("a/")), errs.Invalid, "names no file"},
		{at("http://h/x", output("./.")), errs.Invalid, "names no file"},
		{at("http://h/x", output("a\x00")), errs.Invalid, "control character"},
	} {
		err := Check([]*v1.CommandInfo_URI{at("http://h/ok"), tc.uri})
		if tc.class == nil {
			if err != nil {
				t.Errorf("%s: %v", tc.uri, err)
			}
			continue
		}
		if !errors.Is(err, tc.class) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v; want class %v, and %q", tc.uri, err, tc.class, tc.says)
		}
	}
	if err := Check(nil); err != nil {
		t.Error(err)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"http://h/x":                       "http://h/x",
		"http://u:hush@h:1/x?hush#hush":    "http://h:1/x?…",
		"s3n://AKIA:hu/sh@bucket/x":        "s3n://…",
		"https://h/a%2Fb?X-Signature=hush": "https://h/a%2Fb?…",
		"http://u:hush%@h/":                "http://…",
		"/path/with@and?":                  "/path/with@and?",
		"relative":                         "relative",
	} {
		if got := redact(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestArchiveOf(t *testing.T) {
	for name, want := range map[string]archive{
		"a.tar": plainTar, "a.tgz": gzipTar, "a.tar.gz": gzipTar, "a.tbz2": bzip2Tar, "d/a.tar.bz2": bzip2Tar,
		"a.txz": xzTar, "a.tar.xz": xzTar, "a.zip": zipped, "a.gz": gzipped,
		"a": none, "a.jar": none, ".gz": none, "d/.tar": none, "tar": none, "a.tar.gz.asc": none,
	} {
		if got := archiveOf(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// FuzzCheck: whatever is found good lands below the sandbox.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"http://h/x", "/a/..", "file:///..", "x#sha256:00", "hdfs://h/..", "http://h/%2e%2e", "ftp://[::1%25x]/y"} {
		f.Add(s, "", false)
		f.Add(s, "a/../..", true)
	}
	f.Fuzz(func(t *testing.T, value, out string, hasOut bool) {
		in := at(value)
		if hasOut {
			in.OutputFile = &out
		}
		u, err := parse(in)
		if err != nil {
			if !errors.Is(err, errs.Invalid) && !errors.Is(err, errs.Unsupported) {
				t.Fatalf("class of %v", err)
			}
			return
		}
		if !filepath.IsLocal(u.lands) || u.lands == "." || strings.ContainsRune(u.lands, 0) {
			t.Fatalf("%q lands at %q", value, u.lands)
		}
	})
}
