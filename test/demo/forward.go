package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"mezzo/test/e2e/cluster"
)

// forward makes ports of the node's loopback reachable at this machine's, until
// ctx ends.
func forward(ctx context.Context, node *cluster.Node, ports ...string) error {
	for _, port := range ports {
		addr := net.JoinHostPort("127.0.0.1", port)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("forward to the VM: %w", err)
		}
		context.AfterFunc(ctx, func() { l.Close() })
		go func() {
			for {
				from, err := l.Accept()
				if err != nil {
					return // closed
				}
				go join(ctx, from, node, addr)
			}
		}()
	}
	return nil
}

// join copies both ways until one side ends or ctx does.
func join(ctx context.Context, from net.Conn, node *cluster.Node, addr string) {
	defer from.Close()
	to, err := node.Dial(ctx, "tcp", addr)
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
}
