package commands

import (
	"strings"
	"testing"

	"mezzo/test/native"
)

// testDisk: a task is held to the disk it asked for, wherever it writes.
func testDisk(t *testing.T, c *native.Cluster) {
	for name, file := range map[string]string{"sandbox": "file", "over the image": "/tmp/file"} {
		t.Run(name, func(t *testing.T) {
			r := run(t, c, "run", "--disk=8", "--image="+c.Image, "--", "sh", "-c", "head -c 20000000 /dev/zero > "+file+"; sleep 1000")
			if r.code != 137 || !strings.Contains(r.stderr, "Disk limit exceeded: 20 MiB used of 8 MiB") {
				t.Errorf("got %+v", r)
			}
		})
	}
	r := run(t, c, "run", "--disk=64", "--image="+c.Image, "--", "sh", "-c", "head -c 20000000 /dev/zero > file; sleep 2")
	if r.code != 0 {
		t.Errorf("within its disk: %+v", r)
	}
}
