package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// daemons are processes of a service.
type daemons struct{ cmds []*exec.Cmd }

func (d *daemons) launch(dir string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.cmds = append(d.cmds, cmd)
	return nil
}

func (d *daemons) kill() {
	for _, c := range d.cmds {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

// lanes is how many writers share a connection.
const lanes = 16

type etcd struct {
	daemons
	clients []*clientv3.Client
}

func openEtcd(dir string, n int) (system, error) {
	e := &etcd{}
	client, peer := addresses(n), addresses(n)
	var cluster []string
	for i := range n {
		cluster = append(cluster, fmt.Sprintf("n%d=http://%s", i, peer[i]))
	}
	for i := range n {
		err := e.launch(dir, "etcd", "--name", fmt.Sprint("n", i), "--data-dir", filepath.Join(dir, fmt.Sprint(i)), "--log-level", "error", "--snapshot-count", "100000",
			"--listen-client-urls", "http://"+client[i], "--advertise-client-urls", "http://"+client[i],
			"--listen-peer-urls", "http://"+peer[i], "--initial-advertise-peer-urls", "http://"+peer[i], "--initial-cluster", strings.Join(cluster, ","))
		if err != nil {
			e.kill()
			return nil, err
		}
	}
	for range 256 / lanes {
		c, err := clientv3.New(clientv3.Config{Endpoints: client, DialTimeout: 30 * time.Second, Logger: zap.NewNop()})
		if err != nil {
			e.close()
			return nil, err
		}
		e.clients = append(e.clients, c)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := e.clients[0].Put(ctx, "warm", "up")
		cancel()
		if err == nil {
			return e, nil
		}
		if time.Now().After(deadline) {
			e.close()
			return nil, fmt.Errorf("etcd does not serve: %w", err)
		}
	}
}

func (e *etcd) append(writer int, data []byte) error {
	_, err := e.clients[writer/lanes].Put(context.Background(), fmt.Sprint("k", writer), string(data))
	return err
}

func (e *etcd) close() {
	for _, c := range e.clients {
		c.Close()
	}
	e.kill()
}

type zooKeeper struct {
	daemons
	conns []*zk.Conn
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

func openZooKeeper(dir string, n int) (system, error) {
	z := &zooKeeper{}
	client, peer, vote := addresses(n), addresses(n), addresses(n)
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	main, servers := "org.apache.zookeeper.server.ZooKeeperServerMain", ""
	if n > 1 {
		main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
		servers = "initLimit=40\nsyncLimit=40\n"
		for i := range n {
			servers += fmt.Sprintf("server.%d=127.0.0.1:%s:%s\n", i+1, port(peer[i]), port(vote[i]))
		}
	}
	for i := range n {
		at := filepath.Join(dir, fmt.Sprint(i))
		if err := mkdir(filepath.Join(at, "data")); err != nil {
			return nil, err
		}
		conf := fmt.Sprintf("tickTime=500\ndataDir=%s/data\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n%s", at, port(client[i]), servers)
		for name, text := range map[string]string{"zoo.cfg": conf, "data/myid": fmt.Sprint(i + 1)} {
			if err := os.WriteFile(filepath.Join(at, name), []byte(text), 0o600); err != nil {
				return nil, err
			}
		}
		err := z.launch(at, "java", "-Xmx1g", "-Djute.maxbuffer=4194304", "-cp", "/usr/share/java/zookeeper.jar", main, filepath.Join(at, "zoo.cfg"))
		if err != nil {
			z.kill()
			return nil, err
		}
	}
	for i := range 256 / lanes {
		c, _, err := zk.Connect([]string{client[i%n]}, 30*time.Second, zk.WithLogger(quiet{}), zk.WithMaxBufferSize(4<<20))
		if err != nil {
			z.close()
			return nil, err
		}
		z.conns = append(z.conns, c)
	}
	deadline := time.Now().Add(time.Minute)
	for writer := range 256 {
		for {
			_, err := z.conns[writer/lanes].Create(fmt.Sprint("/k", writer), nil, 0, zk.WorldACL(zk.PermAll))
			if err == nil || err == zk.ErrNodeExists {
				break
			}
			if time.Now().After(deadline) {
				z.close()
				return nil, fmt.Errorf("ZooKeeper does not serve: %w", err)
			}
		}
	}
	return z, nil
}

func (z *zooKeeper) append(writer int, data []byte) error {
	_, err := z.conns[writer/lanes].Set(fmt.Sprint("/k", writer), data, -1)
	return err
}

func (z *zooKeeper) close() {
	for _, c := range z.conns {
		c.Close()
	}
	z.kill()
}
