package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Node is one machine. Its methods may be called from several goroutines.
type Node struct {
	Name string `json:"name"`
	// Address is the node's own on the nodes' network.
	Address string `json:"address"`
	// SSH is the address and port its SSH server is reached at.
	SSH string `json:"ssh"`
	// User is root: nothing is done through sudo.
	User string `json:"user"`
	// Key is the file of the private key.
	Key string `json:"key"`

	cluster *Cluster

	mu   sync.Mutex
	conn *ssh.Client // nil until needed, and after it broke
}

// Result is what a command that ran to its end left.
type Result struct {
	Stdout, Stderr string
	Code           int // as a shell sees it: 128 + the signal that ended the command
}

// Run runs a command to its end. The error is about reaching the node or ctx,
// never about the command's exit code.
func (n *Node) Run(ctx context.Context, args ...string) (Result, error) {
	var stdout, stderr bytes.Buffer
	p, err := n.Start(ctx, Command{Args: args, Stdout: &stdout, Stderr: &stderr})
	if err != nil {
		return Result{}, err
	}
	code, err := p.Wait()
	return Result{stdout.String(), stderr.String(), code}, err
}

// Output runs a command that must succeed and returns its trimmed standard output.
func (n *Node) Output(ctx context.Context, args ...string) (string, error) {
	r, err := n.Run(ctx, args...)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("%s: %s: exit code %d: %s", n.Name, strings.Join(args, " "), r.Code, strings.TrimSpace(r.Stderr))
	}
	return strings.TrimSpace(r.Stdout), err
}

// Quote is args as one line for a shell.
func Quote(args ...string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// client is the connection to the node, made if there is none.
func (n *Node) client(ctx context.Context) (*ssh.Client, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn != nil {
		return n.conn, nil
	}
	client, err := n.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("ssh to %s at %s: %w", n.Name, n.SSH, err)
	}
	n.conn = client
	go func() {
		_ = client.Wait() // its reason reaches whoever uses the connection
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.conn == client {
			n.conn = nil
		}
	}()
	return client, nil
}

func (n *Node) connect(ctx context.Context) (*ssh.Client, error) {
	pem, err := os.ReadFile(n.Key)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", n.Key, err)
	}
	conn, err := n.cluster.Dial(ctx, "tcp", n.SSH)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c, chans, reqs, err := ssh.NewClientConn(conn, n.SSH, &ssh.ClientConfig{
		User: n.User,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		// Test machines on a private network, made anew all the time: they have no known keys.
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         n.cluster.Slow(20 * time.Second),
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return ssh.NewClient(c, chans, reqs), nil
}

func (n *Node) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn != nil {
		n.conn.Close()
		n.conn = nil
	}
}
