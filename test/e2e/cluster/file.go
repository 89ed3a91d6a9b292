package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Push copies a local file to the node, mode included, making the directory
// it goes to. The file there is replaced whole: a program that runs keeps its own.
func (n *Node) Push(ctx context.Context, local, remote string) error {
	f, err := os.Open(local)
	if err != nil {
		return fmt.Errorf("push to %s: %w", n.Name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("push to %s: %w", n.Name, err)
	}
	return n.WriteFile(ctx, remote, f, info.Mode().Perm())
}

// WriteFile makes a file on the node of what r gives, as Push does.
func (n *Node) WriteFile(ctx context.Context, remote string, r io.Reader, mode os.FileMode) error {
	script := `mkdir -p "$1" && cat >"$2.new" && chmod "$3" "$2.new" && mv -f "$2.new" "$2"`
	var stderr bytes.Buffer
	p, err := n.Start(ctx, Command{
		Args:   []string{"sh", "-c", script, "sh", path.Dir(remote), remote, fmt.Sprintf("%o", mode)},
		Stdin:  r,
		Stderr: &stderr,
	})
	if err != nil {
		return err
	}
	code, err := p.Wait()
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d: %s", code, strings.TrimSpace(stderr.String()))
	}
	if err != nil {
		return fmt.Errorf("write %s on %s: %w", remote, n.Name, err)
	}
	return nil
}

// ReadFile is the content of a file on the node.
func (n *Node) ReadFile(ctx context.Context, remote string) ([]byte, error) {
	r, err := n.Run(ctx, "cat", "--", remote)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("exit code %d: %s", r.Code, strings.TrimSpace(r.Stderr))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s on %s: %w", remote, n.Name, err)
	}
	return []byte(r.Stdout), nil
}

// Pull copies a file of the node to this machine.
func (n *Node) Pull(ctx context.Context, remote, local string) error {
	b, err := n.ReadFile(ctx, remote)
	if err != nil {
		return err
	}
	return os.WriteFile(local, b, 0o644)
}
