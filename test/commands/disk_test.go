package commands

import (
	"regexp"
	"strconv"
	"testing"

	"mezzo/test/native"
)

var exceeded = regexp.MustCompile(`Disk limit exceeded: ([0-9]+) MiB used of 8 MiB`)

// testDisk: a task is held to the disk it asked for, wherever it writes.
func testDisk(t *testing.T, c *native.Cluster) {
	for name, file := range map[string]string{"sandbox": "file", "over the image": "/tmp/file"} {
		t.Run(name, func(t *testing.T) {
			r := run(t, c, "run", "--disk=8", "--image="+c.Image, "--", "sh", "-c", "head -c 20000000 /dev/zero > "+file+"; sleep 1000")
			told := exceeded.FindStringSubmatch(r.stderr)
			if r.code != 137 || told == nil {
				t.Fatalf("got %+v", r)
			}
			if used, _ := strconv.Atoi(told[1]); used <= 8 || used > 20 { // it may be measured while the task writes
				t.Errorf("%d MiB are used: %+v", used, r)
			}
		})
	}
	r := run(t, c, "run", "--disk=64", "--image="+c.Image, "--", "sh", "-c", "head -c 20000000 /dev/zero > file; sleep 2")
	if r.code != 0 {
		t.Errorf("within its disk: %+v", r)
	}
}
