package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// ctr is the peer: containerd's own client, on the same daemon.
type ctr struct{ socket, image string }

func (c ctr) command(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ctr", append([]string{"--address", c.socket, "--namespace", "bench"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %s: %w: %s", args[0], err, out)
	}
	return nil
}

func (c ctr) importImage(ctx context.Context, archive string) error {
	return c.command(ctx, "images", "import", archive)
}

// run starts a container like bench's task, times that, and removes it.
func (c ctr) run(ctx context.Context, id string) (time.Duration, error) {
	start := time.Now()
	if err := c.begin(ctx, id); err != nil {
		return 0, err
	}
	took := time.Since(start)
	return took, c.end(ctx, id)
}

// begin starts a container like bench's task.
func (c ctr) begin(ctx context.Context, id string) error {
	return c.command(ctx, "run", "--detach", "--net-host", "--seccomp", c.image, id, "sleep", "1000")
}

// end removes it.
func (c ctr) end(ctx context.Context, id string) error {
	if err := c.command(ctx, "task", "rm", "--force", id); err != nil {
		return err
	}
	return c.command(ctx, "container", "rm", id)
}
