package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"mezzo/api/usage"
	"mezzo/images/imagetest"
)

// place is where the demo's cluster runs: this machine, or a VM.
type place struct {
	where  string // for the story
	bin    string // the binary here
	master string // host:port
	image  string // a reference that the agent can read
	http   *http.Client

	// command runs a program of this machine that reaches master.
	command func(ctx context.Context, name string, args ...string) *exec.Cmd
	// start brings `mezzo local` up.
	start func(context.Context) error
	close func(context.Context) error
}

// Where `mezzo local` listens: its master, and its one agent.
const masterPort, agentPort = "5050", "5051"

func choosePlace(ctx context.Context, bin string, stay bool) (*place, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if why := hostLacks(); why != "" {
		return onVM(ctx, bin, why, stay)
	}
	return onHost(bin)
}

// hostLacks says why tasks can't be held to their limits on this machine.
func hostLacks() string {
	if os.Getuid() != 0 {
		return "you are not root"
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		return "this machine's cgroups are not v2"
	}
	return ""
}

// local are the arguments of the one process that is master and agent.
func local(ip, workDir string) []string {
	return []string{"local", "--ip=" + ip, "--port=" + masterPort, "--agents=1", "--work_dir=" + workDir}
}

// writeImage makes the demo's OCI image out of this machine's busybox.
func writeImage(path string) error {
	return imagetest.WriteBusybox(path, imagetest.Options{})
}

// ready waits until the agent has registered.
func (p *place) ready(ctx context.Context, log string) error {
	err := await(ctx, p, func(c *usage.Cluster) error {
		if len(c.GetAgents()) == 0 {
			return errors.New("no agent yet")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mezzo local did not come up (its log: %s): %w", log, err)
	}
	return nil
}

// stay returns when ctx ends.
func (p *place) stay(ctx context.Context) {
	say("Still up at http://%s until you press Ctrl-C; try `%s top` or `%s run --image %s -- echo hi` in another terminal", p.master, p.bin, p.bin, p.image)
	<-ctx.Done()
}
