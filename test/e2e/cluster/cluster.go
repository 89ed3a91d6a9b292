package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Environment variables that Load and Require obey.
const (
	// EnvFile names the cluster file; without it, File of the checkout is read.
	EnvFile = "MEZZO_E2E_CLUSTER"
	// EnvRequired, when not empty, makes missing machines a failure, not a skip.
	EnvRequired = "MEZZO_E2E_REQUIRED"
)

// File is where the cluster file lies below the root of the checkout.
const File = ".e2e/cluster.json"

// Cluster is the content of a cluster file.
type Cluster struct {
	// Netns is the network namespace the nodes live in; empty for this machine's own.
	Netns string `json:"netns,omitempty"`
	// Host is this machine's address as the nodes see it.
	Host string `json:"host"`
	// Factor is how many times longer than on real hardware things take here, at least 1.
	Factor float64 `json:"slow"`
	Nodes  []*Node `json:"nodes"`
}

// Load reads the cluster file. Its error is fs.ErrNotExist where there is none.
func Load() (*Cluster, error) {
	path := os.Getenv(EnvFile)
	if path == "" {
		root, err := Root()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(root, File)
	}
	return LoadFile(path)
}

// LoadFile reads a cluster file, as Load does.
func LoadFile(path string) (*Cluster, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no machines to test on (make them with `make vm`, or `vagrant up`): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read cluster file: %w", err)
	}
	c, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("cluster file %s: %w", path, err)
	}
	return c, nil
}

// Require loads the cluster for a test and closes it with the test. Without a
// cluster the test is skipped, or fails where EnvRequired is set.
func Require(tb testing.TB) *Cluster {
	tb.Helper()
	c, err := Load()
	if errors.Is(err, fs.ErrNotExist) && os.Getenv(EnvRequired) == "" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// Root is the directory of the go.mod that the working directory belongs to.
func Root() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in or above %s", wd)
		}
	}
}

func parse(b []byte) (*Cluster, error) {
	var c Cluster
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	if c.Factor < 1 {
		return nil, fmt.Errorf("slow is %v, want at least 1", c.Factor)
	}
	if len(c.Nodes) == 0 {
		return nil, errors.New("no nodes")
	}
	seen := make(map[string]bool)
	for i, n := range c.Nodes {
		if n == nil || n.Name == "" || seen[n.Name] {
			return nil, fmt.Errorf("node %d: name missing or taken", i)
		}
		seen[n.Name] = true
		if _, err := netip.ParseAddr(n.Address); err != nil {
			return nil, fmt.Errorf("node %s: address: %w", n.Name, err)
		}
		if _, err := netip.ParseAddrPort(n.SSH); err != nil {
			return nil, fmt.Errorf("node %s: ssh: %w", n.Name, err)
		}
		if n.User == "" || n.Key == "" {
			return nil, fmt.Errorf("node %s: user or key missing", n.Name)
		}
		n.cluster = &c
	}
	return &c, nil
}

// Save writes the cluster file of the checkout at root, whole or not at all.
func (c *Cluster) Save(root string) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if _, err := parse(b); err != nil {
		return fmt.Errorf("save cluster file: %w", err)
	}
	path := filepath.Join(root, File)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Node is the node called name; nil if there is none.
func (c *Cluster) Node(name string) *Node {
	for _, n := range c.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Slow stretches a timeout that is right on real hardware to what these machines need.
func (c *Cluster) Slow(d time.Duration) time.Duration {
	return time.Duration(float64(d) * c.Factor)
}

// Close ends the connections to all nodes.
func (c *Cluster) Close() {
	for _, n := range c.Nodes {
		n.close()
	}
}
