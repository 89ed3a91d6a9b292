package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"mezzo/api/usage"
	"mezzo/images/imagetest"
	"mezzo/test/e2e/cluster"
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
	// stay returns when ctx ends.
	stay func(context.Context) error
}

const port = "5050"

func choosePlace(ctx context.Context, bin string) (*place, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if why := hostLacks(); why != "" {
		return onVM(ctx, bin, why)
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
	return []string{"local", "--ip=" + ip, "--port=" + port, "--agents=1", "--work_dir=" + workDir}
}

func onHost(bin string) (*place, error) {
	dir, err := os.MkdirTemp("", "mezzo-demo")
	if err != nil {
		return nil, err
	}
	p := &place{
		where: "on this machine: it has cgroups v2", bin: bin, master: "127.0.0.1:" + port,
		image: "file://" + filepath.Join(dir, "busybox.tar"), http: http.DefaultClient, command: exec.CommandContext,
	}
	log, err := os.Create(filepath.Join(dir, "mezzo.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, local("127.0.0.1", filepath.Join(dir, "work"))...)
	cmd.Stdout, cmd.Stderr = log, log
	p.start = func(ctx context.Context) error {
		if err := writeImage(filepath.Join(dir, "busybox.tar")); err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		return p.ready(ctx, log.Name())
	}
	p.close = func(context.Context) error {
		if cmd.Process != nil {
			_ = cmd.Process.Signal(os.Interrupt)
			if err := cmd.Wait(); err != nil {
				return fmt.Errorf("mezzo local: %w (its log: %s)", err, log.Name())
			}
		}
		return os.RemoveAll(dir)
	}
	p.stay = func(ctx context.Context) error {
		say("Still up at http://%s until you press Ctrl-C; try `mezzo top` or `mezzo run` in another terminal", p.master)
		<-ctx.Done()
		return nil
	}
	return p, nil
}

func onVM(ctx context.Context, bin, why string) (*place, error) {
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
	p := &place{
		where: "in a VM (" + node.Name + ")", bin: bin, master: net.JoinHostPort(node.Address, port),
		image: "file://" + nodeDir + "/busybox.tar", http: node.HTTPClient(), command: c.Command,
	}
	var process *cluster.Process
	p.start = func(ctx context.Context) error {
		process, err = startOn(ctx, node, bin)
		if err != nil {
			return err
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
	p.stay = func(ctx context.Context) error { return forward(ctx, c, p.master) }
	return p, nil
}

// nodeDir is where the demo lives in the VM.
const nodeDir = "/var/lib/mezzo-demo"

func startOn(ctx context.Context, node *cluster.Node, bin string) (*cluster.Process, error) {
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
	args := append([]string{"sh", "-c", `exec "$0" "$@" >` + nodeDir + `/mezzo.log 2>&1`, nodeDir + "/mezzo"}, local(node.Address, nodeDir+"/work")...)
	// It outlives ctx, so that an interrupted demo still stops it gently.
	return node.Start(context.WithoutCancel(ctx), cluster.Command{Args: args})
}

// writeImage makes the demo's OCI image out of this machine's busybox.
func writeImage(path string) error {
	return imagetest.WriteBusybox(path, imagetest.Options{})
}

// ready waits until the agent has registered.
func (p *place) ready(ctx context.Context, log string) error {
	err := await(ctx, p, func(c *usage.Cluster) error {
		if len(c.GetAgents()) == 0 {
			return fmt.Errorf("no agent yet")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mezzo local did not come up (its log: %s): %w", log, err)
	}
	return nil
}

// forward makes the master in the VM reachable at this machine's 127.0.0.1.
func forward(ctx context.Context, c *cluster.Cluster, master string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	say("Still up at http://127.0.0.1:%s until you press Ctrl-C", port)
	for {
		from, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		go func() {
			defer from.Close()
			to, err := c.Dial(ctx, "tcp", master)
			if err != nil {
				return
			}
			defer to.Close()
			done := make(chan struct{}, 2)
			pipe := func(dst, src net.Conn) { _, _ = io.Copy(dst, src); done <- struct{}{} }
			go pipe(to, from)
			go pipe(from, to)
			select {
			case <-done:
			case <-ctx.Done():
			}
		}()
	}
}
