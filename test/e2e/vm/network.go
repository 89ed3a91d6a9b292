package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

func tapName(i int) string { return fmt.Sprintf("tap%d", i) }

// makeNetwork makes the namespace, with a bridge that has a tap for each node.
func (w *workplace) makeNetwork(ctx context.Context, nodes int) error {
	ns := w.netns()
	if err := command(ctx, "ip", "netns", "add", ns); err != nil {
		return err
	}
	steps := [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "br0", "type", "bridge"},
		{"addr", "add", subnet + ".1/24", "dev", "br0"},
		{"link", "set", "br0", "up"},
	}
	for i := 1; i <= nodes; i++ {
		steps = append(steps,
			[]string{"tuntap", "add", tapName(i), "mode", "tap"},
			[]string{"link", "set", tapName(i), "master", "br0", "up"})
	}
	for _, s := range steps {
		if err := command(ctx, "ip", append([]string{"-n", ns}, s...)...); err != nil {
			return err
		}
	}
	return nil
}

// removeNetwork removes the namespace, if it is there, with all that is in it.
func (w *workplace) removeNetwork(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join("/run/netns", w.netns())); err != nil {
		return nil
	}
	return command(ctx, "ip", "netns", "del", w.netns())
}
