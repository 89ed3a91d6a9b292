package master

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestPieces(t *testing.T) {
	long := []byte("," + strings.Repeat("x", 2*writeBytes))
	for want, p := range map[string]pieces{
		"":                        nil,
		"one":                     {[]byte("one")},
		"[]":                      pieces(nil).appendList(nil),
		"a[1]b":                   append(pieces{[]byte("a")}.appendList([][]byte{[]byte(",1")}), []byte("b")),
		"[1,2]":                   pieces(nil).appendList([][]byte{[]byte(",1"), []byte(",2")}),
		"[1" + string(long) + "]": pieces(nil).appendList([][]byte{[]byte(",1"), long}),
	} {
		var out bytes.Buffer
		if err := p.writeTo(&out); err != nil || out.String() != want || string(p.join()) != want || p.size() != len(want) {
			t.Errorf("got %.50q and %.50q of %d bytes, want %.50q; %v", out.String(), p.join(), p.size(), want, err)
		}
		gone := errors.New("gone")
		if err := p.writeTo(failing{gone}); want != "" && !errors.Is(err, gone) {
			t.Errorf("%.50q to who is gone: %v", want, err)
		}
	}
}
