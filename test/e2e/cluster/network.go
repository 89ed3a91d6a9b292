package cluster

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
)

// Dial connects from this machine's side of the nodes' network. The address
// is literal, not a name.
func (c *Cluster) Dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return nil, err
	}
	err = inNetns(c.Netns, func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// Listen listens on this machine's side of the nodes' network, where nodes
// reach it as Host.
func (c *Cluster) Listen(ctx context.Context, network, addr string) (l net.Listener, err error) {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return nil, err
	}
	err = inNetns(c.Netns, func() (err error) {
		l, err = new(net.ListenConfig).Listen(ctx, network, addr)
		return err
	})
	return l, err
}

// Command is a program on this machine, on the nodes' network.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if c.Netns == "" {
		return exec.CommandContext(ctx, name, args...)
	}
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", c.Netns, name}, args...)...)
}

// Dial connects to addr as the node itself would when addr is a loopback
// address, and from this machine's side of the network otherwise.
func (n *Node) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	if !ap.Addr().IsLoopback() {
		return n.cluster.Dial(ctx, network, addr)
	}
	client, err := n.client(ctx)
	if err != nil {
		return nil, err
	}
	return client.DialContext(ctx, network, addr)
}

// HTTPClient speaks HTTP with servers that Dial reaches. It follows no
// redirects and, for streams' sake, has no timeout: that is the request context's.
func (n *Node) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: n.Dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
