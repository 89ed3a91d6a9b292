package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mezzo/test/e2e/cluster"
)

// run becomes ssh: a command on a node, or a shell.
func (w *workplace) run(name string, args []string) error {
	c, err := cluster.Load()
	if err != nil {
		return err
	}
	n := c.Node(name)
	if n == nil {
		return fmt.Errorf("no node %q", name)
	}
	host, port, _ := strings.Cut(n.SSH, ":")
	ssh := []string{"-q", "-F", "none", "-i", n.Key, "-p", port,
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		ssh = append(ssh, "-t")
	}
	ssh = append(ssh, n.User+"@"+host)
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) > 0 {
		ssh = append(ssh, cluster.Quote(args...))
	}
	cmd := c.Command(context.Background(), "ssh", ssh...)
	if cmd.Err != nil {
		return cmd.Err
	}
	return syscall.Exec(cmd.Path, cmd.Args, os.Environ())
}

// push copies a file to the node called to, or to all.
func (w *workplace) push(ctx context.Context, to, src, dst string) error {
	c, err := cluster.Load()
	if err != nil {
		return err
	}
	defer c.Close()
	nodes := c.Nodes
	if to != "" {
		n := c.Node(to)
		if n == nil {
			return fmt.Errorf("no node %q", to)
		}
		nodes = []*cluster.Node{n}
	}
	if strings.HasSuffix(dst, "/") {
		dst += filepath.Base(src)
	}
	for _, n := range nodes {
		if err := n.Push(ctx, src, dst); err != nil {
			return err
		}
	}
	w.log("push: %s is on %d nodes", src, len(nodes))
	return nil
}

// status prints the nodes and where things are.
func (w *workplace) status() error {
	fmt.Printf("namespace %s\nstate     %s\n", w.netns(), w.state)
	for _, node := range w.nodes() {
		state := "down"
		if p := pid(w.nodeDir(node), w.machineName(node)); p != 0 {
			state = fmt.Sprintf("up, pid %d", p)
		}
		fmt.Printf("%-9s %s\n", node, state)
	}
	c, err := cluster.Load()
	if err != nil {
		fmt.Println(err)
		return nil
	}
	for _, n := range c.Nodes {
		fmt.Printf("%-9s %s@%s, key %s\n", n.Name, n.User, n.SSH, n.Key)
	}
	return nil
}
