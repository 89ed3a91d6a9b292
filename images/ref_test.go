package images

import (
	"errors"
	"testing"

	"mezzo/internal/errs"
)

func TestParseRef(t *testing.T) {
	const sha = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for in, want := range map[string]string{
		"busybox":                    "docker.io/library/busybox:latest",
		"busybox:1.36":               "docker.io/library/busybox:1.36",
		"a/b":                        "docker.io/a/b:latest",
		"registry:5000/a/b":          "registry:5000/a/b:latest",
		"localhost/a":                "localhost/a:latest",
		"a@" + sha:                   "docker.io/library/a@" + sha,
		"a:1@" + sha:                 "docker.io/library/a@" + sha,
		"file:///a/b.tar":            "file:///a/b.tar",
		"file:///a/b.tar#c:1":        "file:///a/b.tar#c:1",
		"file:///with%20space.tar":   "file:///with space.tar",
		"":                           "",
		"UPPER":                      "",
		"a b":                        "",
		"a@sha256:12":                "",
		"-a":                         "",
		"file:relative.tar":          "",
		"file://host/a.tar":          "",
		"file:///a/../../etc/shadow": "",
		"file:///a?b":                "",
		"file:///":                   "file:///",
	} {
		got, err := ParseRef(in)
		if want == "" {
			if !errors.Is(err, errs.Invalid) {
				t.Errorf("ParseRef(%q) = %q, %v; want class %v", in, got, err, errs.Invalid)
			}
		} else if err != nil || got.String() != want {
			t.Errorf("ParseRef(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

// FuzzParseRef: the full form reads as itself.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"busybox", "r:5000/a/b@sha256:00", "file:///a/b.tar#c", "file:///a%2fb", ":", "a:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseRef(s)
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatalf("class of %v", err)
			}
			return
		}
		if ref.String() == "" || ref.archive == "" && ref.member != "" {
			t.Fatalf("ParseRef(%q) = %+v", s, ref)
		}
		if ref.archive != "" {
			return // percent signs are read once
		}
		again, err := ParseRef(ref.String())
		if err != nil || again != ref {
			t.Fatalf("ParseRef(%q) = %+v, %v; want %+v", ref, again, err, ref)
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":1}]}`))
	f.Add([]byte(`{"manifests":null}`))
	f.Add([]byte(`{"manifests":[{"digest":"x"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseIndex(b)
		if err == nil && len(list.Manifests) == 0 {
			t.Fatal("an empty index passed")
		}
		if err != nil && !hasClass(err) {
			t.Fatalf("error without a class: %v", err)
		}
	})
}
