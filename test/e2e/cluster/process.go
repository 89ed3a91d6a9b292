package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Command says what to start on a node.
type Command struct {
	Args []string
	Env  []string // NAME=VALUE, on top of the node's own
	Dir  string   // empty for root's home
	// Stdin may be nil; so may Stdout and Stderr, which then go nowhere. Each is
	// written by a goroutine of its own.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Process is a command that was started on a node. It leads a process group of its own.
type Process struct {
	PID int

	node *Node
	done chan struct{} // closed when code and err are set
	code int
	err  error
}

// Start starts a command. When ctx ends before the command does, the whole
// process group is killed.
func (n *Node) Start(ctx context.Context, c Command) (*Process, error) {
	client, err := n.client(ctx)
	if err != nil {
		return nil, err
	}
	session, err := client.NewSession()
	if err != nil {
		return nil, fmt.Errorf("ssh session on %s: %w", n.Name, err)
	}
	pid := &pidLine{found: make(chan int, 1), rest: c.Stdout}
	session.Stdin, session.Stdout, session.Stderr = c.Stdin, pid, c.Stderr
	if err := session.Start(c.line()); err != nil {
		session.Close()
		return nil, fmt.Errorf("start %s on %s: %w", strings.Join(c.Args, " "), n.Name, err)
	}
	p := &Process{node: n, done: make(chan struct{})}
	go func() {
		defer session.Close()
		p.code, p.err = exitCode(session.Wait())
		close(p.done)
	}()
	select {
	case p.PID = <-pid.found:
	case <-p.done:
		select {
		case p.PID = <-pid.found: // ended at once
		default:
			return nil, fmt.Errorf("start %s on %s: no pid seen: code %d, %w", strings.Join(c.Args, " "), n.Name, p.code, p.err)
		}
	case <-ctx.Done():
		session.Close()
		return nil, ctx.Err()
	}
	go p.killAfter(ctx, session)
	return p, nil
}

// line is the command as the login shell gets it: it tells its pid, which is
// also its process group's, and becomes the command.
func (c Command) line() string {
	var b strings.Builder
	b.WriteString("echo $$; ")
	if c.Dir != "" {
		b.WriteString("cd " + Quote(c.Dir) + " && ")
	}
	b.WriteString("exec ")
	if len(c.Env) > 0 {
		b.WriteString("env " + Quote(c.Env...) + " ")
	}
	b.WriteString(Quote(c.Args...))
	return b.String()
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits until the process, and whatever else holds its output, has ended,
// and returns the exit code, as in Result.
func (p *Process) Wait() (int, error) {
	<-p.done
	return p.code, p.err
}

// Signal sends a signal ("TERM") to the process alone.
func (p *Process) Signal(ctx context.Context, name string) error {
	_, err := p.node.Output(ctx, "kill", "-s", name, strconv.Itoa(p.PID))
	return err
}

// Kill kills the process and its group, and waits for the end. A process that
// has ended is no error.
func (p *Process) Kill(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if _, err := p.node.Run(ctx, "kill", "-KILL", "--", "-"+strconv.Itoa(p.PID)); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// killAfter kills the process once its context has ended.
func (p *Process) killAfter(ctx context.Context, session *ssh.Session) {
	select {
	case <-p.done:
		return
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.node.cluster.Slow(10*time.Second))
	defer cancel()
	if p.Kill(ctx) != nil {
		session.Close()
	}
}

func exitCode(err error) (int, error) {
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		return exit.ExitStatus(), nil
	}
	return 0, err
}

// pidLine takes the first line it is written as a pid and passes on the rest.
type pidLine struct {
	found chan int // gets the pid once
	rest  io.Writer

	mu   sync.Mutex
	head []byte
	seen bool
}

func (l *pidLine) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(b)
	if !l.seen {
		l.head = append(l.head, b...)
		line, rest, ok := bytes.Cut(l.head, []byte("\n"))
		if !ok {
			return n, nil
		}
		pid, err := strconv.Atoi(string(line))
		if err != nil {
			return 0, fmt.Errorf("not a pid: %q", line)
		}
		l.seen, l.head, b = true, nil, rest
		l.found <- pid
	}
	if l.rest == nil || len(b) == 0 {
		return n, nil
	}
	if _, err := l.rest.Write(b); err != nil {
		return 0, err
	}
	return n, nil
}
