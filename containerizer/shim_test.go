package containerizer

import (
	"strings"
	"testing"
)

func TestIsShim(t *testing.T) {
	const shim = "/usr/bin/containerd-shim-runc-v2 -namespace mezzo -id c1 -address /run/mezzo/a/containerd.sock"
	for line, want := range map[string]bool{
		shim:                                   true,
		shim + " -debug":                       true,
		"sh -c " + shim:                        false,
		strings.Replace(shim, "c1", "c12", 1):  false,
		strings.Replace(shim, "/a/", "/b/", 1): false,
		"/usr/bin/containerd-shim-runc-v2":     false,
		"":                                     false,
	} {
		if got := isShim([]byte(strings.ReplaceAll(line, " ", "\x00")+"\x00"), "c1", "/run/mezzo/a/containerd.sock"); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
