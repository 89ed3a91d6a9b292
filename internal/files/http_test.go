package files

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mezzo/internal/errs"
)

func TestReadCall(t *testing.T) {
	root, _ := hostile(t)
	p := Place{Root: root, Rel: "stdout", Virtual: "stdout"}
	three, huge := uint64(3), uint64(math.MaxUint64)
	if data, size, err := ReadCall(p, 2, &three); string(data) != "234" || size != 10 || err != nil {
		t.Errorf("%q of %d, %v", data, size, err)
	}
	if data, _, err := ReadCall(p, 7, nil); string(data) != "789" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	for _, c := range []struct {
		offset uint64
		length *uint64
	}{{huge, nil}, {0, &huge}, {huge, &three}} {
		if _, _, err := ReadCall(p, c.offset, c.length); !errors.Is(err, errs.Invalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// FuzzReadPart: a query is refused, or answered with what is in the file.
func FuzzReadPart(f *testing.F) {
	for _, s := range []string{"offset=1&length=2", "offset=-1", "", "offset=&length=", "offset=9999999999999999999", "length=-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		root, _ := hostile(t)
		part, err := ReadPart(Place{Root: root, Rel: "stdout", Virtual: "stdout"}, q)
		if err == nil && (part.Offset < 0 || !strings.Contains("0123456789", part.Data)) || err != nil && !errors.Is(err, errs.Invalid) {
			t.Fatalf("%q: %v, %v", query, part, err)
		}
	})
}

func TestBrowseAndDownload(t *testing.T) {
	root, _ := hostile(t)
	list, err := Browse(Place{Root: root, Rel: "dir", Virtual: "/v/dir"})
	if err != nil || len(list) != 1 || list[0].Path != "/v/dir/f" || list[0].Mode != "-rw-------" || list[0].Mtime == 0 {
		t.Errorf("%v, %v", list, err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Range", "bytes=3-5")
	if err := Download(w, r, Place{Root: root, Rel: "stdout", Virtual: "/v/stdout"}); err != nil || w.Code != http.StatusPartialContent || w.Body.String() != "345" {
		t.Errorf("%d %q, %v", w.Code, w.Body, err)
	}
	if err := Download(httptest.NewRecorder(), r, Place{Root: root, Rel: "away/secret", Virtual: "x"}); !errors.Is(err, errs.Invalid) {
		t.Errorf("downloaded what lies outside: %v", err)
	}
	if _, err := PathOf(url.Values{}); !errors.Is(err, errs.Invalid) {
		t.Errorf("no path: %v", err)
	}
}

func TestModeText(t *testing.T) {
	for mode, want := range map[uint32]string{
		0o100644: "-rw-r--r--", 0o040755: "drwxr-xr-x", 0o120777: "lrwxrwxrwx", 0o010600: "prw-------",
		0o020000: "c---------", 0o060001: "b--------x", 0o140010: "s-----x---", 0: "----------",
	} {
		if got := modeText(mode); got != want {
			t.Errorf("%o is %s, want %s", mode, got, want)
		}
	}
}
