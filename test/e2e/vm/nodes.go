package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mezzo/test/e2e/cluster"
)

const (
	subnet   = "10.77.0" // in a namespace of our own: it can collide with nothing
	maxNodes = 99
)

func nodeName(i int) string    { return fmt.Sprintf("n%d", i) }
func nodeAddress(i int) string { return fmt.Sprintf("%s.%d", subnet, 10+i) }

func (w *workplace) netns() string                  { return "mezzo-" + w.id }
func (w *workplace) nodeDir(node string) string     { return filepath.Join(w.state, node) }
func (w *workplace) machineName(node string) string { return w.netns() + "-" + node }

// up brings up n nodes and writes the cluster file.
func (w *workplace) up(ctx context.Context, n int, s size, fresh bool) error {
	if n < 1 || n > maxNodes {
		return fmt.Errorf("up: %d nodes, want 1 to %d", n, maxNodes)
	}
	unlock, err := w.lock(ctx, w.state+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	t, err := w.template(ctx, s)
	if err != nil {
		return err
	}
	c := w.cluster(n, t)
	if !fresh && w.isUp(n, t) {
		w.log("%d nodes are up", n)
		return c.Save(w.root)
	}
	if err := w.stop(ctx); err != nil {
		return err
	}
	if err := w.restoreAll(ctx, c, t); err != nil {
		return errors.Join(err, w.stop(context.WithoutCancel(ctx)))
	}
	if err := c.Save(w.root); err != nil {
		return err
	}
	w.log("up: %d nodes, see %s", n, filepath.Join(w.root, cluster.File))
	return nil
}

// cluster is n nodes as the cluster file tells them.
func (w *workplace) cluster(n int, t template) *cluster.Cluster {
	c := &cluster.Cluster{Netns: w.netns(), Host: subnet + ".1", Factor: t.accel.Slow}
	for i := 1; i <= n; i++ {
		c.Nodes = append(c.Nodes, &cluster.Node{
			Name: nodeName(i), Address: nodeAddress(i), SSH: nodeAddress(i) + ":22", User: "root", Key: filepath.Join(w.state, "key"),
		})
	}
	return c
}

// isUp tells whether exactly n nodes of the template run.
func (w *workplace) isUp(n int, t template) bool {
	from, err := os.ReadFile(filepath.Join(w.state, "template"))
	nodes := w.nodes()
	if err != nil || string(from) != t.dir || len(nodes) != n {
		return false
	}
	for _, node := range nodes {
		if pid(w.nodeDir(node), w.machineName(node)) == 0 {
			return false
		}
	}
	return true
}

// nodes is the names of the nodes that have a directory.
func (w *workplace) nodes() []string {
	dirs, _ := filepath.Glob(filepath.Join(w.state, "n*")) // fails on a bad pattern only
	for i := range dirs {
		dirs[i] = filepath.Base(dirs[i])
	}
	return dirs
}

func (w *workplace) restoreAll(ctx context.Context, c *cluster.Cluster, t template) error {
	if err := os.MkdirAll(w.state, 0o700); err != nil {
		return err
	}
	key, err := os.ReadFile(t.image.key())
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.state, "key"), key, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.state, "template"), []byte(t.dir), 0o644); err != nil {
		return err
	}
	if err := w.makeNetwork(ctx, len(c.Nodes)); err != nil {
		return err
	}
	w.log("up: restoring %d nodes (%s, %d CPUs, %d MiB)", len(c.Nodes), t.accel.Name, t.size.CPUs, t.size.MemoryMiB)
	errs := make([]error, len(c.Nodes))
	var wg sync.WaitGroup
	for i := range c.Nodes {
		wg.Go(func() { errs[i] = w.restore(ctx, c, i+1, t) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// restore brings up node number i, as far as that it answers over SSH.
func (w *workplace) restore(ctx context.Context, c *cluster.Cluster, i int, t template) error {
	node := nodeName(i)
	dir := w.nodeDir(node)
	m := machine{
		name: w.machineName(node), dir: dir, disk: filepath.Join(dir, "disk.qcow2"), ram: t.ram(), tap: tapName(i),
		restore: true, image: t.image, size: t.size, accel: t.accel,
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := overlay(ctx, m.disk, t.disk(), "qcow2"); err != nil {
		return err
	}
	proc, err := m.launch(w.netns())
	if err != nil {
		return err
	}
	go func() { _ = proc.Wait() }() // reaps it; how it ended is in its log
	if err := w.resume(ctx, m, c, i, t); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return m.diagnose(err)
	}
	return poll(ctx, t.accel.timeout(20*time.Second), func() error {
		conn, err := c.Dial(ctx, "tcp", c.Nodes[i-1].SSH)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// resume loads the saved state, lets the guest run and makes it node number i.
func (w *workplace) resume(ctx context.Context, m machine, c *cluster.Cluster, i int, t template) error {
	q, err := dialQMP(ctx, m)
	if err != nil {
		return err
	}
	defer q.close()
	if err := q.migrate(ctx, "migrate-incoming", "exec:cat "+cluster.Quote(t.state())); err != nil {
		return err
	}
	if err := q.do("cont", nil, nil); err != nil {
		return err
	}
	s, err := dialSerial(ctx, m)
	if err != nil {
		return err
	}
	defer s.close()
	var hosts strings.Builder
	for _, n := range c.Nodes {
		fmt.Fprintf(&hosts, "%s %s\\n", n.Address, n.Name)
	}
	seed := make([]byte, 32)
	rand.Read(seed)
	now := float64(time.Now().UnixMilli()) / 1000
	return s.run(fmt.Sprintf("identity %s 52:54:00:77:00:%02x %s/24 %.3f %x && printf '%s' >>/etc/hosts",
		nodeName(i), i, nodeAddress(i), now, seed, hosts.String()), t.accel.timeout(20*time.Second))
}

// down stops the nodes and takes the cluster file away if it told of them.
func (w *workplace) down(ctx context.Context) error {
	unlock, err := w.lock(ctx, w.state+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	return w.stop(ctx)
}

func (w *workplace) stop(ctx context.Context) error {
	file := filepath.Join(w.root, cluster.File)
	if c, err := cluster.LoadFile(file); err == nil && c.Netns == w.netns() {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	for _, node := range w.nodes() {
		if err := kill(ctx, w.nodeDir(node), w.machineName(node)); err != nil {
			return err
		}
	}
	if err := w.removeNetwork(ctx); err != nil {
		return err
	}
	return os.RemoveAll(w.state)
}
