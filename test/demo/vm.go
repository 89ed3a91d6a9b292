package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"mezzo/test/e2e/cluster"
)

// onVM runs the demo in the VM. A demo that stays is forwarded to the same ports
// of this machine, so that every command works here as it would beside a cluster
// of one's own.
func onVM(ctx context.Context, bin, why string, stay bool) (*place, error) {
	say("Starting a VM, since %s and limits need cgroups v2 (the first time builds it)", why)
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(ctx, "test/e2e/vm/host-deps.sh"),
		exec.CommandContext(ctx, "go", "run", "./test/e2e/vm", "up"),
	} {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("%s: %w", cmd, err)
		}
	}
	c, err := cluster.Load()
	if err != nil {
		return nil, err
	}
	node := c.Nodes[0]
	ip := node.Address
	p := &place{
		where: "in a VM (" + node.Name + ")", bin: bin, master: net.JoinHostPort(ip, masterPort),
		image: "file://" + nodeDir + "/busybox.tar", http: node.HTTPClient(), command: c.Command,
	}
	if stay {
		ip = "127.0.0.1"
		p.master, p.http, p.command = net.JoinHostPort(ip, masterPort), http.DefaultClient, exec.CommandContext
	}
	var process *cluster.Process
	p.start = func(ctx context.Context) error {
		if process, err = startOn(ctx, node, bin, ip); err != nil {
			return err
		}
		if stay {
			if err := forward(ctx, node, masterPort, agentPort); err != nil {
				return err
			}
		}
		return p.ready(ctx, nodeDir+"/mezzo.log on "+node.Name)
	}
	p.close = func(ctx context.Context) error {
		defer c.Close()
		if process != nil {
			if err := process.Signal(ctx, "INT"); err != nil {
				return err
			}
			code, err := process.Wait()
			if err != nil {
				return fmt.Errorf("mezzo local: %w", err)
			}
			if code != 0 {
				return fmt.Errorf("mezzo local ended with code %d", code)
			}
		}
		down := exec.CommandContext(ctx, "go", "run", "./test/e2e/vm", "down")
		down.Stderr = os.Stderr
		return down.Run()
	}
	return p, nil
}

// nodeDir is where the demo lives in the VM.
const nodeDir = "/var/lib/mezzo-demo"

func startOn(ctx context.Context, node *cluster.Node, bin, ip string) (*cluster.Process, error) {
	archive := filepath.Join(os.TempDir(), fmt.Sprintf("mezzo-demo-%d.tar", os.Getpid()))
	defer os.Remove(archive)
	if err := writeImage(archive); err != nil {
		return nil, err
	}
	if err := node.Push(ctx, archive, nodeDir+"/busybox.tar"); err != nil {
		return nil, err
	}
	if err := node.Push(ctx, bin, nodeDir+"/mezzo"); err != nil {
		return nil, err
	}
	args := append([]string{"sh", "-c", `exec "$0" "$@" >` + nodeDir + `/mezzo.log 2>&1`, nodeDir + "/mezzo"}, local(ip, nodeDir+"/work")...)
	// It outlives ctx, so that an interrupted demo still stops it gently.
	return node.Start(context.WithoutCancel(ctx), cluster.Command{Args: args})
}
