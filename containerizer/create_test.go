package containerizer

import (
	"errors"
	"testing"
)

// TestBundleTaken: what containerd says of a directory that an earlier creation has
// is told from what will not pass.
func TestBundleTaken(t *testing.T) {
	for text, want := range map[string]bool{
		"failed to start shim: mkdir /run/x/state/io.containerd.runtime.v2.task/mezzo/c: file exists":                              true,
		"failed to start shim: start failed: io.containerd.runc.v2: getwd: no such file or directory: exit status 1":               true,
		"failed to start shim: start failed: fork/exec /usr/bin/containerd-shim-runc-v2: no such file or directory: exit status 1": true,
		`failed to start shim: failed to resolve runtime path: runtime "io.containerd.x.v1" binary not installed`:                  false,
		`failed to create shim task: OCI runtime create failed: exec: "/none": stat /none: no such file or directory: unknown`:     false,
		"mkdir /data: file exists": false,
	} {
		if got := bundleTaken(errors.New(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}
