package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"mezzo/test/e2e/cluster"
)

// The machines themselves: what every other test here takes for granted.

func TestMachineHasCgroups2(t *testing.T) {
	eachNode(t, func(ctx context.Context, t *testing.T, n *cluster.Node) {
		got, err := n.Output(ctx, "cat", "/sys/fs/cgroup/cgroup.controllers")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"cpu", "memory", "pids", "io"} {
			if !strings.Contains(" "+got+" ", " "+want+" ") {
				t.Errorf("cgroup controllers %q, want %s among them", got, want)
			}
		}
		if _, err := n.Output(ctx, "grep", "-q", "some", "/proc/pressure/memory"); err != nil {
			t.Errorf("pressure is not measured: %v", err)
		}
	})
}

func TestMachineRunsContainers(t *testing.T) {
	eachNode(t, func(ctx context.Context, t *testing.T, n *cluster.Node) {
		got, err := n.Output(ctx, "ctr", "run", "--rm", "--rootfs", "/var/lib/mezzo-e2e/rootfs", "machine-test", "/bin/echo", "it runs")
		if err != nil || got != "it runs" {
			t.Errorf("container printed %q, %v", got, err)
		}
	})
}

func TestMachineClock(t *testing.T) {
	eachNode(t, func(ctx context.Context, t *testing.T, n *cluster.Node) {
		got, err := n.Output(ctx, "date", "+%s")
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		first, err := time.ParseDuration(got + "s")
		if err != nil {
			t.Fatal(err)
		}
		if off := now.Sub(time.Unix(int64(first.Seconds()), 0)); off.Abs() > 30*time.Second {
			t.Errorf("the node's clock is off by %v", off)
		}
	})
}

// eachNode runs a test on every node, with a deadline.
func eachNode(t *testing.T, test func(context.Context, *testing.T, *cluster.Node)) {
	t.Helper()
	c := cluster.Require(t)
	for _, n := range c.Nodes {
		t.Run(n.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.Slow(20*time.Second))
			defer cancel()
			test(ctx, t, n)
		})
	}
}
